//! Changing the files: each at once and whole, and none before all are ready.

use std::fs::{self, File as Opened};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::finding::File;
use crate::commands::contents::{self, Contents};

/// A new text beside the file that it is for; taken away again unless it takes its place.
struct Prepared {
    new: PathBuf,
    old: PathBuf,
    before: Vec<u8>,
}

/// Writes what has changed. A crash leaves each file as it was or as it is to be.
pub(super) fn write(root: &Path, files: &[File]) -> anyhow::Result<()> {
    let prepared = files
        .iter()
        .filter_map(|file| Some((file, file.edit.as_ref()?)))
        .map(|(file, edit)| prepare(root.join(&file.path), &edit.before, &edit.after))
        .collect::<anyhow::Result<Vec<_>>>()?;
    for it in &prepared {
        let now = contents::read(&it.old);
        let now = now.with_context(|| format!("read {}", it.old.display()))?;
        if now != Contents::Bytes(it.before.clone()) {
            bail!("{} was changed meanwhile: run this again", it.old.display());
        }
    }
    for it in prepared {
        fs::rename(&it.new, &it.old).with_context(|| format!("replace {}", it.old.display()))?;
    }
    Ok(())
}

fn prepare(old: PathBuf, before: &str, after: &str) -> anyhow::Result<Prepared> {
    let name = old.file_name().unwrap_or_default().to_string_lossy();
    let new = old.with_file_name(format!(".{name}.{}.ecr-operator", std::process::id()));
    let writing = || format!("write {}", new.display());
    let permissions = fs::metadata(&old).with_context(writing)?.permissions();
    let mut file = Opened::create_new(&new).with_context(writing)?;
    // From here on it is taken away if anything fails.
    let prepared = Prepared {
        new: new.clone(),
        old,
        before: before.as_bytes().to_owned(),
    };
    file.write_all(after.as_bytes()).with_context(writing)?;
    file.set_permissions(permissions).with_context(writing)?;
    file.sync_all().with_context(writing)?;
    Ok(prepared)
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Renamed already, it is not there any more.
        drop(fs::remove_file(&self.new));
    }
}
