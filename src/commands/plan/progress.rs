//! What a person waiting for AWS to be read is shown, where standard error is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use super::asked::Place;
use crate::domain::Registry;

/// How many targets were looked at, of how many.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// The beginning of looking at `places`.
    pub(super) fn of<'a>(places: impl Iterator<Item = &'a Place>) -> Self {
        let wanted = places.flat_map(|it| it.registries.values());
        let targets: usize = wanted.map(|it| it.repositories.len()).sum();
        let bar = ProgressBar::new(u64::try_from(targets).unwrap_or(u64::MAX));
        let style =
            ProgressStyle::with_template("{pos} of {len} repositories read {wide_bar} {msg}");
        bar.set_style(style.expect("a constant template is one"));
        Self(bar)
    }

    /// One more was looked at.
    pub(super) fn read(&self, registry: &Registry) {
        self.0.set_message(registry.to_string());
        self.0.inc(1);
    }

    /// The end; the line is taken away.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
