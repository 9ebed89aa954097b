//! Amazon ECR in a pocket: accounts, regions and registries on one loopback port, for tests, demos
//! and people. It knows nothing of the rest of this program and could be a crate of its own.
//!
//! ```text
//! request -> protocol (JSON, query) -> who calls -> fault rules -> operation -> journal -> answer
//!                                                                     |
//!            state (plain data by account and region)  <--------------+
//! ```
//!
//! Operations are functions of the state, the request and the time; they wait for nothing. What
//! one needs from an upstream registry it says, and is run again with it. One table, in the room
//! of its service, leads from an operation's name to its function.
//!
//! Who calls is read from the signature, which is not verified: an access key of twelve digits is
//! that account, keys from STS are their role, any other key is the account `123456789012`.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

mod admin;
mod call;
mod clock;
mod data_plane;
mod ecr;
mod exchange;
mod faults;
mod iam;
mod journal;
mod manifest;
mod protocol;
mod refusal;
mod seed;
mod server;
mod simulate;
mod state;
mod storage;
mod sts;
mod tagging;
mod upstream;

pub use clock::Clock;
pub use faults::{Effect, Faults, Rule};
pub use journal::{Entry, Journal, Outcome};
pub use seed::{InvalidSeed, Seed};
pub use storage::InvalidState;
pub use upstream::Upstream;

use server::Shared;

/// The account of access keys that say nothing else.
pub const DEFAULT_ACCOUNT: &str = "123456789012";

/// How an emulator starts.
#[derive(Debug)]
pub struct Options {
    /// Where to listen; port 0 is a free one.
    pub listen: SocketAddr,
    /// What there is at the start and after a reset.
    pub seed: Seed,
    /// What stands in for upstream registries, by host, over what the seed says.
    pub upstreams: BTreeMap<String, Upstream>,
    /// The time.
    pub clock: Clock,
    /// Where the state is kept; `None` is nowhere. A file that is there is used instead of the seed.
    pub state: Option<PathBuf>,
    /// What a pull-through cache does on a first pull by digest.
    pub first_pull_by_digest: FirstPullByDigest,
}

/// What a pull-through cache does when an image is first pulled by its digest.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FirstPullByDigest {
    /// It has no such image, as is reported of AWS:
    /// <https://github.com/aws/containers-roadmap/issues/2837>.
    #[default]
    NotFound,
    /// It imports the image, as on a pull by tag.
    Imports,
}

/// A running emulator; it ends when this is dropped.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    keeper: JoinHandle<()>,
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The seed says what cannot be.
    #[error(transparent)]
    Seed(#[from] InvalidSeed),
    /// The state file cannot be read or written.
    #[error(transparent)]
    State(#[from] InvalidState),
}

impl Default for Options {
    /// A free port of the loopback interface, nothing in it, and the wall clock.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: Seed::default(),
            upstreams: BTreeMap::new(),
            clock: Clock::system(),
            state: None,
            first_pull_by_digest: FirstPullByDigest::default(),
        }
    }
}

impl Emulator {
    /// Starts an emulator; when this returns it answers.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let listening = |source| StartError::Listen {
            address: options.listen,
            source,
        };
        let listener = TcpListener::bind(options.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let shared = Arc::new(Shared::new(options, address)?);
        let server = tokio::spawn(server::serve(listener, Arc::clone(&shared)));
        let keeper = tokio::spawn(storage::keep(Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            server,
            keeper,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its endpoint as clients write it, for example `http://127.0.0.1:4566`.
    pub fn url(&self) -> String {
        self.shared.endpoint().to_owned()
    }

    /// What was asked so far.
    pub fn journal(&self) -> &Journal {
        self.shared.journal()
    }

    /// The fault rules.
    pub fn faults(&self) -> &Faults {
        self.shared.faults()
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        self.shared.clock()
    }

    /// Forgets everything but the seed: state, credentials, journal and fault rules.
    pub fn reset(&self) -> Result<(), InvalidSeed> {
        self.shared.reset()
    }

    /// Adds what a seed says to what there is. Its upstreams count only at the start.
    pub fn plant(&self, seed: &Seed) -> Result<(), InvalidSeed> {
        self.shared.plant(seed)
    }

    /// Stops answering, cuts all connections, frees the port and keeps the state a last time.
    pub async fn shutdown(mut self) -> Result<(), InvalidState> {
        self.server.abort();
        // The task was aborted: that it says so is no news.
        drop((&mut self.server).await);
        self.shared.save()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.server.abort();
        self.keeper.abort();
    }
}
