//! What the operator is told when it starts. Everything about AWS accounts stands in objects; here
//! is only what the process itself needs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;

use crate::commands::aws::Aws;
use crate::controllers::facts::Timing;
use crate::controllers::sweep::Periods;
use crate::domain::names::ClusterId;

/// Flags of `ecr-operator run`; the last one wins where one is given twice.
#[derive(Debug, clap::Args)]
#[command(args_override_self = true)]
pub struct Args {
    /// What this process does. Two processes with rights of their own keep what can write out of the reach
    /// of pods; each ignores the flags that only the other needs
    #[arg(long, value_enum, default_value_t = ProcessRole::All, value_name = "ROLE")]
    pub role: ProcessRole,
    /// What this cluster calls itself in owner tags; keep it over rebuilds of the cluster
    #[arg(long, env = "ECR_OPERATOR_CLUSTER_ID", value_name = "ID")]
    pub cluster_id: ClusterId,
    /// The namespace that the operator runs in
    #[arg(long, env = "POD_NAMESPACE", default_value = "ecr-system")]
    pub namespace: String,
    /// Who this replica is: unique among living replicas, kept over its restarts
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub identity: String,
    /// Where admission is served over TLS
    #[arg(long, default_value = "[::]:9443", value_name = "ADDR")]
    pub webhook_listen: SocketAddr,
    /// PEM file of the authorities whose client certificates admission asks for. Without it every client
    /// is answered. Give it when your API servers present one (AdmissionConfiguration; EKS presents
    /// none). The file is read again when it changes
    #[arg(long, value_name = "FILE")]
    pub client_ca_file: Option<PathBuf>,
    /// The Service that the API server reaches admission by
    #[arg(long, default_value = "ecr-operator", value_name = "NAME")]
    pub webhook_service: String,
    /// A URL that the API server reaches admission by instead, when the operator is not a pod
    #[arg(long, value_name = "URL")]
    pub webhook_url: Option<String>,
    /// The namespace that pods are sent to by dry runs, to see whether admission is reached; nothing is
    /// ever made in it. Default: the operator's own with -probe at the end
    #[arg(long, value_name = "NAMESPACE")]
    pub probe_namespace: Option<String>,
    /// How often that is tried
    #[arg(long, default_value = "1m", value_parser = duration, value_name = "TIME")]
    pub probe_period: Duration,
    /// Where /healthz, /readyz and /metrics are served
    #[arg(long, default_value = "[::]:8080", value_name = "ADDR")]
    pub health_listen: SocketAddr,
    /// How often each registry is listed and compared with what is wanted
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "TIME")]
    pub sweep_period: Duration,
    /// Over what time every repository's policies are read once, since ECR does not list them
    #[arg(long, default_value = "6h", value_parser = duration, value_name = "TIME")]
    pub document_period: Duration,
    /// Over what time every lifecycle policy in force is held once against the images that pods use
    #[arg(long, default_value = "24h", value_parser = duration, value_name = "TIME")]
    pub lifecycle_period: Duration,
    /// How often the images that rules refer to are listed
    #[arg(long, default_value = "1m", value_parser = duration, value_name = "TIME")]
    pub facts_period: Duration,
    /// How often what watches have told is compared with the versions of all objects, to make good what a
    /// watch has lost. It costs one request for each 500 objects, pods included
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "TIME")]
    pub resync_period: Duration,
    /// How long a list of images is believed: an image that was not seen for longer is NotKnown, and pods
    /// keep the one that they ask for. A registry that takes longer to list has more time: 0.4 s for each
    /// repository and each further 1,000 images. Default: 15 times the facts period, at most 1h, and at
    /// least twice the facts period
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub facts_max_age: Option<Duration>,
    #[command(flatten)]
    pub(super) aws: Aws,
    /// How events are logged
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

impl Args {
    /// Whether the flags fit each other.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Timing { period, max_age } = self.facts_timing();
        if max_age < period.saturating_mul(2) {
            bail!(
                "--facts-max-age={max_age:?} is less than twice --facts-period={period:?}: facts would be \
                 too old before they are listed again"
            );
        }
        Ok(())
    }

    /// How often the leader looks at what.
    pub(super) fn periods(&self) -> Periods {
        Periods {
            registry: self.sweep_period,
            documents: self.document_period,
            lifecycle: self.lifecycle_period,
        }
    }

    /// How often images are listed, and for how long a list is believed.
    pub(super) fn facts_timing(&self) -> Timing {
        const LONGEST: Duration = Duration::from_hours(1);
        let period = self.facts_period;
        let default = || {
            period
                .saturating_mul(15)
                .min(LONGEST)
                .max(period.saturating_mul(2))
        };
        Timing {
            period,
            max_age: self.facts_max_age.unwrap_or_else(default),
        }
    }
}

/// What a process does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum ProcessRole {
    /// Both: serves admission, and is a candidate for the lease
    #[default]
    All,
    /// Serves admission and writes nothing, to AWS or to the cluster, but events
    Webhook,
    /// Is a candidate for the lease and listens for health and metrics only
    Controller,
}

/// How events are logged.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `5m`, `90s`, `6h`: longer than nothing.
fn duration(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "write a time like 30s, 5m or 6h".to_owned())?;
    match Duration::try_from(duration) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) | Err(_) => Err("a period is longer than nothing".to_owned()),
    }
}
