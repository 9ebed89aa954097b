//! State that outlives the process, in one file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use super::server::Shared;
use super::state::State;

/// The file is at most this much older than the state.
const EVERY: Duration = Duration::from_secs(1);

/// Why a state file is of no use.
#[derive(Debug, thiserror::Error)]
#[error("use the state file {path}")]
pub struct InvalidState {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Reads a state file; `None` where there is none yet.
pub(crate) fn load(path: &Path) -> Result<Option<State>, InvalidState> {
    let failed = |source| InvalidState {
        path: path.to_owned(),
        source,
    };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|it| failed(it.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Writes a state file: whole, or not at all.
pub(crate) fn save(path: &Path, state: &State) -> Result<(), InvalidState> {
    let failed = |source| InvalidState {
        path: path.to_owned(),
        source,
    };
    let bytes = serde_json::to_vec(state).map_err(|it| failed(it.into()))?;
    let next = path.with_extension("next");
    fs::write(&next, bytes)
        .and_then(|()| fs::rename(&next, path))
        .map_err(failed)
}

/// Keeps the file as new as the state, until the task is aborted.
pub(crate) async fn keep(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = shared.save() {
            tracing::warn!(error = &error as &dyn std::error::Error, "keep the state");
        }
    }
}
