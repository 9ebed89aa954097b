//! Why there is no control plane. Each message says what the reader can do or where to look.

use std::io;
use std::path::PathBuf;

/// Why a control plane could not be built, started or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that the machine must have is not there, or is too old.
    #[error("{what}\n  {remedy}")]
    Missing {
        /// What is needed, why, and what was found instead.
        what: String,
        /// What installs or sets it: words and a line to type.
        remedy: String,
    },
    /// `go` could not build the binaries.
    #[error("build the control plane with `go {command}`: {output}")]
    Build {
        /// The subcommand of `go` that failed.
        command: &'static str,
        /// The end of what it said.
        output: String,
    },
    /// A process ended that should run; its log is kept.
    #[error("{program} ended while the control plane started (log: {})\n{tail}", log.display())]
    Ended {
        /// The program.
        program: &'static str,
        /// Everything it wrote.
        log: PathBuf,
        /// The last lines of that.
        tail: String,
    },
    /// The processes run and still do not answer; their logs are kept.
    #[error("no {what} after {seconds} s (logs: {})", logs.display())]
    NotReady {
        /// What was waited for.
        what: &'static str,
        /// How long, in seconds.
        seconds: u64,
        /// The folder with one log a process.
        logs: PathBuf,
    },
    /// The kubeconfig has no context of the name the user gave.
    #[error("no context {context:?} with a cluster and a user in the kubeconfig")]
    NoContext {
        /// The name given.
        context: String,
    },
    /// A file, folder or process could not be handled.
    #[error("{act}")]
    Io {
        /// What was attempted.
        act: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("make the control plane's certificates")]
    Certificate(#[source] rcgen::Error),
    /// A kubeconfig could not be read or understood.
    #[error("read the kubeconfig")]
    Kubeconfig(#[source] kube::config::KubeconfigError),
    /// A kubeconfig could not be written as YAML.
    #[error("write the kubeconfig")]
    KubeconfigText(#[source] serde_saphyr::ser::Error),
    /// The API server refused or did not answer.
    #[error("{act}")]
    Api {
        /// What was asked of it.
        act: String,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// A watch of the API server broke.
    #[error("{act}")]
    Watch {
        /// What was waited for.
        act: String,
        /// Why it failed.
        source: Box<kube::runtime::wait::Error>,
    },
    /// The controller manager of the cluster does not do its work.
    #[error("no default service account in the namespace {namespace}")]
    NoServiceAccount {
        /// The namespace.
        namespace: String,
    },
}

/// Names the act that a failing file operation was for.
pub(super) trait Doing<T> {
    /// Turns the error into an [`Error::Io`] that says `act`.
    fn doing(self, act: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, act: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io { act: act(), source })
    }
}

/// Names what was asked of the API server when it fails.
pub(super) fn asking(act: impl Into<String>) -> impl FnOnce(kube::Error) -> Error {
    |source| Error::Api {
        act: act.into(),
        source: Box::new(source),
    }
}
