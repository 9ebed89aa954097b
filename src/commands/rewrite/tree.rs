//! The files of a repository as Git sees them, read by as many threads as there are cores and told in
//! the order of their paths.

use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::Context as _;
use ignore::{WalkBuilder, WalkState};
use indicatif::{ProgressBar, ProgressStyle};

use super::finding::{self, File};
use super::overrides::Overrides;
use super::rulebook::Rulebook;
use crate::manifest::{self, Overlay};

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

/// Looks at every file below `root`, or at `root` alone if it is one, and hands over each that names
/// images, in order of the paths.
pub(super) fn examine(
    (root, paths, survey): (&Path, &[PathBuf], &Survey),
    book: &Rulebook,
    mut each: impl FnMut(File) -> anyhow::Result<()>,
) -> anyhow::Result<Counts> {
    let progress = progress(paths.len());
    let mut counts = Counts {
        looked_at: paths.len(),
        unread: 0,
    };
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (told, tell) = mpsc::sync_channel(1024);
        for _ in 0..threads() {
            let told = told.clone();
            let next = &next;
            scope.spawn(move || work((root, paths, survey), next, book, &told));
        }
        drop(told);
        let (mut waiting, mut due) = (BTreeMap::new(), 0);
        for (at, seen) in tell {
            waiting.insert(at, seen);
            while let Some(seen) = waiting.remove(&due) {
                due += 1;
                progress.inc(1);
                match seen {
                    Seen::Nothing => {}
                    Seen::File(file) => each(file)?,
                    Seen::Unread => counts.unread += 1,
                }
            }
        }
        progress.finish_and_clear();
        anyhow::Ok(())
    })?;
    Ok(counts)
}

/// What one look at every file has told: what kustomizations override, and which files are worth
/// another look.
pub(super) struct Survey {
    /// What kustomizations override, and where.
    pub(super) overrides: Overrides,
    held: Vec<Held>,
}

/// What is known of a file after the first look.
enum Held {
    /// Nothing in it names an image.
    Silent,
    /// Its text, so that it need not be read again.
    Text(Vec<u8>),
    /// It is read again: it could not be read, or there was no room for it.
    Unread,
}

/// Looks at every file for what overrides images in others, and keeps texts as long as there is room.
pub(super) fn survey(root: &Path, paths: &[PathBuf]) -> Survey {
    let (next, room) = (AtomicUsize::new(0), AtomicUsize::new(MOST_HELD));
    let look = |path: &Path, overlays: &mut Vec<(String, Overlay)>| {
        // A file that cannot be read is told when its turn comes.
        let Ok(bytes) = fs::read(located(root, path)) else {
            return Held::Unread;
        };
        let named = named(root, path);
        if manifest::is_silent(&named, &bytes) {
            return Held::Silent;
        }
        let found = manifest::overlays(&named, &bytes).into_iter();
        overlays.extend(found.map(|it| (named.clone(), it)));
        let left = |it: usize| it.checked_sub(bytes.len());
        match room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left) {
            Ok(_) => Held::Text(bytes),
            Err(_) => Held::Unread,
        }
    };
    let work = || {
        let (mut held, mut overlays) = (Vec::new(), Vec::new());
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(at) else {
                return (held, overlays);
            };
            held.push((at, look(path, &mut overlays)));
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
    let mut files: Vec<String> = paths.iter().map(|it| named(root, it)).collect();
    files.sort();
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

fn work(
    (root, paths, survey): (&Path, &[PathBuf], &Survey),
    next: &AtomicUsize,
    book: &Rulebook,
    told: &mpsc::SyncSender<(usize, Seen)>,
) {
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(path) = paths.get(at) else { return };
        let named = named(root, path);
        let seen = match survey.held.get(at) {
            Some(Held::Silent) => Seen::Nothing,
            Some(Held::Text(bytes)) => seen(&named, bytes, book),
            Some(Held::Unread) | None => look(&located(root, path), &named, book),
        };
        // Nobody listens any more where telling has failed.
        if told.send((at, seen)).is_err() {
            return;
        }
    }
}

fn look(path: &Path, named: &str, book: &Rulebook) -> Seen {
    match fs::read(path) {
        Ok(bytes) => seen(named, &bytes, book),
        Err(error) => {
            eprintln!("warning: {named}: {error}; it was not looked at");
            Seen::Unread
        }
    }
}

fn seen(named: &str, bytes: &[u8], book: &Rulebook) -> Seen {
    finding::examine(named, bytes, book).map_or(Seen::Nothing, Seen::File)
}

/// Where a path leads: the root itself where that is one file.
pub(super) fn located(root: &Path, path: &Path) -> PathBuf {
    match path.as_os_str().is_empty() {
        true => root.to_owned(),
        false => root.join(path),
    }
}

/// A path as it is told: with slashes, and the file's own name where the root is the file.
fn named(root: &Path, path: &Path) -> String {
    let path = if path.as_os_str().is_empty() {
        root
    } else {
        path
    };
    path.to_string_lossy().replace('\\', "/")
}

/// The files that could name images, relative to `root`, in order. Links are not followed: what they
/// lead to is a file of its own or outside of the tree.
pub(super) fn paths(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let about = fs::metadata(root).with_context(|| format!("read {}", root.display()))?;
    if !about.is_dir() {
        return Ok(vec![PathBuf::new()]);
    }
    let found = Mutex::new(Vec::new());
    let walk = WalkBuilder::new(root)
        .hidden(false) // .github, .gitlab-ci.yml
        .ignore(false)
        .git_global(false)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|it| it.file_name() != ".git")
        .build_parallel();
    walk.run(|| {
        Box::new(|entry| {
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|it| it.is_file()) => {
                    let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
                    if manifest::may_read(&path.to_string_lossy()) {
                        let mut found = found
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner);
                        found.push(path.to_owned());
                    }
                }
                Ok(_) => {}
                Err(error) => eprintln!("warning: {error}"),
            }
            WalkState::Continue
        })
    });
    let mut found = found
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort();
    Ok(found)
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
