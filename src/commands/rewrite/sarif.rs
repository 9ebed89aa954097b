//! SARIF 2.1.0, as code scanning takes it.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::finding::{File, Outcome};

/// The results so far, and the reasons that they name.
#[derive(Default)]
pub(super) struct Log {
    rules: BTreeMap<&'static str, &'static str>,
    results: Vec<Value>,
}

impl Log {
    /// Takes in a file's findings that are not in step.
    pub(super) fn add(&mut self, file: &File) {
        for finding in &file.findings {
            let (level, message) = match &finding.outcome {
                Outcome::Rewritten { target, .. } => (
                    "warning",
                    format!("{} is to be {target}", finding.text.trim()),
                ),
                Outcome::Left(why) => (
                    "note",
                    format!("{} is left: {}", finding.text.trim(), why.explanation()),
                ),
                Outcome::InStep => continue,
            };
            let reason = finding.outcome.reason();
            self.rules.insert(reason, finding.outcome.explanation());
            self.results.push(json!({
                "ruleId": reason,
                "level": level,
                "message": {"text": message},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": file.path},
                    "region": {"startLine": finding.line},
                }}],
            }));
        }
    }

    /// Prints the log.
    pub(super) fn end(&self, out: &mut impl Write) -> io::Result<()> {
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|(id, text)| json!({"id": id, "shortDescription": {"text": text}}))
            .collect();
        let log = json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "ecr-operator",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                }},
                "results": self.results,
            }],
        });
        writeln!(out, "{log:#}")
    }
}
