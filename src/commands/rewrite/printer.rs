//! How findings are told, one file after the other.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};

use anyhow::Context as _;

use super::finding::File;
use super::summary::Summary;
use super::{Arguments, OutputFormat, full, github, json, pr_body, sarif};

/// As much as is kept back where nobody watches: a write for each of many files costs more than what
/// it says.
const BLOCK: usize = 1 << 16;

/// Tells files as they come, and at the end what they come to.
pub(super) struct Printer {
    words: Words,
    out: BufWriter<Stdout>,
    /// Whether all that is told is seen at once. Elsewhere that is the first of it.
    is_watched: bool,
    has_begun: bool,
}

/// How it is told.
enum Words {
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
        Self {
            words: Words::of(arguments),
            out: BufWriter::with_capacity(BLOCK, io::stdout()),
            is_watched: io::stdout().is_terminal(),
            has_begun: false,
        }
    }

    /// Tells one file, or keeps what is told at the end.
    pub(super) fn file(&mut self, file: &File) -> anyhow::Result<()> {
        told(self.words.file(file, &mut self.out))?;
        if self.out.buffer().is_empty() || (self.has_begun && !self.is_watched) {
            return Ok(());
        }
        self.has_begun = true;
        self.flush()
    }

    /// Tells what it comes to.
    pub(super) fn end(&mut self, summary: &Summary) -> anyhow::Result<()> {
        told(self.words.end(summary, &mut self.out))?;
        self.flush()
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        told(self.out.flush())
    }
}

impl Words {
    fn of(arguments: &Arguments) -> Self {
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

    fn file(&mut self, file: &File, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Full(full) => full.file(file, out),
            Self::Json => json::file(file, out),
            Self::Github => github::file(file, out),
            Self::Sarif(log) => {
                log.add(file);
                Ok(())
            }
            Self::PrBody(body) => {
                body.add(file);
                Ok(())
            }
        }
    }

    fn end(&mut self, summary: &Summary, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Full(full) => full.end(summary, out),
            Self::Json => json::end(summary, out),
            Self::Github => Ok(()),
            Self::Sarif(log) => log.end(out),
            Self::PrBody(body) => body.end(summary, out),
        }
    }
}

/// Whoever reads may have seen enough.
fn told(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.context("print what was found"),
    }
}
