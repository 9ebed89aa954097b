//! The only place that names an AWS crate. [`Sessions`] prove who we are and hand out one
//! [`Registry`] per account and region: what is there ([`Registry::refresh`],
//! [`Registry::observe`]), what to change ([`Registry::apply`]: exactly one AWS call), and what its
//! images are. Every call goes through its registry's gate, so that a throttled or silent registry
//! slows down itself and nothing else. Nothing here decides what should be.

mod apply;
mod breaker;
mod calls;
mod date;
mod documents;
mod error;
mod fence;
mod gate;
mod images;
mod limiter;
mod operation;
mod preflight;
mod preview;
mod pull_through;
mod raw;
mod refusals;
mod registry;
mod registry_settings;
mod repeats;
mod repositories;
mod session;
mod sessions;
mod settings;
mod snapshot;
mod templates;
mod turns;

pub use calls::{Answer, Count};
pub use error::{Error, ErrorKind};
pub use fence::{Fence, TermOver, Uptime};
pub use gate::Health;
pub use limiter::{Pace, Priority};
pub use operation::Operation;
pub use pull_through::{Prewarm, Validation};
pub use registry::Registry;
pub use registry_settings::Drift;
pub use sessions::{Identity, Sessions};
pub use settings::{AccessKey, Ambient, Endpoints, Settings, Timeouts};
pub use snapshot::{Seen, Snapshot};
pub use turns::Turn;
