//! For people: a unified diff, what is left and why, and a table.

use std::collections::BTreeMap;
use std::io::{self, Write};

use similar::TextDiff;

use super::finding::{Edit, File, Outcome, Why};
use super::summary::{Row, Summary};

/// Lines of context around a change, as `diff -u` has them.
const CONTEXT: usize = 3;

/// What is told at the end, and how.
pub(super) struct Full {
    coloured: bool,
    left: BTreeMap<Why, Vec<String>>,
}

impl Full {
    /// With colours or without.
    pub(super) fn new(coloured: bool) -> Self {
        let left = BTreeMap::new();
        Self { coloured, left }
    }

    /// Prints the file's diff, and keeps what is left in it.
    pub(super) fn file(&mut self, file: &File, out: &mut impl Write) -> io::Result<()> {
        for finding in &file.findings {
            if let Outcome::Left(why) = finding.outcome {
                let line = format!("{}:{}  {}", file.path, finding.line, finding.text.trim());
                self.left.entry(why).or_default().push(line);
            }
        }
        match &file.edit {
            Some(edit) => self.diff(&file.path, edit, out),
            None => Ok(()),
        }
    }

    fn diff(&self, path: &str, edit: &Edit, out: &mut impl Write) -> io::Result<()> {
        let diff = TextDiff::from_lines(&edit.before, &edit.after);
        let mut diff = diff.unified_diff();
        diff.context_radius(CONTEXT)
            .header(&format!("a/{path}"), &format!("b/{path}"));
        if !self.coloured {
            return diff.to_writer(out);
        }
        for line in diff.to_string().split_inclusive('\n') {
            let colour = match line.as_bytes().first() {
                Some(b'+') => "\x1b[32m",
                Some(b'-') => "\x1b[31m",
                Some(b'@') => "\x1b[36m",
                _ => "",
            };
            let end = if colour.is_empty() { "" } else { "\x1b[0m" };
            write!(out, "{colour}{line}{end}")?;
        }
        Ok(())
    }

    /// Prints what is left, by reason, and the table.
    pub(super) fn end(&self, summary: &Summary, out: &mut impl Write) -> io::Result<()> {
        for (why, lines) in &self.left {
            writeln!(out, "\nleft [{}] {}", why.as_str(), why.explanation())?;
            for line in lines {
                writeln!(out, "  {line}")?;
            }
        }
        let titles = ["files", "rewritten", "in step", "left"].map(|it| format!("{it:>11}"));
        writeln!(out, "\n{:<18}{}", "", titles.concat())?;
        for (format, row) in &summary.formats {
            write_row(format.as_str(), *row, out)?;
        }
        write_row("Total", summary.total(), out)?;
        writeln!(
            out,
            "\n{} files looked at in {:.1} s{}. {}",
            summary.looked_at,
            summary.elapsed.as_secs_f64(),
            match summary.unread {
                0 => String::new(),
                unread => format!(", {unread} of them not read"),
            },
            closing(summary)
        )
    }
}

fn write_row(name: &str, row: Row, out: &mut impl Write) -> io::Result<()> {
    let Row {
        files,
        rewritten,
        in_step,
        left,
    } = row;
    writeln!(
        out,
        "{name:<18}{files:>11}{rewritten:>11}{in_step:>11}{left:>11}"
    )
}

fn closing(summary: &Summary) -> &'static str {
    match (summary.rewritten(), summary.written) {
        (0, _) => "There is nothing to rewrite.",
        (_, true) => "The files were changed.",
        (_, false) => {
            "Nothing was written: --write applies it, --pr-body prints the text of the pull request."
        }
    }
}
