//! One request and its answer: fault rules, the operation itself, and the journal around both.

use std::convert::Infallible;

use jiff::Timestamp;
use serde_json::Value;

use super::call::{Answer, Call, Caller};
use super::faults::{Effect, Garble, Subject};
use super::journal::{Entry, Outcome};
use super::protocol::{Asked, Service};
use super::refusal::Refusal;
use super::server::Shared;
use super::{data_plane, ecr, simulate, sts, tagging};

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut by a fault rule")]
pub(crate) struct Cut;

/// A request that was understood.
pub(crate) struct Heard {
    /// What is asked.
    pub(crate) asked: Asked,
    /// Who asks.
    pub(crate) caller: Caller,
    /// The region that is asked.
    pub(crate) region: String,
}

impl Heard {
    fn subject(&self) -> Subject<'_> {
        Subject {
            account: &self.caller.account,
            region: &self.region,
            service: self.asked.service.as_str(),
            operation: &self.asked.operation,
            caller: &self.caller.arn,
            repository: self.asked.input["repositoryName"].as_str(),
            role: self.asked.input["RoleArn"].as_str(),
        }
    }

    fn entry(&self, time: Timestamp, outcome: Outcome, effect: Option<&Effect>) -> Entry {
        Entry {
            sequence: 0,
            time,
            account: self.caller.account.clone(),
            region: self.region.clone(),
            service: self.asked.service.as_str().to_owned(),
            operation: self.asked.operation.clone(),
            caller: self.caller.arn.clone(),
            parameters: self.asked.input.clone(),
            outcome,
            fault: effect.map(|it| format!("{it:?}")),
        }
    }
}

/// What came of a request.
pub(crate) struct Came {
    /// The answer to it.
    pub(crate) answer: Result<Value, Refusal>,
    /// Its number in the journal.
    pub(crate) sequence: u64,
    /// What is told instead.
    pub(crate) garble: Option<Garble>,
}

impl Came {
    /// The request's id, as AWS tells it with the answer.
    pub(crate) fn id(&self) -> String {
        format!("{:08x}-0000-4000-8000-000000000000", self.sequence)
    }
}

/// Decides about faults, does what is asked, and writes the journal.
pub(crate) async fn hear(
    shared: &Shared,
    heard: &Heard,
    refused: Option<Refusal>,
) -> Result<Came, Cut> {
    let effect = shared.faults().decide(&heard.subject());
    let (answer, outcome) = under(shared, heard, effect.as_ref(), refused).await;
    let entry = heard.entry(shared.clock().now(), outcome, effect.as_ref());
    let sequence = shared.journal().write(entry);
    let garble = match effect {
        Some(Effect::Hang | Effect::HangAfter) => {
            match std::future::pending::<Infallible>().await {}
        }
        Some(Effect::CutBefore | Effect::CutAfter) => return Err(Cut),
        Some(Effect::Garble(garble)) => Some(garble),
        Some(
            Effect::Throttle
            | Effect::Deny
            | Effect::Refuse { .. }
            | Effect::Delay(_)
            | Effect::Overtaken { .. },
        )
        | None => None,
    };
    Ok(Came {
        answer,
        sequence,
        garble,
    })
}

/// Does what is asked as far as the fault's effect lets it be done.
async fn under(
    shared: &Shared,
    heard: &Heard,
    effect: Option<&Effect>,
    refused: Option<Refusal>,
) -> (Result<Value, Refusal>, Outcome) {
    if let Some(Effect::Hang | Effect::CutBefore) = effect {
        return (Ok(Value::Null), Outcome::Lost);
    }
    if let Some(delay) = effect.and_then(Effect::delay) {
        tokio::time::sleep(delay).await;
    }
    if let Some(Effect::Overtaken { operation, input }) = effect {
        overtake(shared, heard, operation, input).await;
    }
    let Heard {
        asked,
        caller,
        region,
    } = heard;
    let answer = match refused.or_else(|| effect?.refusal(&heard.subject())) {
        Some(refusal) => Err(refusal),
        None => {
            shared
                .run(caller, region, |call| dispatch(call, asked))
                .await
        }
    };
    let outcome = match (&answer, effect) {
        (Ok(_), Some(Effect::CutAfter | Effect::HangAfter)) => Outcome::DoneUnanswered,
        (Ok(_), _) => Outcome::Done,
        (Err(it), _) => Outcome::Refused(it.code.clone()),
    };
    (answer, outcome)
}

/// Does what somebody else of the account asks of the same service.
async fn overtake(shared: &Shared, heard: &Heard, operation: &str, input: &Value) {
    let account = &heard.caller.account;
    let other = Heard {
        asked: Asked {
            operation: operation.to_owned(),
            input: input.clone(),
            ..heard.asked.clone()
        },
        caller: Caller {
            account: account.clone(),
            arn: format!("arn:aws:iam::{account}:user/somebody-else"),
            ..Caller::default()
        },
        region: heard.region.clone(),
    };
    let Heard {
        asked,
        caller,
        region,
    } = &other;
    let answer = shared.run(caller, region, |call| dispatch(call, asked));
    let outcome = match answer.await {
        Ok(_) => Outcome::Done,
        Err(refusal) => Outcome::Refused(refusal.code),
    };
    let entry = other.entry(shared.clock().now(), outcome, None);
    shared.journal().write(entry);
}

fn dispatch(call: &mut Call<'_>, asked: &Asked) -> Answer {
    match asked.service {
        Service::Ecr => ecr::answer(call, &asked.operation, &asked.input),
        Service::Sts => sts::answer(call, &asked.operation, &asked.input),
        Service::Tagging => tagging::answer(call, &asked.operation, &asked.input),
        Service::Registry => data_plane::answer(call, &asked.operation, &asked.input, &asked.body),
        Service::Iam => simulate::answer(call, &asked.operation, &asked.input),
    }
}
