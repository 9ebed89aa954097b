//! Answers that are not what came of a request: a proxy's, one cut short, one of a newer ECR, or the
//! same documents told in another order.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::protocol::Reply;

/// What is answered in place of what came of a request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Garble {
    /// The first half of it.
    Truncate,
    /// This, as a proxy answers.
    Replace {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The same with this word in place of that.
    Reword {
        /// The word that it has.
        from: String,
        /// The word that is told.
        to: String,
    },
    /// The same with the statements of policies, their actions and principals in an order that is
    /// another one each time.
    Shuffle,
}

impl Garble {
    /// What is told in place of `reply`, as the answer to the request of this number.
    pub(crate) fn apply(&self, mut reply: Reply, sequence: u64) -> Reply {
        match self {
            Self::Truncate => {
                let half = reply.body.floor_char_boundary(reply.body.len() / 2);
                reply.body.truncate(half);
            }
            Self::Replace { status, body } => {
                reply.status = *status;
                reply.content_type = "text/html";
                reply.body.clone_from(body);
            }
            Self::Reword { from, to } => reply.body = reply.body.replace(from.as_str(), to),
            Self::Shuffle => {
                if let Ok(mut answer) = serde_json::from_str(&reply.body) {
                    shuffle(&mut answer, sequence);
                    reply.body = answer.to_string();
                }
            }
        }
        reply
    }
}

/// Turns every list of a policy document in `answer` round by `sequence`.
fn shuffle(answer: &mut Value, sequence: u64) {
    let Some(text) = answer.get_mut("policyText") else {
        return;
    };
    let document = text.as_str().and_then(|it| serde_json::from_str(it).ok());
    if let Some(mut document) = document {
        turn(&mut document, sequence);
        *text = Value::String(Value::to_string(&document));
    }
}

fn turn(value: &mut Value, sequence: u64) {
    match value {
        Value::Array(items) => {
            let by = usize::try_from(sequence).unwrap_or_default() % items.len().max(1);
            items.rotate_left(by);
            items.iter_mut().for_each(|it| turn(it, sequence));
        }
        Value::Object(members) => members.values_mut().for_each(|it| turn(it, sequence)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
