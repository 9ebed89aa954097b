//! What was asked and what came of it, request by request.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;

/// The journal keeps this many entries; older ones are forgotten.
const MOST: usize = 200_000;
/// Texts longer than this, such as parts of layers, are cut.
const LONGEST: usize = 4096;

/// One request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Counts from 1 without gaps, also over what was forgotten.
    pub sequence: u64,
    /// When, by the emulator's clock.
    pub time: Timestamp,
    /// The caller's account; empty where the caller is unknown.
    pub account: String,
    /// The region that was asked.
    pub region: String,
    /// `ecr`, `sts`, `tagging`, `iam` or, for the data plane, `registry`.
    pub service: String,
    /// The operation, for example `CreateRepository`, or method and path on the data plane.
    pub operation: String,
    /// The caller's ARN.
    pub caller: String,
    /// What was said.
    pub parameters: Value,
    /// What came of it.
    pub outcome: Outcome,
    /// The fault rule's effect, where one took part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// What came of a request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused, with this error code.
    Refused(String),
    /// No answer was sent and nothing was done.
    Lost,
    /// It was done, but no answer was sent.
    DoneUnanswered,
}

/// The requests so far.
#[derive(Debug, Default)]
pub struct Journal {
    written: Mutex<Written>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Written {
    entries: std::collections::VecDeque<Entry>,
    last: u64,
}

impl Journal {
    /// All entries, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.since(0)
    }

    /// The entries after the one with this sequence number.
    pub fn since(&self, sequence: u64) -> Vec<Entry> {
        let written = self.written();
        written
            .entries
            .iter()
            .filter(|it| it.sequence > sequence)
            .cloned()
            .collect()
    }

    /// The sequence number of the last entry; 0 where there is none.
    pub fn last(&self) -> u64 {
        self.written().last
    }

    /// All entries, oldest first, which are forgotten. Sequence numbers go on.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.written().entries).into()
    }

    /// Forgets all entries. Sequence numbers go on.
    pub fn clear(&self) {
        self.written().entries.clear();
    }

    /// Waits until the journal has an entry that satisfies `wanted`, and returns it.
    pub async fn wait_for(&self, wanted: impl Fn(&Entry) -> bool) -> Entry {
        loop {
            let mut news = std::pin::pin!(self.news.notified());
            news.as_mut().enable();
            if let Some(it) = self.written().entries.iter().find(|it| wanted(it)) {
                return it.clone();
            }
            news.await;
        }
    }

    /// Writes an entry, gives it its sequence number and returns that.
    pub(crate) fn write(&self, mut entry: Entry) -> u64 {
        shorten(&mut entry.parameters);
        let mut written = self.written();
        written.last += 1;
        let sequence = written.last;
        entry.sequence = sequence;
        if written.entries.len() == MOST {
            written.entries.pop_front();
        }
        written.entries.push_back(entry);
        drop(written);
        self.news.notify_waiters();
        sequence
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Whether the request asked for a change, judging by its operation's name.
    pub fn is_write(&self) -> bool {
        let reads = [
            "Describe",
            "Get",
            "List",
            "BatchGet",
            "BatchCheck",
            "Validate",
            "StartLifecyclePolicyPreview", // it computes, and changes no image and no policy
            "AssumeRole",
            "Head",
            "Ping",
        ];
        !reads.iter().any(|it| self.operation.starts_with(it)) && self.service != "iam"
    }
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(it) if it.len() > LONGEST => {
            let end = it.floor_char_boundary(LONGEST);
            *it = format!("{}… ({} bytes)", &it[..end], it.len());
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(members) => members.values_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
