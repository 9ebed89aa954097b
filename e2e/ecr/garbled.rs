//! Answers that ECR should not give, and once gives: each is an error or is kept as it is, and none
//! is taken for an empty registry.

use std::sync::Arc;

use ecr_operator::domain::repository::{Encryption, Mutability};
use ecr_operator::ecr::{Endpoints, ErrorKind};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;

/// A registry whose every answer from ECR is this one, and an STS that works.
async fn answering(status: u16, body: &'static str) -> (Emulator, Registry) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(move |_: Request<Incoming>| {
        let answer = Response::builder().status(status);
        let answer = answer.body(Full::new(Bytes::from_static(body.as_bytes())));
        std::future::ready(answer)
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            let service = service_fn(move |request| answer(request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let emulator = emulator("{}").await;
    let mut settings = settings(&emulator, PROD);
    settings.endpoints = Endpoints {
        ecr: Some(url),
        ..settings.endpoints
    };
    let sessions = Sessions::new(settings).await;
    let target = registry_name(PROD, HERE);
    let registry = sessions.registry(&target, &Identity::Ambient).await;
    (emulator, registry.unwrap())
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_no_empty_registry() {
    for (status, body, kind) in [
        (200, "", ErrorKind::Unexpected),
        (200, "{}", ErrorKind::Unexpected),
        (
            200,
            r#"{"repositories": [{"repositoryNa"#,
            ErrorKind::Unavailable,
        ),
        (200, "<html>a proxy</html>", ErrorKind::Unavailable),
        (403, "<html>a proxy</html>", ErrorKind::Unexpected),
        (502, "<html>a proxy</html>", ErrorKind::Unavailable),
    ] {
        let (_emulator, registry) = answering(status, body).await;
        let error = registry.refresh().await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body:?}: {error}");
        assert!(registry.snapshot().is_none());
        let error = registry.images(&name("payments/api")).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body:?}: {error}");
        let error = registry.contents(&name("payments/api")).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body:?}: {error}");
    }
}

#[tokio::test]
async fn settings_that_are_newer_than_this_program_are_kept_by_name() {
    let body = r#"{"repositories": [
        {"repositoryName": "payments/api", "repositoryArn": "arn", "imageTagMutability": "FROZEN",
         "encryptionConfiguration": {"encryptionType": "QUANTUM"}, "novelty": {"a": [1]}},
        {"repositoryName": "No Name At All", "repositoryArn": "arn"}]}"#;
    let (_emulator, registry) = answering(200, body).await;
    let snapshot = registry.refresh().await.unwrap();
    assert_eq!(snapshot.len(), 1);
    let observed = &snapshot[&name("payments/api")];
    assert_eq!(observed.mutability, Mutability::Other("FROZEN".to_owned()));
    assert_eq!(observed.encryption, Encryption::Other("QUANTUM".to_owned()));
}
