//! The leader's way to the API server. What changes anything there passes the same [`Fence`] as writes
//! to AWS, so no part of the program can forget to ask.

use std::sync::Arc;

use hyper::Request;
use kube::Client;
use kube::client::Body;
use tower::BoxError;

use crate::ecr::Fence;

/// A client that sends what only reads, and the rest while `fence` is open. The lease itself is
/// renewed by another client, and events, which only report, are published by it too.
pub fn fenced(client: Client, fence: Arc<Fence>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let pass = move |request: Request<Body>| {
        let (client, fence) = (client.clone(), Arc::clone(&fence));
        async move {
            if !request.method().is_safe() {
                fence.pass()?;
            }
            Ok::<_, BoxError>(client.send(request).await?)
        }
    };
    Client::new(tower::service_fn(pass), namespace)
}
