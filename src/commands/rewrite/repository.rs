//! The repository that a folder is in, and its files as Git sees them: what is ignored is passed over,
//! unless Git has it all the same. Paths count from the repository's root, wherever one stands in it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use anyhow::{Context as _, bail};
use ignore::{WalkBuilder, WalkState};

use super::environments;
use crate::manifest;

/// A repository, and what of it was asked for.
pub(super) struct Repository {
    root: PathBuf,
    entries: Vec<Entry>,
    asked: Range<usize>,
}

/// A file that may name images.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Entry {
    /// Its path below the root, with slashes: how it is told, and the order of all that is told.
    pub(super) name: String,
    /// Where it is.
    pub(super) path: PathBuf,
}

impl Repository {
    /// The files of the repository that `asked` is in, which may be a folder or one file.
    pub(super) fn around(asked: &Path) -> anyhow::Result<Self> {
        let reading = || format!("read {}", asked.display());
        let asked = fs::canonicalize(asked).with_context(reading)?;
        let is_folder = fs::metadata(&asked).with_context(reading)?.is_dir();
        let folder = match asked.parent() {
            Some(parent) if !is_folder => parent,
            Some(_) | None => &asked,
        };
        let root = folder.ancestors().find(|it| is_root(it)).unwrap_or(folder);
        let above = folder.ancestors().take_while(|it| it.starts_with(root));
        for it in above {
            if let Some(file) = endless_ignore(it) {
                bail!("read {}: it is too large or not a file", file.display());
            }
        }
        let mut entries = walk(root, root);
        // What was asked for is looked at, though Git may ignore it.
        match is_folder {
            true if asked != root => entries.extend(walk(root, &asked)),
            true => {}
            false => entries.push(Entry::new(root, asked.clone())),
        }
        entries.sort();
        entries.dedup();
        let name = Entry::new(root, asked.clone()).name;
        let is_before = |it: &Entry| match is_folder {
            true => !name.is_empty() && it.name < format!("{name}/"),
            false => it.name < name,
        };
        let is_within = |it: &Entry| match is_folder {
            true => name.is_empty() || it.name.starts_with(&format!("{name}/")),
            false => it.name == name,
        };
        let first = entries.partition_point(is_before);
        let count = entries[first..].partition_point(is_within);
        Ok(Self {
            root: root.to_owned(),
            entries,
            asked: first..first + count,
        })
    }

    /// Where paths count from.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// All files, in the order of their names.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Those that were asked for.
    pub(super) fn asked(&self) -> &[Entry] {
        &self.entries[self.asked.clone()]
    }

    /// Where those are among all.
    pub(super) fn asked_range(&self) -> Range<usize> {
        self.asked.clone()
    }
}

impl Entry {
    fn new(root: &Path, path: PathBuf) -> Self {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
        let name = match std::path::MAIN_SEPARATOR {
            '/' => name.into_owned(),
            separator => name.replace(separator, "/"),
        };
        Self { name, path }
    }
}

/// Whether a folder is where a repository begins.
fn is_root(folder: &Path) -> bool {
    [".git", environments::FILE]
        .iter()
        .any(|it| folder.join(it).exists())
}

/// The files below `folder` that may name images. Links are not followed: what they lead to is a file
/// of its own or outside of the tree.
fn walk(root: &Path, folder: &Path) -> Vec<Entry> {
    let (tell, found) = mpsc::channel();
    let walk = WalkBuilder::new(folder)
        .hidden(false) // .github, .gitlab-ci.yml
        .ignore(false)
        .git_global(false)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|it| it.file_name() != ".git" && !is_passed_over(it.path()))
        .build_parallel();
    walk.run(|| {
        let tell = tell.clone();
        Box::new(move |entry| {
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|it| it.is_file()) => {
                    let entry = Entry::new(root, entry.into_path());
                    if manifest::may_read(&entry.name) {
                        tell.send(entry).expect("the walk is waited for");
                    }
                }
                Ok(_) => {}
                Err(error) => eprintln!("warning: {error}"),
            }
            WalkState::Continue
        })
    });
    drop(tell);
    tracked(root, folder).into_iter().chain(found).collect()
}

/// Whether a folder is passed over since it cannot be told what of it Git ignores.
fn is_passed_over(path: &Path) -> bool {
    let Some(file) = endless_ignore(path) else {
        return false;
    };
    let file = file.display();
    eprintln!("warning: {file}: it is too large or not a file; its folder was not looked at");
    true
}

/// The folder's `.gitignore`, if it is larger than any that people write or a pipe: whoever walks the
/// folder would read it to its end.
fn endless_ignore(folder: &Path) -> Option<PathBuf> {
    let file = folder.join(".gitignore");
    let found = fs::metadata(&file).ok()?;
    let is_large = usize::try_from(found.len()).map_or(true, |it| it > manifest::LARGEST);
    let is_endless = match found.is_file() {
        true => is_large,
        false => !found.is_dir(),
    };
    is_endless.then_some(file)
}

/// What Git has though it is ignored: it was added by hand, and is of the repository like any other.
fn tracked(root: &Path, folder: &Path) -> Vec<Entry> {
    if !root.join(".git").exists() {
        return Vec::new();
    }
    let list = Command::new("git")
        // What a repository's own settings would have run is not run.
        .args(["-c", "core.fsmonitor=false", "ls-files", "-z", "--cached"])
        .args(["--ignored", "--exclude-standard"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .output();
    let list = match list {
        Ok(list) => list.stdout,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            eprintln!("warning: git ls-files: {error}; what Git ignores is passed over");
            Vec::new()
        }
    };
    let names = list.split(|it| *it == 0).filter(|it| !it.is_empty());
    let entries = names.map(|it| Entry::new(root, folder.join(path_of(it))));
    let is_file = |it: &Entry| fs::symlink_metadata(&it.path).is_ok_and(|it| it.is_file());
    let read = |it: &Entry| manifest::may_read(&it.name) && is_file(it);
    entries.filter(read).collect()
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::new(str::from_utf8(bytes).unwrap_or_default()))
}
