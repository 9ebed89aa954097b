//! Annotations of a GitHub workflow: a warning for each reference to rewrite, a notice for each that
//! is left.
//! <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>

use std::io::{self, Write};

use super::finding::{File, Outcome};

/// A line for each finding that is not in step.
pub(super) fn file(file: &File, out: &mut impl Write) -> io::Result<()> {
    for finding in &file.findings {
        let (level, message) = match &finding.outcome {
            Outcome::Rewritten { target, rule, .. } => (
                "warning",
                format!("{} is to be {target} ({rule})", finding.text.trim()),
            ),
            Outcome::Left(why) => (
                "notice",
                format!("{} is left: {}", finding.text.trim(), why.explanation()),
            ),
            Outcome::InStep => continue,
        };
        writeln!(
            out,
            "::{level} file={},line={},title=ecr-operator ({})::{}",
            property(&file.path),
            finding.line,
            finding.outcome.reason(),
            data(&message)
        )?;
    }
    Ok(())
}

/// A message, escaped as GitHub's toolkit does.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property's value, in which commas and colons mean something.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
