//! How findings are told, one file after the other.

use std::io;

use super::finding::File;
use super::summary::Summary;
use super::{Arguments, OutputFormat, full, github, json, pr_body, sarif, told};

/// Tells files as they come, and at the end what they come to.
pub(super) enum Printer {
    /// For people.
    Full(full::Full),
    /// For programs.
    Json,
    /// For GitHub.
    Github,
    /// For code scanning.
    Sarif(sarif::Log),
    /// For the pull request.
    PrBody(pr_body::Body),
}

impl Printer {
    /// The one that is asked for.
    pub(super) fn of(arguments: &Arguments) -> Self {
        if arguments.pr_body {
            return Self::PrBody(pr_body::Body::default());
        }
        match arguments.output_format {
            OutputFormat::Full => Self::Full(full::Full::new(super::coloured())),
            OutputFormat::Json => Self::Json,
            OutputFormat::Github => Self::Github,
            OutputFormat::Sarif => Self::Sarif(sarif::Log::default()),
        }
    }

    /// Tells one file, or keeps what is told at the end.
    pub(super) fn file(&mut self, file: &File) -> anyhow::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        told(
            match self {
                Self::Full(full) => full.file(file, &mut out),
                Self::Json => json::file(file, &mut out),
                Self::Github => github::file(file, &mut out),
                Self::Sarif(log) => {
                    log.add(file);
                    Ok(())
                }
                Self::PrBody(body) => {
                    body.add(file);
                    Ok(())
                }
            }
            .and_then(|()| io::Write::flush(&mut out)),
        )
    }

    /// Tells what it comes to.
    pub(super) fn end(&mut self, summary: &Summary) -> anyhow::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        told(
            match self {
                Self::Full(full) => full.end(summary, &mut out),
                Self::Json => json::end(summary, &mut out),
                Self::Github => Ok(()),
                Self::Sarif(log) => log.end(&mut out),
                Self::PrBody(body) => body.end(summary, &mut out),
            }
            .and_then(|()| io::Write::flush(&mut out)),
        )
    }
}
