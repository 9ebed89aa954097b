//! What every call to one registry passes: its breaker, its limiter and a bound on the calls under
//! way. One registry has one gate, whoever calls it and under whatever role, since AWS counts calls
//! by account and region.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_ecr::config::http::HttpResponse;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::breaker::{Breaker, Silent};
use super::calls::{Answer, Calls, Count};
use super::date::Date;
use super::error::{Error, ErrorKind, is_silence};
use super::limiter::{Limiter, Pace, Priority};
use super::operation::Operation;
use crate::domain;

/// So many calls to one registry are under way at most. More would only wait inside AWS.
const UNDER_WAY: usize = 32;
/// A registry that objected to our rate this recently is called throttled.
const RECENTLY: Duration = Duration::from_secs(60);

/// Turns of one call that AWS throttles; what comes then is for whoever asked to decide. An edit has
/// more: while it waits for its next one, all others wait behind it.
const fn turns(priority: Priority) -> u32 {
    match priority {
        Priority::Edit => 12,
        Priority::Create | Priority::Repair | Priority::Sweep => 3,
    }
}

/// A call under way.
pub(super) type Sent<'a, T, E> = BoxFuture<'a, Result<T, SdkError<E, HttpResponse>>>;

/// How a registry takes our calls at present.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Health {
    /// It answers.
    Answering,
    /// It answers, and asked for fewer calls within the last minute.
    Throttled,
    /// It does not answer, and is asked now and then whether it does again.
    Silent,
}

/// The gate of one registry.
#[derive(Debug)]
pub(super) struct Gate {
    registry: domain::Registry,
    limiter: Limiter,
    breaker: Breaker,
    slots: Semaphore,
    calls: Calls,
    date: Date,
}

impl Gate {
    pub(super) fn new(registry: domain::Registry, pace: Pace) -> Arc<Self> {
        Arc::new(Self {
            registry,
            limiter: Limiter::new(pace),
            breaker: Breaker::new(),
            slots: Semaphore::new(UNDER_WAY),
            calls: Calls::new(),
            date: Date::default(),
        })
    }

    /// Waits for its turn, makes the call that `send` begins, and learns from what comes of it. Where
    /// AWS asks for fewer calls it waits for another turn, behind whoever is more urgent. Dropping
    /// the future before its turn makes no call; dropping it later makes no further attempt.
    pub(super) async fn call<'a, T, E>(
        &self,
        operation: Operation,
        priority: Priority,
        send: &(dyn Fn() -> Sent<'a, T, E> + Send + Sync),
    ) -> Result<T, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut turn = 1;
        let answer = loop {
            let answer = self.pass(operation, priority, send).await;
            let throttled = |it: &Error| it.kind == ErrorKind::Throttled;
            if turn == turns(priority) || !answer.as_ref().is_err_and(throttled) {
                break answer;
            }
            turn += 1;
        };
        self.counted(operation, answer)
    }

    /// Makes a call to STS or IAM, which are other services: they have rates of their own, and their
    /// silence says nothing of ECR.
    pub(super) async fn ask_elsewhere<T, E>(
        &self,
        operation: Operation,
        send: Sent<'_, T, E>,
    ) -> Result<T, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let answer = send.await;
        let answer = answer.map_err(|it| Error::of(operation, &self.registry, &it));
        self.counted(operation, answer)
    }

    fn counted<T>(&self, operation: Operation, answer: Result<T, Error>) -> Result<T, Error> {
        let what = match &answer {
            Ok(_) => Answer::Done,
            Err(error) => Answer::Failed(error.kind),
        };
        self.calls.count(operation, what);
        answer
    }

    async fn pass<'a, T, E>(
        &self,
        operation: Operation,
        priority: Priority,
        send: &(dyn Fn() -> Sent<'a, T, E> + Send + Sync),
    ) -> Result<T, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let refused = |Silent| self.refused(operation);
        let _slot = self.turn(operation, priority).await.map_err(refused)?;
        let pass = self.breaker.pass().map_err(refused)?;
        match send().await {
            Ok(output) => {
                pass.answered();
                self.limiter.answered(operation);
                Ok(output)
            }
            Err(error) => {
                if is_silence(&error) {
                    pass.unanswered();
                } else {
                    pass.answered();
                }
                Err(Error::of(operation, &self.registry, &error))
            }
        }
    }

    /// Waits for a token of the operation's and then for a slot, unless the breaker opens meanwhile.
    async fn turn(
        &self,
        operation: Operation,
        priority: Priority,
    ) -> Result<SemaphorePermit<'_>, Silent> {
        if self.breaker.refuses() {
            return Err(Silent);
        }
        let turn = async {
            self.limiter.acquire(operation, priority).await;
            self.slots
                .acquire()
                .await
                .expect("the slots are never closed")
        };
        tokio::select! {
            slot = turn => Ok(slot),
            () = self.breaker.refused() => Err(Silent),
        }
    }

    fn refused(&self, operation: Operation) -> Error {
        let message = "not called: the registry does not answer";
        Error::new(ErrorKind::Refused, operation, &self.registry, message)
    }

    pub(super) fn retried(&self, operation: Operation) {
        self.limiter.retried(operation);
    }

    pub(super) fn throttled(&self, operation: Operation) {
        self.limiter.throttled(operation);
        self.calls.count(operation, Answer::Slowed);
    }

    /// Takes in the date of an answer.
    pub(super) fn told_date(&self, header: &str) {
        self.date.told(header, Instant::now());
    }

    /// What time it is for AWS.
    pub(super) fn date(&self) -> Option<SystemTime> {
        self.date.at(Instant::now())
    }

    pub(super) fn health(&self) -> Health {
        if self.breaker.is_open() {
            Health::Silent
        } else if self.limiter.was_throttled_within(RECENTLY) {
            Health::Throttled
        } else {
            Health::Answering
        }
    }

    pub(super) fn counts(&self) -> Vec<Count> {
        self.calls.all(&self.registry)
    }
}
