//! Who we are to AWS. One session per registry and identity: its credentials are fetched once and
//! renewed by the SDK, and before its first other call STS must have told that they are of the
//! account which the registry is declared to belong to.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ecr::config::StalledStreamProtectionConfig;
use aws_sdk_ecr::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_ecr::config::timeout::TimeoutConfig;
use aws_sdk_ecr::config::{IdentityCache, Region, RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls;
use futures::FutureExt;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::calls::{Attempts, Count};
use super::error::{Error, ErrorKind};
use super::gate::Gate;
use super::limiter::Priority;
use super::operation::Operation;
use super::registry::Registry;
use super::settings::{Ambient, Settings, Timeouts};
use super::snapshot::Memory;
use crate::domain;
use crate::domain::owner;

/// A session is opened, and its account proven, anew after this long.
const LIFE: Duration = Duration::from_secs(3600);
/// For this long a refusal of STS is believed, so that a thousand objects ask once.
const REFUSAL: Duration = Duration::from_secs(15);
/// Attempts of one call, the first included.
const ATTEMPTS: u32 = 3;

/// What to call a registry as.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Identity {
    /// The credentials that the process has.
    Ambient,
    /// A role that these credentials may assume.
    Role {
        /// Its ARN.
        arn: String,
        /// The `sts:ExternalId` that its trust policy asks for.
        external_id: Option<String>,
    },
}

/// All sessions of the process, and what is known of each registry whichever session learned it.
#[derive(Debug)]
pub struct Sessions {
    settings: Settings,
    base: SdkConfig,
    places: Mutex<BTreeMap<domain::Registry, Place>>,
    slots: Mutex<HashMap<(domain::Registry, Identity), SharedSlot>>,
}

/// Locked while a session is being opened, so that it is opened once.
type SharedSlot = Arc<AsyncMutex<Slot>>;

/// What belongs to an account and region rather than to a session.
#[derive(Clone, Debug)]
struct Place {
    gate: Arc<Gate>,
    memory: Arc<Memory>,
    partition: RetryPartition,
}

/// What became of the last attempt to open a session.
#[derive(Debug, Default)]
enum Slot {
    #[default]
    Empty,
    Open(Arc<Session>),
    Refused {
        error: Error,
        until: Instant,
    },
}

/// Clients that share one set of credentials.
#[derive(Debug)]
pub(super) struct Session {
    /// For reads.
    pub(super) read: aws_sdk_ecr::Client,
    /// For writes, which must not outlive a leader's term.
    pub(super) write: aws_sdk_ecr::Client,
    /// For tags in bulk.
    pub(super) tagging: aws_sdk_resourcegroupstagging::Client,
    sts: aws_sdk_sts::Client,
    opened: Instant,
    distrusted: AtomicBool,
}

