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
use tokio::task::JoinSet;

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
mod tls;
mod upstream;

pub use clock::Clock;
pub use faults::{Effect, Faults, Garble, Rule};
pub use journal::{Entry, Journal, Outcome};
pub use seed::{InvalidSeed, Seed};
pub use storage::InvalidState;
pub use upstream::Upstream;

use server::Shared;
use tls::Authority;

/// The account of access keys that say nothing else.
pub const DEFAULT_ACCOUNT: &str = "123456789012";

/// How an emulator starts.
#[derive(Debug)]
pub struct Options {
    /// Where to listen; port 0 is a free one.
    pub listen: SocketAddr,
    /// Where the same is served over HTTPS; `None` is nowhere.
    pub tls_listen: Option<SocketAddr>,
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
    /// What is done with manifests whose layers were never uploaded.
    pub bare_manifests: BareManifests,
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

/// What is done with a manifest of which no layer was uploaded. Tests that were written for moto
/// push such ones, with made-up digests; AWS refuses them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BareManifests {
    /// A repository that never held a layer takes them. Once it holds one, they are refused.
    #[default]
    Taken,
    /// They are refused, as by AWS: every layer has to be there.
    Refused,
}

/// A running emulator; it ends when this is dropped.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    tls: Option<(SocketAddr, Arc<Authority>)>,
    tasks: JoinSet<()>,
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
    /// The authority of HTTPS cannot be made.
    #[error("make an authority for HTTPS")]
    Authority(#[source] rcgen::Error),
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
            tls_listen: None,
            seed: Seed::default(),
            upstreams: BTreeMap::new(),
            clock: Clock::system(),
            state: None,
            first_pull_by_digest: FirstPullByDigest::default(),
            bare_manifests: BareManifests::default(),
        }
    }
}

impl Emulator {
    /// Starts an emulator; when this returns it answers.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let (listener, address) = listen(options.listen).await?;
        let secure = match options.tls_listen {
            Some(at) => Some(listen(at).await?),
            None => None,
        };
        let shared = Arc::new(Shared::new(options, address)?);
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, None, Arc::clone(&shared)));
        tasks.spawn(storage::keep(Arc::clone(&shared)));
        let mut tls = None;
        if let Some((listener, address)) = secure {
            let authority = Authority::new(address.ip()).map_err(StartError::Authority)?;
            let authority = Arc::new(authority);
            let acceptor = Some(Arc::clone(&authority).acceptor());
            tasks.spawn(server::serve(listener, acceptor, Arc::clone(&shared)));
            tls = Some((address, authority));
        }
        Ok(Self {
            address,
            shared,
            tls,
            tasks,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for HTTPS, if it does.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls.as_ref().map(|(address, _)| *address)
    }

    /// The certificate, in PEM, of the authority to trust for HTTPS. It is another one after every
    /// start.
    pub fn authority(&self) -> Option<&str> {
        self.tls.as_ref().map(|(_, it)| it.certificate())
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
        self.tasks.shutdown().await;
        self.shared.save()
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}
