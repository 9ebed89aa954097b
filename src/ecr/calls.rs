//! Counts of what was called, for metrics: by operation and by what came of it, never by
//! repository. Also what tells the limiter of every attempt that the SDK makes, and the SDK which
//! attempts are the gate's to make.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_ecr::config::http::HttpResponse;
use aws_sdk_ecr::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_ecr::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_ecr::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use serde::Deserialize;

use super::error::{ErrorKind, is_throttling};
use super::gate::Gate;
use super::operation::Operation;
use crate::domain;

/// What came of a call.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Answer {
    /// AWS did it.
    Done,
    /// It failed, after the SDK's retries.
    Failed(ErrorKind),
    /// One attempt among several was throttled; the call itself is counted by what came of it.
    Slowed,
}

impl Answer {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Failed(kind) => kind.as_str(),
            Self::Slowed => "Slowed",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Done => 0,
            Self::Slowed => 1,
            Self::Failed(kind) => 2 + kind as usize,
        }
    }
}

/// How often one operation ended in one way in one registry since the program started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Count {
    /// The registry.
    pub registry: domain::Registry,
    /// The operation.
    pub operation: Operation,
    /// How it ended.
    pub answer: Answer,
    /// How often; never 0.
    pub calls: u64,
}

const ANSWERS: usize = 2 + ErrorKind::ALL.len();

/// The counters of one registry.
#[derive(Debug)]
pub(super) struct Calls {
    counts: [[AtomicU64; ANSWERS]; Operation::ALL.len()],
}

impl Calls {
    pub(super) fn new() -> Self {
        let counts = std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0)));
        Self { counts }
    }

    pub(super) fn count(&self, operation: Operation, answer: Answer) {
        self.counts[operation as usize][answer.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// Everything that ever happened, in order.
    pub(super) fn all(&self, registry: &domain::Registry) -> Vec<Count> {
        let failed = ErrorKind::ALL.iter().copied().map(Answer::Failed);
        let answers: Vec<Answer> = [Answer::Done, Answer::Slowed]
            .into_iter()
            .chain(failed)
            .collect();
        let mut counts = Vec::new();
        for &operation in Operation::ALL {
            for &answer in &answers {
                let calls = self.counts[operation as usize][answer.index()].load(Ordering::Relaxed);
                if calls > 0 {
                    counts.push(Count {
                        registry: registry.clone(),
                        operation,
                        answer,
                        calls,
                    });
                }
            }
        }
        counts
    }
}

/// Sees every attempt of the SDK: the calls that a gate lets through are not the only ones made.
#[derive(Debug)]
pub(super) struct Attempts(pub(super) Arc<Gate>);

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let attempt = config
            .load::<RequestAttempts>()
            .map_or(1, RequestAttempts::attempts);
        if attempt > 1
            && let Some(operation) = operation(config)
        {
            self.0.retried(operation);
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(response) = context.response() else {
            return Ok(());
        };
        // A proxy on the way has a clock of its own, and gives no request an id.
        if response.headers().contains_key("x-amzn-requestid")
            && let Some(date) = response.headers().get("date")
        {
            self.0.told_date(date);
        }
        if is_throttled(response)
            && let Some(operation) = operation(config)
        {
            self.0.throttled(operation);
        }
        Ok(())
    }
}

/// Leaves it to the gate to make a throttled call again: there the urgent go first, and whoever
/// waits takes up no slot. What else fails for a moment the SDK tries again itself.
#[derive(Debug)]
pub(super) struct NotWhenThrottled;

impl ClassifyRetry for NotWhenThrottled {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        if context.response().is_some_and(is_throttled) {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "NotWhenThrottled"
    }
}

/// The operation that a call under way is of, if it is one that we make.
pub(super) fn operation(config: &ConfigBag) -> Option<Operation> {
    Operation::named(config.load::<Metadata>()?.name())
}

fn is_throttled(response: &HttpResponse) -> bool {
    let body = response
        .body()
        .bytes()
        .filter(|_| !response.status().is_success());
    body.is_some_and(says_throttled)
}

/// Throttling is no error of ECR's model, so its code is read where AWS's JSON protocols put it:
/// <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html#operation-error-serialization>.
fn says_throttled(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Failure<'a> {
        #[serde(rename = "__type", borrow)]
        code: std::borrow::Cow<'a, str>,
    }
    serde_json::from_slice::<Failure<'_>>(body).is_ok_and(|it| {
        let code = it.code.rsplit('#').next().unwrap_or_default();
        is_throttling(code)
    })
}

#[cfg(test)]
mod tests;
