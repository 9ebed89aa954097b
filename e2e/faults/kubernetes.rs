//! The API server as one operator sees it: lists and watches have only what bears the label of the
//! operator's case and may lag behind, its writes are counted, and some of them go wrong.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

/// The label that says whose an object is.
pub(super) const CASE: &str = "ecr-operator.dev/case";

/// What goes wrong with writes of our objects.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// Each write of status conflicts, and nothing is done.
    Conflicts,
    /// The write of this number and all behind it are never answered; nothing is done.
    FrozenBefore(usize),
    /// The write of this number is done; it and all behind it are never answered.
    FrozenAfter(usize),
    /// The write of this number is done, and a proxy answers that it cannot tell.
    ReplyLost(usize),
    /// Somebody else patches the same object like this right before the next write of its status.
    Overtaken(Value),
}

/// How far what an operator watches lags behind; what it gets or writes by name never does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Sight {
    /// Not at all.
    #[default]
    Clear,
    /// Watches tell nothing new.
    Frozen,
    /// Watches lose whatever they would tell.
    Lossy,
    /// Watches tell nothing new, and nothing can be listed.
    Dark,
    /// And the lists that they begin with are of this version.
    Past(String),
}

/// One operator's view, shared by its client and the test.
#[derive(Debug)]
pub(super) struct View {
    case: String,
    trouble: Mutex<Trouble>,
    sight: watch::Sender<Sight>,
    /// How far its clock is ahead.
    ahead: Mutex<SignedDuration>,
    writes: watch::Sender<Vec<Write>>,
}

/// One write of an object of ours: of its status, its finalizers, or itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Write {
    pub(super) method: Method,
    /// Without the group: `imagerepositories/api/status`.
    pub(super) path: String,
    /// What the API server said; `None` where nobody was told.
    pub(super) status: Option<StatusCode>,
    /// When it came.
    pub(super) at: Instant,
}

impl View {
    pub(super) fn of(case: &str, trouble: Trouble) -> Arc<Self> {
        Arc::new(Self {
            case: case.to_owned(),
            trouble: Mutex::new(trouble),
            sight: watch::Sender::default(),
            ahead: Mutex::default(),
            writes: watch::Sender::default(),
        })
    }

