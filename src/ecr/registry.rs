//! One registry as one identity sees it: the handle that everything else takes.

use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_ecr::config::http::HttpResponse;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use futures::FutureExt;

use super::error::{Error, ErrorKind};
use super::gate::{Gate, Health};
use super::limiter::Priority;
use super::operation::Operation;
use super::session::Session;
use super::snapshot::{Memory, Seen, Snapshot};
use super::turns::Turn;
use crate::domain::{self, RepositoryName};

/// One registry under one identity. Cheap to clone; clones and other identities share what is known
/// of the registry, its rate and its breaker.
#[derive(Clone, Debug)]
pub struct Registry {
    pub(super) name: domain::Registry,
    pub(super) memory: Arc<Memory>,
    pub(super) session: Arc<Session>,
    gate: Arc<Gate>,
    pub(super) priority: Priority,
}

impl Registry {
    pub(super) fn new(
        name: domain::Registry,
        gate: Arc<Gate>,
        memory: Arc<Memory>,
        session: Arc<Session>,
    ) -> Self {
        Self {
            name,
            memory,
            session,
            gate,
            priority: Priority::Sweep,
        }
    }

    /// The same registry, called with this priority. A new handle sweeps.
    #[must_use]
    pub fn at(&self, priority: Priority) -> Self {
        Self {
            priority,
            ..self.clone()
        }
    }

    /// Which registry it is.
    pub fn name(&self) -> &domain::Registry {
        &self.name
    }

    /// The ARN as which AWS knows us there, as STS GetCallerIdentity told it.
    pub fn identity_arn(&self) -> &str {
        self.session.arn()
    }

    /// How it takes our calls at present.
    pub fn health(&self) -> Health {
        self.gate.health()
    }

    /// What time it is for AWS there, as the last answer told it; `None` before the first one. Our own
    /// clock has no part in it.
    pub fn date(&self) -> Option<SystemTime> {
        self.gate.date()
    }

    /// Waits until nobody else writes to the repository `name`: what is read and written until the turn
    /// is dropped belongs together.
    pub async fn turn(&self, name: &RepositoryName) -> Turn {
        self.memory.turns.take(name).await
    }

    /// All its repositories as last listed, with what was read and written by name since; `None`
    /// before the first list. No call is made.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.memory.snapshot()
    }

    /// What is known of one repository. No call is made.
    pub fn seen(&self, name: &RepositoryName) -> Seen {
        self.memory.seen(name)
    }

    /// Makes the call that `send` begins, when its turn has come, and again where AWS asks for fewer
    /// calls. The SDK's futures are large, so each is put on the heap, here.
    pub(super) fn call<'a, T, E, F>(
        &'a self,
        operation: Operation,
        send: impl Fn() -> F + Send + Sync + 'a,
    ) -> impl Future<Output = Result<T, Error>> + Send + 'a
    where
        T: Send + 'a,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    {
        let send = move || send().boxed();
        async move {
            let answer = self.gate.call(operation, self.priority, &send).await;
            if let Err(error) = &answer
                && matches!(
                    error.kind,
                    ErrorKind::CredentialsRejected | ErrorKind::AssumeRoleDenied
                )
            {
                self.session.distrust();
            }
            answer
        }
    }

    /// Makes a call to another service than ECR, under the same credentials.
    pub(super) async fn call_elsewhere<T, E>(
        &self,
        operation: Operation,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    ) -> Result<T, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.gate.ask_elsewhere(operation, send.boxed()).await
    }

    /// The items of a page. An answer without any list is none: taken for an empty one, it would
    /// say that everything is gone.
    pub(super) fn items<T>(
        &self,
        operation: Operation,
        items: Option<Vec<T>>,
    ) -> Result<Vec<T>, Error> {
        items.ok_or_else(|| {
            let message = "the answer has no list in it";
            Error::new(ErrorKind::Unexpected, operation, &self.name, message)
        })
    }

    /// The id that every ECR call names, so that no call can reach another account's registry.
    pub(super) fn id(&self) -> &str {
        self.name.account.as_str()
    }
}

/// `None` where AWS answered that there is no such thing, under one of these codes.
pub(super) fn found<T>(answer: Result<T, Error>, absent: &[&str]) -> Result<Option<T>, Error> {
    match answer {
        Ok(output) => Ok(Some(output)),
        Err(error) if absent.contains(&error.code.as_str()) => Ok(None),
        Err(error) => Err(error),
    }
}
