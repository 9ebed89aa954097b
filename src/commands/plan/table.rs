//! A plan for people: a block an object, a line a difference, and what it comes to.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::report::{Kind, Object, Outcome, Refused, Report, Row};
use crate::domain::repository::Difference;

/// The widths of what stands before the mark of a line.
struct Columns {
    environment: usize,
    place: usize,
    field: usize,
}

/// Writes the plan; objects that are in step only if `all` are asked for.
pub(super) fn write(report: &Report, all: bool, out: &mut impl Write) -> io::Result<()> {
    let shown = report.objects.iter().filter(|it| all || !it.is_in_step());
    let shown: Vec<&Object> = shown.collect();
    let columns = Columns::of(&shown);
    for object in &shown {
        match object.kind {
            Kind::ImageRepository => writeln!(out, "{}", object.name)?,
            kind => writeln!(out, "{} {}", kind.as_str(), object.name)?,
        }
        for row in &object.rows {
            columns.write(row, out)?;
        }
    }
    if !shown.is_empty() {
        writeln!(out)?;
    }
    write_unread(report, out)?;
    write_closing(report, out)
}

impl Columns {
    fn of(objects: &[&Object]) -> Self {
        let rows = || objects.iter().flat_map(|it| &it.rows);
        let differences = rows().flat_map(|it| &it.differences);
        Self {
            environment: rows().map(|it| it.environment.len()).max().unwrap_or(0),
            place: rows().map(|it| it.place().1.len()).max().unwrap_or(0),
            field: differences.map(|it| it.field.len()).max().unwrap_or(0),
        }
    }

    fn write(&self, row: &Row, out: &mut impl Write) -> io::Result<()> {
        let place = format!(
            "  {:environment$}  {:place$}  ",
            row.environment,
            row.place().1,
            environment = self.environment,
            place = self.place,
        );
        let blank = " ".repeat(place.len());
        for (i, line) in self.lines(row).iter().enumerate() {
            let before = if i == 0 { &place } else { &blank };
            writeln!(out, "{}", format!("{before}{line}").trim_end())?;
        }
        Ok(())
    }

    /// What is said of a target, each line with its mark.
    fn lines(&self, row: &Row) -> Vec<String> {
        let of_target = row.refused.iter().filter(|it| it.field.is_none());
        let mut lines = Vec::new();
        for it in of_target {
            let mark = match row.outcome {
                Outcome::Unread => '?',
                Outcome::Suspended => '=',
                _ => '!',
            };
            lines.push(format!("{mark}  {}  [{:?}]", it.message, it.reason));
        }
        match row.outcome {
            Outcome::InStep => lines.push("=".to_owned()),
            Outcome::Create => lines.push(format!("+  {}", row.made.join(", "))),
            Outcome::Delete => lines.push(format!("-  {}", row.made.join(", "))),
            Outcome::Change | Outcome::Observe | Outcome::Refused => {
                for difference in &row.differences {
                    self.difference(row, difference, &mut lines);
                }
            }
            Outcome::Unread | Outcome::Suspended => {}
        }
        lines
    }

    fn difference(&self, row: &Row, it: &Difference, lines: &mut Vec<String>) {
        let about = |refused: &&Refused| refused.field == Some(it.field);
        let refused = row.refused.iter().find(about);
        let mark = match refused {
            Some(_) => '!',
            // All of the target is refused: this is what would change if it were not.
            None if row.calls.is_empty() && row.outcome == Outcome::Refused => ' ',
            None => '~',
        };
        let Difference {
            field,
            observed,
            desired,
        } = it;
        let width = self.field;
        let mut line = format!("{mark}  {field:width$}  {observed} -> {desired}");
        match refused {
            Some(it) => {
                write!(line, "  [{:?}]", it.reason).expect("a text takes all");
                lines.push(line);
                lines.push(format!("   {}", it.message));
            }
            None if row.outcome == Outcome::Observe => lines.push(line + "  [Drifted]"),
            None => lines.push(line),
        }
        let mut previewed = row.previewed.iter().filter(|(field, _)| field == &it.field);
        lines.extend(previewed.next().map(|(_, message)| format!("   {message}")));
    }
}

fn write_unread(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for it in &report.unread {
        let (environment, registry, error) = (&it.environment, &it.registry, &it.error);
        let targets = counted(it.targets, "target");
        let reason = it.reason();
        writeln!(
            out,
            "Unread  {environment}  {registry}  {targets}: {error}  [{reason:?}]"
        )?;
    }
    Ok(())
}

fn write_closing(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let writes = report.writes();
    if !writes.is_empty() {
        let writes = writes.iter().map(|(call, count)| format!("{call} {count}"));
        writeln!(out, "Calls   {}", writes.collect::<Vec<_>>().join(", "))?;
    }
    let outcomes = report.outcomes();
    let said = outcomes.iter().map(|(outcome, count)| {
        let words = match outcome {
            Outcome::Create => "to create",
            Outcome::Change => "to change",
            Outcome::Delete => "to delete",
            Outcome::Observe => "left to another cluster",
            Outcome::Refused => "refused",
            Outcome::Unread => "not read",
            Outcome::Suspended => "suspended",
            Outcome::InStep => "in step",
        };
        format!("{count} {words}")
    });
    let said: Vec<String> = said.collect();
    let said = if said.is_empty() {
        "nothing is asked of AWS".to_owned()
    } else {
        said.join(", ")
    };
    writeln!(out, "Plan    {said}")?;
    writeln!(
        out,
        "        {} in {}, read with {} in {:.1} s. Nothing was written.",
        counted(report.objects.len(), "object"),
        counted(report.registries, "registry"),
        counted(usize::try_from(report.calls).unwrap_or(usize::MAX), "call"),
        report.elapsed.as_secs_f64(),
    )
}

/// `1 object`, `2 registries`.
fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}
