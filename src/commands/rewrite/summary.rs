//! How many of what, by format.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{File, Outcome};
use super::tree::Counts;
use crate::manifest::Format;

/// The totals of a run.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// By format.
    pub(super) formats: BTreeMap<Format, Row>,
    /// Files that could name images.
    pub(super) looked_at: usize,
    /// Files that could not be read.
    pub(super) unread: usize,
    /// How long it took.
    pub(super) elapsed: Duration,
    /// Whether the files were changed.
    pub(super) written: bool,
}

/// The findings of one format.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Row {
    /// Files that name images.
    pub(super) files: usize,
    /// References that are rewritten.
    pub(super) rewritten: usize,
    /// References that lead to ECR already.
    pub(super) in_step: usize,
    /// References that stay for a reason.
    pub(super) left: usize,
}

impl Summary {
    /// Takes in one file.
    pub(super) fn add(&mut self, file: &File) {
        let row = self.formats.entry(file.format).or_default();
        row.files += 1;
        for finding in &file.findings {
            match finding.outcome {
                Outcome::Rewritten { .. } => row.rewritten += 1,
                Outcome::InStep => row.in_step += 1,
                Outcome::Left(_) => row.left += 1,
            }
        }
    }

    /// All have been taken in.
    pub(super) fn end(&mut self, counts: Counts, elapsed: Duration, written: bool) {
        self.looked_at = counts.looked_at;
        self.unread = counts.unread;
        self.elapsed = elapsed;
        self.written = written;
    }

    /// References that are rewritten.
    pub(super) fn rewritten(&self) -> usize {
        self.formats.values().map(|it| it.rewritten).sum()
    }

    /// All formats together.
    pub(super) fn total(&self) -> Row {
        self.formats.values().fold(Row::default(), |sum, it| Row {
            files: sum.files + it.files,
            rewritten: sum.rewritten + it.rewritten,
            in_step: sum.in_step + it.in_step,
            left: sum.left + it.left,
        })
    }
}
