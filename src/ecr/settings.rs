//! What the process is told about AWS: where its endpoints are, who we are to begin with, and how
//! long a call may take. None of it can be said by an object in the cluster.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::fence::Fence;
use super::limiter::Pace;
use crate::domain::names::ClusterId;

/// Everything that [`super::Sessions`] take from the command line.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who we are in session names and session tags.
    pub cluster: ClusterId,
    /// Where AWS is, if not where it always is.
    pub endpoints: Endpoints,
    /// The credentials to begin with.
    pub ambient: Ambient,
    /// How long calls may take.
    pub timeouts: Timeouts,
    /// How fast a registry may be called.
    pub pace: Pace,
    /// Until when anything may be changed.
    pub fence: Arc<Fence>,
}

impl Settings {
    /// The settings of a cluster that talks to AWS itself under the pod's own identity. Its fence is
    /// closed: whoever changes something opens it.
    pub fn new(cluster: ClusterId) -> Self {
        Self {
            cluster,
            endpoints: Endpoints::default(),
            ambient: Ambient::DefaultChain,
            timeouts: Timeouts::default(),
            pace: Pace::default(),
            fence: Arc::default(),
        }
    }
}

/// URLs in place of AWS's own endpoints, for VPC endpoints with private names and for emulators.
/// `None` is AWS's own in the region of the call.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Endpoints {
    /// The ECR API.
    pub ecr: Option<String>,
    /// STS.
    pub sts: Option<String>,
    /// The Resource Groups Tagging API.
    pub tagging: Option<String>,
    /// IAM, which has one endpoint for all regions.
    pub iam: Option<String>,
}

impl Endpoints {
    /// One URL that serves all of them, as the emulator does.
    pub fn all(url: &str) -> Self {
        Self {
            ecr: Some(url.to_owned()),
            sts: Some(url.to_owned()),
            tagging: Some(url.to_owned()),
            iam: Some(url.to_owned()),
        }
    }
}

/// The credentials that roles are assumed with, and that an environment without a role is managed
/// with.
#[derive(Clone, Debug)]
pub enum Ambient {
    /// What the AWS SDKs find: environment, profile, IRSA, EKS Pod Identity, the instance.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>
    DefaultChain,
    /// One access key; for the demo and for tests.
    AccessKey(AccessKey),
}

/// A long-lived access key.
#[derive(Clone, Eq, PartialEq)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its secret; never printed.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, secret: _ } = self;
        f.debug_struct("AccessKey")
            .field("id", id)
            .finish_non_exhaustive()
    }
}

/// How long calls may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// To connect.
    pub connect: Duration,
    /// For one attempt to be answered.
    pub attempt: Duration,
    /// For a read with all its retries.
    pub read: Duration,
    /// For a write with all its retries. Shorter than the time between the last moment at which a
    /// leader may still believe in its lease and the first at which another may take it, so that no
    /// write outlives a leader's term.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            attempt: Duration::from_secs(10),
            read: Duration::from_secs(30),
            write: Duration::from_millis(4500),
        }
    }
}
