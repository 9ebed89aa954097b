//! What the operator is told when it starts. Everything about AWS accounts stands in objects; here
//! is only what the process itself needs.

use std::net::SocketAddr;
use std::time::Duration;

use crate::domain::names::ClusterId;
use crate::ecr::Endpoints;

/// Flags of `ecr-operator run`.
#[derive(Debug, clap::Args)]
pub struct Args {
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
    /// The Service that the API server reaches admission by
    #[arg(long, default_value = "ecr-operator", value_name = "NAME")]
    pub webhook_service: String,
    /// A URL that the API server reaches admission by instead, when the operator is not a pod
    #[arg(long, value_name = "URL")]
    pub webhook_url: Option<String>,
    /// Where /healthz, /readyz and /metrics are served
    #[arg(long, default_value = "[::]:8080", value_name = "ADDR")]
    pub health_listen: SocketAddr,
    /// How often each registry is listed and compared with what is wanted
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "TIME")]
    pub sweep_period: Duration,
    /// Over what time every repository's policies are read once, since ECR does not list them
    #[arg(long, default_value = "6h", value_parser = duration, value_name = "TIME")]
    pub document_period: Duration,
    /// How often the images that rules refer to are listed
    #[arg(long, default_value = "1m", value_parser = duration, value_name = "TIME")]
    pub facts_period: Duration,
    #[command(flatten)]
    aws: Aws,
    /// How events are logged
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Where AWS is, if not where it always is: VPC endpoints with private names, emulators.
#[derive(Debug, clap::Args)]
struct Aws {
    /// One URL for ECR, STS and the tagging API
    #[arg(long, env = "ECR_OPERATOR_ENDPOINT_URL", value_name = "URL")]
    endpoint_url: Option<String>,
    /// ECR's URL
    #[arg(long, env = "AWS_ENDPOINT_URL_ECR", value_name = "URL")]
    ecr_endpoint_url: Option<String>,
    /// STS's URL
    #[arg(long, env = "AWS_ENDPOINT_URL_STS", value_name = "URL")]
    sts_endpoint_url: Option<String>,
    /// The tagging API's URL
    #[arg(
        long,
        env = "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API",
        value_name = "URL"
    )]
    tagging_endpoint_url: Option<String>,
}

/// How events are logged.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Args {
    /// The endpoints to call; the narrower flag wins.
    pub(super) fn endpoints(&self) -> Endpoints {
        let Aws {
            endpoint_url,
            ecr_endpoint_url,
            sts_endpoint_url,
            tagging_endpoint_url,
        } = &self.aws;
        let or_all = |url: &Option<String>| url.clone().or_else(|| endpoint_url.clone());
        Endpoints {
            ecr: or_all(ecr_endpoint_url),
            sts: or_all(sts_endpoint_url),
            tagging: or_all(tagging_endpoint_url),
        }
    }
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
