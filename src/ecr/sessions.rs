//! Who we are to AWS. There is one session per registry and identity, opened once however many ask
//! for it, and handed out only when STS has told that its credentials are of the account which the
//! registry is declared to belong to.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_ecr::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_ecr::config::{
    Region, RuntimeComponents, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::calls::Count;
use super::error::Error;
use super::gate::Gate;
use super::registry::Registry;
use super::session::{Opening, Session, timeout_config};
use super::settings::{Ambient, Settings};
use super::snapshot::Memory;
use crate::domain;

/// For this long a failure to open a session is believed, so that a thousand objects ask once: a
/// refusal of STS, and anything else.
const REFUSAL: Duration = Duration::from_secs(15);
const WEATHER: Duration = Duration::from_secs(5);
/// Attempts of one call, the first included.
const ATTEMPTS: u32 = 3;

/// What to call a registry as.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Identity {
    /// The credentials that the process has.
    Ambient,
    /// A role that these credentials may assume. The session bears the cluster as a tag, so the
    /// role's trust policy allows `sts:TagSession` beside `sts:AssumeRole`.
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
    slots: Mutex<HashMap<(domain::Registry, Identity), Arc<Slot>>>,
}

/// What belongs to an account and region rather than to a session.
#[derive(Clone, Debug)]
struct Place {
    gate: Arc<Gate>,
    memory: Arc<Memory>,
    partition: RetryPartition,
}

/// The session of one registry and identity, once there is one.
#[derive(Debug, Default)]
struct Slot {
    state: Mutex<State>,
    /// Held by the one who opens a session.
    opening: AsyncMutex<()>,
}

/// What became of the attempts to open a session.
#[derive(Clone, Debug, Default)]
struct State {
    /// The last one that was opened.
    session: Option<Arc<Session>>,
    /// The failure since, and until when it is believed.
    failure: Option<(Error, Instant)>,
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
    /// registry's account. Any other account is [`WrongAccount`](super::ErrorKind::WrongAccount), and ECR is not called.
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
        if let Some(answer) = slot.state().settled() {
            return answer;
        }
        let _opening = match slot.opening.try_lock() {
            Ok(opening) => opening,
            // While one asks again, the others keep what they had; the first time they wait for it.
            Err(_) => match slot.state().latest() {
                Some(answer) => return answer,
                None => slot.opening.lock().await,
            },
        };
        if let Some(answer) = slot.state().settled() {
            return answer;
        }
        let opening = Opening {
            settings: &self.settings,
            base: &self.base,
            gate: &place.gate,
            partition: &place.partition,
        };
        let session = Session::open(opening, registry, identity).await;
        let proof = session.prove(registry, &place.gate).await;
        slot.settle(proof.map(|()| Arc::new(session)))
    }
}

impl Slot {
    fn state(&self) -> State {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    /// Remembers what came of opening a session, and tells what to use now.
    fn settle(&self, opened: Result<Arc<Session>, Error>) -> Result<Arc<Session>, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match opened {
            Ok(session) => {
                *state = State {
                    session: Some(session.clone()),
                    failure: None,
                };
                Ok(session)
            }
            Err(error) if error.kind.is_refusal() => {
                *state = State {
                    session: None,
                    failure: Some((error.clone(), Instant::now() + REFUSAL)),
                };
                Err(error)
            }
            Err(error) => {
                state.failure = Some((error.clone(), Instant::now() + WEATHER));
                // An older session outlives the weather.
                state.usable().ok_or(error)
            }
        }
    }
}

impl State {
    /// The answer, if nobody has to be asked for it.
    fn settled(&self) -> Option<Result<Arc<Session>, Error>> {
        let Self { session, failure } = self;
        if let Some(session) = session.as_ref().filter(|it| it.is_fresh()) {
            return Some(Ok(session.clone()));
        }
        let (_, until) = failure.as_ref()?;
        (Instant::now() < *until).then(|| self.latest())?
    }

    /// What there is, fresh or not.
    fn latest(&self) -> Option<Result<Arc<Session>, Error>> {
        let failure = self.failure.as_ref();
        let failure = failure.map(|(error, _)| Err(error.clone()));
        self.usable().map(Ok).or(failure)
    }

    fn usable(&self) -> Option<Arc<Session>> {
        self.session.clone().filter(|it| it.is_trusted())
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
