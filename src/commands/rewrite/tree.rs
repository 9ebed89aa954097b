//! The files of a repository, read by as many threads as there are cores and told in the order of
//! their paths.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

use super::finding::{self, File};
use super::overrides::Overrides;
use super::repository::{Entry, Repository};
use super::rulebook::Rulebook;
use crate::commands::contents::{self, Contents};
use crate::manifest::{self, Overlay};

/// How many files a thread takes at once: few enough that none waits at the end, and enough that
/// they seldom wait for each other.
const BATCH: usize = 32;
/// How many bytes of texts are kept between two looks.
const MOST_HELD: usize = 64 << 20;

/// What came of one path.
pub(super) enum Seen {
    /// Nothing in it names an image.
    Nothing,
    /// It names images.
    File(File),
    /// It could not be read; the word was said on standard error.
    Unread,
}

/// Looks at every file that was asked for, and hands over each that names images, in order of the
/// paths.
pub(super) fn examine(
    repository: &Repository,
    held: Vec<Held>,
    book: &Rulebook,
    mut each: impl FnMut(File) -> anyhow::Result<()>,
) -> anyhow::Result<Counts> {
    let entries = repository.asked();
    let progress = progress(entries.len());
    let mut counts = Counts {
        looked_at: entries.len(),
        unread: 0,
    };
    let mut held = held.into_iter();
    let batches = entries.chunks(BATCH).enumerate();
    let batches = batches.map(|(at, entries)| {
        let held: Vec<Held> = held.by_ref().take(entries.len()).collect();
        (at, entries, held)
    });
    let batches = Mutex::new(batches);
    thread::scope(|scope| {
        let (told, tell) = mpsc::sync_channel(64);
        for _ in 0..threads() {
            let told = told.clone();
            let batches = &batches;
            scope.spawn(move || work(batches, book, &told));
        }
        drop(told);
        let (mut waiting, mut due) = (BTreeMap::new(), 0);
        for (at, batch) in tell {
            waiting.insert(at, batch);
            while let Some(batch) = waiting.remove(&due) {
                due += 1;
                for seen in batch {
                    progress.inc(1);
                    match seen {
                        Seen::Nothing => {}
                        Seen::File(file) => each(file)?,
                        Seen::Unread => counts.unread += 1,
                    }
                }
            }
        }
        progress.finish_and_clear();
        anyhow::Ok(())
    })?;
    Ok(counts)
}

/// What one look at every file has told.
pub(super) struct Survey {
    /// What kustomizations override, and where.
    pub(super) overrides: Overrides,
    /// What is known of each file that was asked for, in order.
    pub(super) held: Vec<Held>,
}

/// What is known of a file after the first look.
pub(super) enum Held {
    /// Nothing in it names an image.
    Silent,
    /// Its text, so that it need not be read again.
    Text(Vec<u8>),
    /// It is larger than any that people edit, and is not read.
    TooLarge,
    /// It is read again: it could not be read, or there was no room for it.
    Unread,
}

/// Looks at every file of the repository for what overrides images in others, and keeps the texts
/// that were asked for as long as there is room.
pub(super) fn survey(repository: &Repository) -> Survey {
    let entries = repository.entries();
    let asked = repository.asked_range();
    let (next, room) = (AtomicUsize::new(0), AtomicUsize::new(MOST_HELD));
    let look = |at: usize, entry: &Entry, overlays: &mut Vec<(String, Overlay)>| {
        // A file that cannot be read is told when its turn comes.
        let bytes = match contents::read(&entry.path) {
            Ok(Contents::Bytes(bytes)) => bytes,
            Ok(Contents::TooLarge) => return Held::TooLarge,
            Err(_) => return Held::Unread,
        };
        if manifest::is_silent(&entry.name, &bytes) {
            return Held::Silent;
        }
        if let Some(document) = manifest::read_overlays(&entry.name, &bytes) {
            let is_empty = document.is_empty();
            let found = document.overlays.into_iter();
            overlays.extend(found.map(|it| (entry.name.clone(), it)));
            if is_empty {
                return Held::Silent;
            }
        }
        let left = |it: usize| it.checked_sub(bytes.len());
        let may_hold = || room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        match asked.contains(&at) && may_hold().is_ok() {
            true => Held::Text(bytes),
            false => Held::Unread,
        }
    };
    let work = || {
        let (mut held, mut overlays) = (Vec::new(), Vec::new());
        loop {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            let Some(rest) = entries.get(first..).filter(|it| !it.is_empty()) else {
                return (held, overlays);
            };
            for (i, entry) in rest.iter().take(BATCH).enumerate() {
                let looked = look(first + i, entry, &mut overlays);
                if asked.contains(&(first + i)) {
                    held.push((first + i, looked));
                }
            }
        }
    };
    let (mut held, mut overlays) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads()).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (of_one, found) = worker.join().expect("a worker that reads does not panic");
            held.extend(of_one);
            overlays.extend(found);
        }
    });
    held.sort_by_key(|(at, _)| *at);
    let files: Vec<&str> = entries.iter().map(|it| it.name.as_str()).collect();
    Survey {
        overrides: Overrides::new(&overlays, &files),
        held: held.into_iter().map(|(_, it)| it).collect(),
    }
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// How many files were looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    /// All that could name images.
    pub(super) looked_at: usize,
    /// Those that could not be read.
    pub(super) unread: usize,
}

fn work<'a>(
    batches: &Mutex<impl Iterator<Item = (usize, &'a [Entry], Vec<Held>)>>,
    book: &Rulebook,
    told: &mpsc::SyncSender<(usize, Vec<Seen>)>,
) {
    let next = || {
        let mut batches = batches.lock().unwrap_or_else(PoisonError::into_inner);
        batches.next()
    };
    while let Some((at, entries, held)) = next() {
        let files = entries.iter().zip(held);
        let seen = files.map(|(entry, held)| match held {
            Held::Silent => Seen::Nothing,
            Held::Text(bytes) => seen(finding::examine(&entry.name, &bytes, book)),
            Held::TooLarge => seen(finding::too_large(&entry.name, book)),
            Held::Unread => look(&entry.path, &entry.name, book),
        });
        // Nobody listens any more where telling has failed.
        if told.send((at, seen.collect())).is_err() {
            return;
        }
    }
}

fn look(path: &Path, named: &str, book: &Rulebook) -> Seen {
    match contents::read(path) {
        Ok(Contents::Bytes(bytes)) => seen(finding::examine(named, &bytes, book)),
        Ok(Contents::TooLarge) => seen(finding::too_large(named, book)),
        Err(error) => {
            eprintln!("warning: {named}: {error}; it was not looked at");
            Seen::Unread
        }
    }
}

fn seen(file: Option<File>) -> Seen {
    file.map_or(Seen::Nothing, Seen::File)
}

fn progress(files: usize) -> ProgressBar {
    // Drawn between the lines of a diff it would only disturb.
    if !std::io::stderr().is_terminal() || std::io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{pos} of {len} files {wide_bar}");
    let bar = ProgressBar::new(u64::try_from(files).unwrap_or(u64::MAX));
    bar.with_style(style.expect("a constant template is one"))
}
