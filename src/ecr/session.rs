//! One set of credentials and the clients that share it. A session is of no use before STS has told
//! whose credentials they are.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ecr::config::retry::RetryPartition;
use aws_sdk_ecr::config::timeout::TimeoutConfig;
use aws_sdk_ecr::config::{IdentityCache, Region};
use futures::FutureExt;
use tokio::time::Instant;

use super::calls::{Attempts, NotWhenThrottled};
use super::error::{Error, ErrorKind};
use super::fence::Fenced;
use super::gate::Gate;
use super::operation::Operation;
use super::sessions::Identity;
use super::settings::{Settings, Timeouts};
use crate::domain;
use crate::domain::names::ClusterId;
use crate::domain::owner;

/// A session is opened, and its account proven, anew after this long.
const LIFE: Duration = Duration::from_secs(3600);

/// Clients that share one set of credentials.
#[derive(Debug)]
pub(super) struct Session {
    /// For reads.
    pub(super) read: aws_sdk_ecr::Client,
    /// For writes, which must not outlive a leader's term.
    pub(super) write: aws_sdk_ecr::Client,
    /// For tags in bulk.
    pub(super) tagging: aws_sdk_resourcegroupstagging::Client,
    /// For what roles may do.
    pub(super) iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
    arn: OnceLock<String>,
    opened: Instant,
    distrusted: AtomicBool,
}

/// What a session is opened with, besides the registry and the identity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening<'a> {
    pub(super) settings: &'a Settings,
    /// Credentials to begin with, HTTP client, retries: what all sessions share.
    pub(super) base: &'a SdkConfig,
    pub(super) gate: &'a Arc<Gate>,
    pub(super) partition: &'a RetryPartition,
}

impl Session {
    /// Makes the clients; credentials are fetched with the first call.
    pub(super) async fn open(
        opening: Opening<'_>,
        registry: &domain::Registry,
        identity: &Identity,
    ) -> Self {
        let Opening {
            settings,
            base,
            gate,
            partition,
        } = opening;
        let Settings {
            cluster,
            endpoints,
            timeouts,
            ambient: _,
            pace: _,
            fence,
        } = settings;
        // An endpoint in the shared configuration would reach every service: each gets its own.
        let of_region = base
            .to_builder()
            .region(Region::new(registry.region.to_string()))
            .identity_cache(IdentityCache::lazy().build()) // one for all clients of this session
            .build();
        let config = match identity {
            Identity::Ambient => of_region,
            Identity::Role { arn, external_id } => {
                let sts = with_endpoint(&of_region, endpoints.sts.as_deref());
                let external_id = external_id.clone();
                let external_id = external_id.unwrap_or_else(|| own_external_id(cluster, registry));
                let role = assume_role(&sts, cluster, arn, external_id).await;
                of_region.into_builder().credentials_provider(role).build()
            }
        };
        let ecr = with_endpoint(&config, endpoints.ecr.as_deref());
        let ecr = aws_sdk_ecr::config::Builder::from(&ecr)
            .retry_partition(partition.clone())
            .retry_classifier(NotWhenThrottled)
            .interceptor(Attempts(gate.clone()))
            .interceptor(Fenced(Arc::clone(fence)));
        let write = timeout_config(timeouts, timeouts.write);
        let write = ecr.clone().timeout_config(write).build();
        let tagging = with_endpoint(&config, endpoints.tagging.as_deref());
        let tagging = aws_sdk_resourcegroupstagging::config::Builder::from(&tagging)
            .retry_partition(partition.clone())
            .retry_classifier(NotWhenThrottled)
            .interceptor(Attempts(gate.clone()))
            .build();
        let iam = with_endpoint(&config, endpoints.iam.as_deref());
        let sts = with_endpoint(&config, endpoints.sts.as_deref());
        let sts = aws_sdk_sts::config::Builder::from(&sts)
            .timeout_config(timeout_config(timeouts, timeouts.write)) // STS is quick, or sick
            .build();
        Self {
            read: aws_sdk_ecr::Client::from_conf(ecr.build()),
            write: aws_sdk_ecr::Client::from_conf(write),
            tagging: aws_sdk_resourcegroupstagging::Client::from_conf(tagging),
            iam: aws_sdk_iam::Client::new(&iam),
            sts: aws_sdk_sts::Client::from_conf(sts),
            arn: OnceLock::new(),
            opened: Instant::now(),
            distrusted: AtomicBool::new(false),
        }
    }

    /// The ARN as which STS knows us; empty until it was asked.
    pub(super) fn arn(&self) -> &str {
        self.arn.get().map_or("", String::as_str)
    }

    /// Asks STS whose credentials these are.
    pub(super) async fn prove(
        &self,
        registry: &domain::Registry,
        gate: &Gate,
    ) -> Result<(), Error> {
        const WHO: Operation = Operation::GetCallerIdentity;
        let send = self.sts.get_caller_identity().send().boxed();
        let identity = gate.ask_elsewhere(WHO, send).await?;
        let account = identity.account().unwrap_or_default();
        if account == registry.account.as_str() {
            let arn = identity.arn().unwrap_or_default();
            self.arn.get_or_init(|| arn.to_owned());
            return Ok(());
        }
        let message = format!(
            "the credentials are of account {account}, the environment declares {}",
            registry.account
        );
        Err(Error::new(ErrorKind::WrongAccount, WHO, registry, message))
    }

    /// Asks for a new session before the next use: AWS did not accept this one's credentials.
    pub(super) fn distrust(&self) {
        self.distrusted.store(true, Ordering::Relaxed);
    }

    /// Whether AWS accepted its credentials so far.
    pub(super) fn is_trusted(&self) -> bool {
        !self.distrusted.load(Ordering::Relaxed)
    }

    /// Whether it may be used without asking STS again.
    pub(super) fn is_fresh(&self) -> bool {
        self.is_trusted() && self.opened.elapsed() < LIFE
    }
}

/// The credentials of a role, renewed before they end.
async fn assume_role(
    sts: &SdkConfig,
    cluster: &ClusterId,
    arn: &str,
    external_id: String,
) -> SharedCredentialsProvider {
    // No tag tells the namespace: sessions are shared by all of an environment's objects, and which
    // of these may use it is decided before anybody signs in.
    let role = AssumeRoleProvider::builder(arn)
        .configure(sts)
        .session_name(session_name(cluster))
        .tags([(owner::CLUSTER, cluster.as_str())])
        .external_id(external_id);
    SharedCredentialsProvider::new(role.build().await)
}

/// The external id where the environment names none, so that a trust policy can always ask for one.
fn own_external_id(cluster: &ClusterId, registry: &domain::Registry) -> String {
    format!("{cluster}/{}", registry.account)
}

/// 2 to 64 of `[\w+=,.@-]`:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>. The session tag has
/// the cluster's whole name.
fn session_name(cluster: &ClusterId) -> String {
    let mut name = format!("ecr-operator@{cluster}");
    name.truncate(64); // a cluster id is ASCII
    name
}

/// Timeouts of one attempt and of an `operation` with all its attempts.
pub(super) fn timeout_config(timeouts: &Timeouts, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeouts.connect)
        .operation_attempt_timeout(timeouts.attempt)
        .operation_timeout(operation)
        .build()
}

fn with_endpoint(config: &SdkConfig, url: Option<&str>) -> SdkConfig {
    match url {
        Some(url) => config.to_builder().endpoint_url(url).build(),
        None => config.clone(),
    }
}

#[cfg(test)]
mod tests;