impl Sessions {
    /// Finds the ambient credentials; no call is made before a registry is asked for.
    pub async fn new(settings: Settings) -> Self {
        let Settings {
            ambient, timeouts, ..
        } = &settings;
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http_client())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(timeout_config(timeouts, timeouts.read));
        let loader = match ambient {
            Ambient::DefaultChain => {
                loader.region(RegionProviderChain::default_provider().or_else("us-east-1"))
            }
            Ambient::AccessKey(key) => loader
                .region(Region::from_static("us-east-1")) // every session names its own
                .credentials_provider(Credentials::new(
                    &key.id,
                    &key.secret,
                    None,
                    None,
                    "command line",
                )),
        };
        let base = loader.load().await;
        Self {
            settings,
            base,
            places: Mutex::default(),
            slots: Mutex::default(),
        }
    }

    /// The registry as seen under `identity`, once STS has told that this is an identity of the
    /// registry's account. Any other account is [`ErrorKind::WrongAccount`], and ECR is not called.
    pub async fn registry(
        &self,
        registry: &domain::Registry,
        identity: &Identity,
    ) -> Result<Registry, Error> {
        let place = self.place(registry);
        let session = self.session(registry, identity, &place).await?;
        let Place { gate, memory, .. } = place;
        Ok(Registry::new(registry.clone(), gate, memory, session))
    }

    /// How often what was called, in every registry so far.
    pub fn counts(&self) -> Vec<Count> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.values().flat_map(|it| it.gate.counts()).collect()
    }

    fn place(&self, registry: &domain::Registry) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(registry.clone()).or_insert_with(|| Place {
            gate: Gate::new(registry.clone(), self.settings.pace),
            memory: Arc::default(),
            // The SDK's own is one for all accounts of a region: a throttled one would use up the
            // retries of the others.
            partition: RetryPartition::custom(format!("ecr {registry}"))
                .token_bucket(TokenBucket::default())
                .build(),
        });
        place.clone()
    }

    async fn session(
        &self,
        registry: &domain::Registry,
        identity: &Identity,
        place: &Place,
    ) -> Result<Arc<Session>, Error> {
        let slot = {
            let key = (registry.clone(), identity.clone());
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(key).or_default().clone()
        };
        let mut slot = slot.lock().await; // who comes second finds what the first one opened
        match &*slot {
            Slot::Open(session) if session.is_trusted() => return Ok(session.clone()),
            Slot::Refused { error, until } if Instant::now() < *until => return Err(error.clone()),
            Slot::Empty | Slot::Open(_) | Slot::Refused { .. } => {}
        }
        let session = self.open(registry, identity, place).await;
        match session.prove(registry, &place.gate).await {
            Ok(()) => {
                let session = Arc::new(session);
                *slot = Slot::Open(session.clone());
                Ok(session)
            }
            Err(error) => {
                *slot = Slot::after(&error);
                Err(error)
            }
        }
    }

    async fn open(
        &self,
        registry: &domain::Registry,
        identity: &Identity,
        place: &Place,
    ) -> Session {
        let Settings {
            cluster,
            endpoints,
            timeouts,
            ..
        } = &self.settings;
        let base = self.base.to_builder();
        let mut config = base
            .region(Region::new(registry.region.to_string()))
            .identity_cache(IdentityCache::lazy().build()) // one for all clients of this session
            .build();
        if let Identity::Role { arn, external_id } = identity {
            // An endpoint in the shared configuration reaches every service, so STS gets its own.
            let sts = with_endpoint(&config, endpoints.sts.as_deref());
            let provider = AssumeRoleProvider::builder(arn)
                .configure(&sts)
                .session_name(session_name(cluster.as_str()))
                .tags([(owner::CLUSTER, cluster.as_str())]);
            let provider = match external_id {
                Some(external_id) => provider.external_id(external_id),
                None => provider,
            };
            let provider = SharedCredentialsProvider::new(provider.build().await);
            config = config.into_builder().credentials_provider(provider).build();
        }
        let ecr = |timeout| {
            let config = with_endpoint(&config, endpoints.ecr.as_deref());
            let config = aws_sdk_ecr::config::Builder::from(&config)
                .retry_partition(place.partition.clone())
                .timeout_config(timeout_config(timeouts, timeout))
                .interceptor(Attempts(place.gate.clone()))
                .build();
            aws_sdk_ecr::Client::from_conf(config)
        };
        let tagging = with_endpoint(&config, endpoints.tagging.as_deref());
        let tagging = aws_sdk_resourcegroupstagging::config::Builder::from(&tagging)
            .retry_partition(place.partition.clone())
            .interceptor(Attempts(place.gate.clone()))
            .build();
        Session {
            read: ecr(timeouts.read),
            write: ecr(timeouts.write),
            tagging: aws_sdk_resourcegroupstagging::Client::from_conf(tagging),
            sts: aws_sdk_sts::Client::new(&with_endpoint(&config, endpoints.sts.as_deref())),
            opened: Instant::now(),
            distrusted: AtomicBool::new(false),
        }
    }
}

impl Slot {
    /// What stays of a failure to open a session: STS's refusals, not the weather.
    fn after(error: &Error) -> Self {
        match error.kind {
            ErrorKind::AccessDenied
            | ErrorKind::AssumeRoleDenied
            | ErrorKind::CredentialsRejected
            | ErrorKind::WrongAccount => Self::Refused {
                error: error.clone(),
                until: Instant::now() + REFUSAL,
            },
            ErrorKind::Throttled
            | ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::NotEmpty
            | ErrorKind::LimitExceeded
            | ErrorKind::InvalidParameter
            | ErrorKind::Kms
            | ErrorKind::Unavailable
            | ErrorKind::Refused
            | ErrorKind::Unexpected => Self::Empty,
        }
    }
}

impl Session {
    /// Asks STS whose credentials these are.
    async fn prove(&self, registry: &domain::Registry, gate: &Gate) -> Result<(), Error> {
        const WHO: Operation = Operation::GetCallerIdentity;
        let send = self.sts.get_caller_identity().send().boxed();
        let identity = gate.call(WHO, Priority::Edit, send).await?;
        let account = identity.account().unwrap_or_default();
        if account == registry.account.as_str() {
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

    fn is_trusted(&self) -> bool {
        !self.distrusted.load(Ordering::Relaxed) && self.opened.elapsed() < LIFE
    }
}

/// One connection pool and one parsed trust store for all clients, as the SDK makes them by default
/// but one for each client.
fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = aws_smithy_http_client::Connector::builder()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::AwsLc,
            ))
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    })
}

fn timeout_config(timeouts: &Timeouts, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeouts.connect)
        .operation_attempt_timeout(timeouts.attempt)
        .operation_timeout(operation)
        .build()
}

fn with_endpoint(config: &SdkConfig, url: Option<&str>) -> SdkConfig {
    let mut builder = config.to_builder();
    if let Some(url) = url {
        builder.set_endpoint_url(Some(url.to_owned()));
    }
    builder.build()
}

/// 2 to 64 of `[\w+=,.@-]`:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>. The session tag has
/// the cluster's whole name.
fn session_name(cluster: &str) -> String {
    let mut name = format!("ecr-operator@{cluster}");
    name.truncate(64); // a cluster id is ASCII
    name
}

#[cfg(test)]
mod tests;
