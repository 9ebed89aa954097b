//! What the demo shows: lines as things happen, tables where people look, and at the end the list of
//! what was seen. Progress of long waits goes to standard error, where it leaves no trace in a pipe.

use std::time::{Duration, Instant};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};

/// One thing that the demo set out to show.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// What, in one line.
    pub(super) what: String,
    /// How long it took.
    pub(super) took: Duration,
}

/// A chapter's title.
pub(super) fn title(text: &str) {
    println!("\n{text}");
}

/// One fact.
pub(super) fn line(text: &str) {
    println!("  {text}");
}

/// A table with a header.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|it| (*it).to_owned()));
    for row in rows {
        table.add_row(row);
    }
    for line in table.lines() {
        println!(" {}", line.trim_end());
    }
}

/// A wait that shows how far it is.
pub(super) struct Wait {
    bar: ProgressBar,
    began: Instant,
}

impl Wait {
    /// Begins waiting for `what`.
    pub(super) fn begin(what: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("  {spinner} {prefix} {msg} {elapsed}")
            .expect("the template above is well formed");
        bar.set_style(style);
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            bar,
            began: Instant::now(),
        }
    }

    /// Says how far it is.
    pub(super) fn at(&self, progress: String) {
        self.bar.set_message(progress);
    }

    /// What was waited for has come.
    pub(super) fn end(self, what: String) -> Seen {
        self.bar.finish_and_clear();
        let took = self.began.elapsed();
        line(&format!("{what}   {}", spoken(took)));
        Seen { what, took }
    }
}

/// The last screen. `failure` is what was not seen, and why.
pub(super) fn summary(seen: &[Seen], of: usize, failure: Option<&anyhow::Error>) {
    title("What you saw");
    table(
        &["", "", ""],
        seen.iter()
            .map(|it| vec!["✔".to_owned(), it.what.clone(), spoken(it.took)]),
    );
    if let Some(failure) = failure {
        println!("  ✘ {failure:#}");
    }
    println!("\n{} of {of} observed", seen.len());
}

/// A duration as people say it.
pub(super) fn spoken(duration: Duration) -> String {
    if duration < Duration::from_mins(1) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!(
            "{} m {} s",
            duration.as_secs() / 60,
            duration.as_secs() % 60
        )
    }
}
