//! For programs: one JSON object a line, each with its `schemaVersion`.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::finding::{File, Finding, Outcome};
use super::summary::Summary;

/// Raised when a field changes its meaning; new fields do not raise it.
const SCHEMA_VERSION: u32 = 1;

/// A line for each finding.
pub(super) fn file(file: &File, out: &mut impl Write) -> io::Result<()> {
    file.findings
        .iter()
        .try_for_each(|it| writeln!(out, "{}", finding(file, it)))
}

/// The last line.
pub(super) fn end(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    let total = summary.total();
    let line = json!({
        "schemaVersion": SCHEMA_VERSION,
        "kind": "Summary",
        "filesLookedAt": summary.looked_at,
        "filesNotRead": summary.unread,
        "files": total.files,
        "rewritten": total.rewritten,
        "inStep": total.in_step,
        "left": total.left,
        "written": summary.written,
        "seconds": summary.elapsed.as_secs_f64(),
    });
    writeln!(out, "{line}")
}

fn finding(file: &File, finding: &Finding) -> Value {
    let mut line = json!({
        "schemaVersion": SCHEMA_VERSION,
        "kind": "Finding",
        "path": file.path,
        "line": finding.line,
        "format": file.format.as_str(),
        "image": finding.text.trim(),
        "environment": finding.environment,
        "outcome": match finding.outcome {
            Outcome::Rewritten { .. } => "Rewritten",
            Outcome::InStep => "InStep",
            Outcome::Left(_) => "Left",
        },
        "reason": finding.outcome.reason(),
        "explanation": finding.outcome.explanation(),
    });
    if let Outcome::Rewritten { target, rule, .. } = &finding.outcome {
        line["target"] = json!(target);
        line["rule"] = json!(rule.to_string());
    }
    line
}
