//! What a person waiting for a control plane is told: the first build takes minutes.

use std::fmt;
use std::io::{Write, stderr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// One thing that happened on the way to a running control plane; displays as one line.
#[derive(Clone, Debug)]
pub enum Step {
    /// `setup-envtest` is asked for the binaries that it has.
    AskingSetupEnvtest,
    /// Another process is building the same binaries; we wait for it.
    WaitingForOtherBuild,
    /// Go modules are being downloaded and counted.
    FetchingModules,
    /// Packages are being compiled.
    Building {
        /// Packages compiled so far.
        done: usize,
        /// Packages to compile.
        total: usize,
        /// Time since the build began.
        elapsed: Duration,
    },
    /// The binaries are in the cache.
    Built {
        /// The folder they are in.
        folder: PathBuf,
        /// Time the build took.
        elapsed: Duration,
    },
    /// The processes are starting.
    Starting,
    /// The API server answers and Pods can be created.
    Ready {
        /// Where the API server listens.
        url: String,
        /// Time since the start.
        elapsed: Duration,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("control plane: ")?;
        match self {
            Self::AskingSetupEnvtest => f.write_str("asking setup-envtest"),
            Self::WaitingForOtherBuild => f.write_str("another process is building it, waiting"),
            Self::FetchingModules => f.write_str("building it once, fetching Go modules"),
            Self::Building {
                done,
                total,
                elapsed,
            } if done == total => {
                write!(
                    f,
                    "{total} packages compiled, linking ({})",
                    Spoken(*elapsed)
                )
            }
            Self::Building {
                done,
                total,
                elapsed,
            } => {
                write!(
                    f,
                    "{done} of {total} packages compiled ({})",
                    Spoken(*elapsed)
                )
            }
            Self::Built { folder, elapsed } => {
                write!(
                    f,
                    "built in {}, kept in {}",
                    Spoken(*elapsed),
                    folder.display()
                )
            }
            Self::Starting => f.write_str("starting"),
            Self::Ready { url, elapsed } => {
                write!(f, "ready at {url} after {:.1} s", elapsed.as_secs_f64())
            }
        }
    }
}

/// A duration as people say it: `42 s`, `8 min 20 s`.
struct Spoken(Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_secs() / 60, self.0.as_secs() % 60) {
            (0, seconds) => write!(f, "{seconds} s"),
            (minutes, seconds) => write!(f, "{minutes} min {seconds} s"),
        }
    }
}

/// Who is told of each [`Step`]. Cheap to clone.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(&Step) + Send + Sync>);

impl Progress {
    /// Calls `tell` at each step, from whichever thread does the work.
    pub fn new(tell: impl Fn(&Step) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// One line a step on stderr, past the capture of `cargo test`: a build of minutes must show.
    pub fn stderr() -> Self {
        Self::new(|step| {
            // Nobody reads a closed stderr; the work goes on.
            drop(writeln!(stderr(), "{step}"));
        })
    }

    pub(super) fn tell(&self, step: &Step) {
        (self.0)(step);
    }
}