    /// What goes wrong from now on.
    pub(super) fn trouble(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn troubled(&self) -> Trouble {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far what it watches lags behind from now on.
    pub(super) fn see(&self, sight: Sight) {
        self.sight.send_replace(sight);
    }

    /// How far the API server's clock is ahead from now on.
    pub(super) fn ahead(&self, by: SignedDuration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = by;
    }

    /// The answer, dated by that clock.
    fn dated(&self, mut response: Response) -> Response {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if !ahead.is_zero() {
            let date = jiff::Timestamp::now() + ahead;
            let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            let headers = response.headers_mut();
            headers.insert("date", date.parse().expect("a date is a header"));
        }
        response
    }

    /// All writes so far.
    pub(super) fn writes(&self) -> Vec<Write> {
        self.writes.borrow().clone()
    }

    /// Waits until the writes are as wanted.
    pub(super) async fn until(&self, wanted: impl FnMut(&Vec<Write>) -> bool) {
        let mut writes = self.writes.subscribe();
        writes.wait_for(wanted).await.expect("we hold the sender");
    }

    /// A client that sees what `inner` does, through this view.
    pub(super) fn client(self: &Arc<Self>, inner: Client) -> Client {
        let view = Arc::clone(self);
        let pass = move |request: Request| {
            let (view, inner) = (Arc::clone(&view), inner.clone());
            async move { view.pass(&inner, request).await }
        };
        Client::new(Router::new().fallback(pass), "default")
    }

    async fn pass(&self, inner: &Client, request: Request) -> Response {
        let path = request
            .uri()
            .path()
            .trim_start_matches("/apis/ecr-operator.dev/v1alpha1/");
        let is_write = request.method() != Method::GET && path.len() < request.uri().path().len();
        if !is_write {
            let response = self.forward(inner, request).await;
            return self.dated(response);
        }
        let (method, path) = (request.method().clone(), path.to_owned());
        let number = self.begin(method, path.clone());
        let trouble = self.troubled();
        if let Trouble::Overtaken(patch) = &trouble
            && path.ends_with("/status")
        {
            self.trouble(Trouble::None);
            overtake(inner, request.uri(), patch).await;
        }
        match trouble {
            Trouble::FrozenBefore(from) if number >= from => std::future::pending().await,
            Trouble::FrozenAfter(from) if number > from => std::future::pending().await,
            Trouble::Conflicts if path.ends_with("/status") => {
                self.end(number, StatusCode::CONFLICT);
                conflict()
            }
            Trouble::None
            | Trouble::Conflicts
            | Trouble::FrozenBefore(_)
            | Trouble::FrozenAfter(_)
            | Trouble::ReplyLost(_)
            | Trouble::Overtaken(_) => {
                let response = self.forward(inner, request).await;
                self.end(number, response.status());
                if trouble == Trouble::FrozenAfter(number) {
                    std::future::pending::<()>().await;
                }
                if trouble == Trouble::ReplyLost(number) {
                    return StatusCode::GATEWAY_TIMEOUT.into_response();
                }
                response
            }
        }
    }

    /// Notes a write, and gives its number, counted from 1.
    fn begin(&self, method: Method, path: String) -> usize {
        let mut number = 0;
        self.writes.send_modify(|writes| {
            writes.push(Write {
                method,
                path,
                status: None,
                at: Instant::now(),
            });
            number = writes.len();
        });
        number
    }

    fn end(&self, number: usize, status: StatusCode) {
        self.writes
            .send_modify(|writes| writes[number - 1].status = Some(status));
    }

    async fn forward(&self, inner: &Client, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        if let Some(uri) = self
            .narrowed(&parts.uri)
            .filter(|_| parts.method == Method::GET)
        {
            parts.uri = uri;
        }
        if *self.sight.borrow() == Sight::Dark && parts.method == Method::GET {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let body = body
            .collect()
            .await
            .expect("the client has all of the body")
            .to_bytes();
        let is_watch = is_watch(&parts.uri);
        match inner
            .send(Request::from_parts(parts, body.to_vec().into()))
            .await
        {
            Ok(response) if is_watch => response.map(|it| self.held_back(Body::new(it))),
            Ok(response) => response.map(Body::new),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
        }
    }

    /// The same list or watch of only what bears the case's label; `None` for anything but a list
    /// of all objects of a kind.
    fn narrowed(&self, uri: &Uri) -> Option<Uri> {
        let mut parts = uri.path().trim_start_matches('/').split('/');
        let after_version = match parts.next()? {
            "api" => parts.nth(1),
            "apis" => parts.nth(2),
            _ => None,
        };
        after_version.filter(|_| parts.next().is_none())?;
        let query = uri.query().unwrap_or_default();
        assert!(
            !query.contains("labelSelector"),
            "{uri} has a selector of its own"
        );
        let mut narrowed = format!(
            "{}?{query}&labelSelector={CASE}%3D{}",
            uri.path(),
            self.case
        );
        // Watches begin with lists by pages, and nobody else asks for pages.
        if let Sight::Past(version) = &*self.sight.borrow()
            && query.contains("limit=")
        {
            narrowed += &format!("&resourceVersion={version}&resourceVersionMatch=Exact");
        }
        Some(narrowed.parse().expect("a URI with a longer query is one"))
    }

    /// The events of a watch, each as soon as the sight is clear.
    fn held_back(&self, events: Body) -> Body {
        let sight = self.sight.subscribe();
        let events = events.into_data_stream().filter_map(move |event| {
            let mut sight = sight.clone();
            async move {
                let told = |it: &Sight| matches!(it, Sight::Clear | Sight::Lossy);
                match sight.wait_for(told).await.map(|it| it.clone()) {
                    Ok(Sight::Lossy) => None,
                    Ok(Sight::Clear | Sight::Frozen | Sight::Dark | Sight::Past(_)) => Some(event),
                    Err(error) => Some(Err(axum::Error::new(error))),
                }
            }
        });
        Body::from_stream(events)
    }
}

fn is_watch(uri: &Uri) -> bool {
    uri.query().is_some_and(|it| it.contains("watch=true"))
}

/// Patches the object whose status is at `uri`.
async fn overtake(inner: &Client, uri: &Uri, patch: &Value) {
    let request = Request::patch(uri.path())
        .header("content-type", "application/merge-patch+json")
        .body(patch.to_string().into_bytes())
        .expect("a path of the API server is one");
    inner
        .request::<Value>(request)
        .await
        .expect("somebody else may write");
}

/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>
fn conflict() -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Conflict", "code": 409,
        "message": "the object has been modified; please apply your changes to the latest version",
    });
    (StatusCode::CONFLICT, axum::Json(status)).into_response()
}
