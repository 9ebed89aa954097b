//! Whose client certificates admission asks for, in a file. It is mounted from a Secret or a ConfigMap,
//! which the kubelet swaps without a word, so it is read again and again.

use std::path::Path;
use std::time::Duration;

use tokio::fs;
use tokio::time::sleep;
use tracing::{info, warn};

use super::server::{InvalidAuthorities, Tls};

/// Why the authorities of clients are not known.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// There is no such file, or it is not ours to read.
    #[error("read {file}")]
    File {
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("find authorities of clients in {file}")]
    Content {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: InvalidAuthorities,
    },
}

impl Tls {
    /// From now on only clients of the authorities in `file` may call. Gives its content.
    ///
    /// # Errors
    /// When it has no authorities. Then nothing changes.
    pub async fn require_clients_in(&self, file: &Path) -> Result<Vec<u8>, Unreadable> {
        let name = || file.display().to_string();
        let content = fs::read(file).await.map_err(|source| Unreadable::File {
            file: name(),
            source,
        })?;
        self.require_clients_of(&content)
            .map_err(|source| Unreadable::Content {
                file: name(),
                source,
            })?;
        Ok(content)
    }

    /// Does so again and again. What does not read changes nothing.
    pub async fn follow_clients_in(&self, file: &Path, period: Duration) {
        let mut known = None;
        loop {
            match self.require_clients_in(file).await {
                Ok(content) if known.as_ref() == Some(&content) => {}
                Ok(content) => {
                    info!(file = %file.display(), "authorities of clients read");
                    known = Some(content);
                }
                Err(error) => warn!(
                    error = &error as &dyn std::error::Error,
                    "authorities of clients stay as they were"
                ),
            }
            sleep(period).await;
        }
    }
}
