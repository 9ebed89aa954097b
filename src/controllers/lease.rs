//! One lease, one writer. Only the holder of the lease writes to AWS, and its term ends before another
//! may begin. A process that only serves is no candidate. The chart installs the lease; who may create one
//! could create any.
//!
//! Another holder's lease has expired when *we* have seen it unchanged for its whole duration by
//! our own monotonic clock; its `renewTime` is never compared with a wall clock, so that skew
//! between nodes cannot make two leaders. Every update carries the `resourceVersion` that was read:
//! a conflict means that another replica was faster. Each renewal moves the [`Fence`], so that a
//! holder that was stopped, by a debugger or a node that hangs, writes nothing when it goes on.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Resource as _;
use kube::api::{Api, PostParams};
use kube::runtime::events::{Event, Recorder};
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::installed::Installed;
use super::tidings;
use crate::ecr::{Fence, Uptime};

/// What another holder declares is believed up to so many times our own duration. A longer one would
/// keep every replica from leading, for ever where it is absurd.
const LONGEST: u32 = 2;

/// How long things last. A call to AWS is bounded below `duration - renew_deadline`, so that a call
/// begun in the last moment of a term has ended when the next one begins.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long others wait after the last renewal that they saw.
    pub duration: Duration,
    /// How long the holder goes on without a successful renewal.
    pub renew_deadline: Duration,
    /// How often the lease is renewed, or looked at by those who wait.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(30),
            renew_deadline: Duration::from_secs(15),
            retry: Duration::from_secs(3),
        }
    }
}

/// The duration in seconds that stands on a lease which was given back.
const GIVEN_BACK: i32 = 1;

/// A candidate for one lease.
pub struct Candidate {
    /// Leases of the operator's own namespace.
    pub api: Api<Lease>,
    /// The lease's name.
    pub name: String,
    /// Who we are: unique among living replicas, the same after a restart of the same one.
    pub identity: String,
    /// How long things last.
    pub timing: Timing,
    /// Open while we hold the lease.
    pub fence: Arc<Fence>,
    /// Reports what is wrong with the lease, whoever holds it: events pass no fence.
    pub recorder: Recorder,
    /// 1 while there is no lease.
    pub missing: Gauge,
}

/// What was last seen of the lease, and when by our clock.
struct Seen {
    lease: Version,
    at: Instant,
    /// The uid of the object that the lease was last.
    uid: Option<String>,
    /// It was another object before, which somebody deleted. The holder of that one may not know yet.
    is_recreated: bool,
}

/// One state of the lease, by which a change is noticed.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Version {
    /// It was not looked at yet.
    Unknown,
    /// It is not there.
    Missing,
    /// It is there, as of this `resourceVersion`.
    Of(Option<String>),
}

impl Seen {
    fn nothing() -> Self {
        Self {
            lease: Version::Unknown,
            at: Instant::now(),
            uid: None,
            is_recreated: false,
        }
    }

    /// Takes in what is there now; returns whether it is another than before.
    fn take(&mut self, lease: Version) -> bool {
        let changed = self.lease != lease;
        if changed {
            self.lease = lease;
            self.at = Instant::now();
        }
        changed
    }

    /// Takes in which object the lease is now.
    fn identify(&mut self, lease: &Lease) {
        let uid = lease.metadata.uid.as_ref();
        self.is_recreated |= self.uid.is_some() && self.uid.as_ref() != uid;
        self.uid = uid.cloned();
    }
}

/// When a term began or was last renewed, by the clocks that its end is measured with.
#[derive(Clone, Copy)]
struct Renewed {
    at: Instant,
    uptime: Uptime,
}

impl Renewed {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            uptime: Uptime::now(),
        }
    }
}

impl Candidate {
    /// Waits for the lease, runs `term` with a token that is cancelled when the lease is lost or
    /// `shutdown` is cancelled, and waits for it to end; then stands again. Returns after
    /// `shutdown`, having given the lease back so that a successor need not wait.
    pub async fn run(
        &self,
        shutdown: &CancellationToken,
        mut term: impl AsyncFnMut(CancellationToken),
    ) {
        let mut seen = Seen::nothing();
        while !shutdown.is_cancelled() {
            // Others count from when it arrives; we count from before it was sent.
            let attempted = Renewed::now();
            match timeout(self.timing.retry, self.acquire(&mut seen)).await {
                Ok(Ok(Some(lease))) => {
                    info!(lease = %self.name, identity = %self.identity, "leading");
                    let token = shutdown.child_token();
                    self.open(attempted);
                    let keep = self.keep(lease, attempted, &token);
                    // Both run to their end: the term must have stopped writing before we let go.
                    let ((), last) = tokio::join!(term(token.clone()), keep);
                    self.fence.close();
                    info!(lease = %self.name, "no longer leading");
                    self.release(last).await;
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => warn!(%error, lease = %self.name, "could not look at the lease"),
                Err(_) => warn!(lease = %self.name, "the API server did not answer in time"),
            }
            tokio::select! {
                () = sleep(self.timing.retry) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Takes the lease if it is free, expired or ours; `None` while another holds it.
    async fn acquire(&self, seen: &mut Seen) -> kube::Result<Option<Lease>> {
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            if seen.take(Version::Missing) {
                self.report_missing().await;
            }
            return Ok(None);
        };
        self.missing.set(0);
        seen.identify(&lease);
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let expired = self.has_expired(&lease, seen).await;
        let is_free = was_given_back(&spec) || (was_never_held(&spec) && !seen.is_recreated);
        if holder != self.identity && !is_free && !expired {
            debug!(holder, "another replica leads");
            return Ok(None);
        }
        let lease = Lease {
            spec: Some(self.spec(Some(&spec))),
            ..lease
        };
        taken(
            self.api
                .replace(&self.name, &PostParams::default(), &lease)
                .await,
        )
    }

    /// Nobody leads, or soon nobody will: the holder finds out when it renews next.
    async fn report_missing(&self) {
        self.missing.set(1);
        let lease = Installed::of::<Lease>(&self.name);
        warn!("{}", lease.remedy());
        let about = ObjectReference {
            api_version: Some(Lease::api_version(&()).into_owned()),
            kind: Some(lease.kind.clone()),
            name: Some(lease.name.clone()),
            namespace: self.api.namespace().map(str::to_owned),
            ..ObjectReference::default()
        };
        self.publish(&lease.missing(), &about).await;
    }

    async fn has_expired(&self, lease: &Lease, seen: &mut Seen) -> bool {
        let ours = self.timing.duration;
        let spec = lease.spec.as_ref();
        let declared = spec.and_then(|it| it.lease_duration_seconds);
        let declared = declared.and_then(|it| u64::try_from(it).ok());
        let declared = Duration::from_secs(declared.unwrap_or_default());
        // Shorter than ours is no promise of whoever runs this program, longer is somebody's mistake.
        let believed = declared.clamp(ours, ours * LONGEST);
        let changed = seen.take(Version::Of(lease.metadata.resource_version.clone()));
        if changed && declared > believed {
            self.report_duration(lease, declared, believed).await;
        }
        seen.at.elapsed() > believed
    }

    async fn report_duration(&self, lease: &Lease, declared: Duration, believed: Duration) {
        let spec = lease.spec.as_ref();
        let holder = spec.and_then(|it| it.holder_identity.as_deref());
        let note = format!(
            "{} declares {} s for it, which keeps every replica from leading: {} s are waited for",
            holder.unwrap_or("nobody"),
            declared.as_secs(),
            believed.as_secs(),
        );
        warn!(lease = %self.name, note, "the duration of the lease is absurd");
        let event = tidings::warning("LeaseDurationTooLong", "Acquire", &note);
        self.publish(&event, &lease.object_ref(&())).await;
    }

    async fn publish(&self, event: &Event, about: &ObjectReference) {
        let published = self.recorder.publish(event, about);
        match timeout(self.timing.retry, published).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%error, "the event is not published"),
            Err(_) => debug!("the API server did not take the event in time"),
        }
    }

    /// Opens the fence for as long as a renewal of this moment lasts.
    fn open(&self, renewed: Renewed) {
        self.fence
            .open_until(renewed.uptime + self.timing.renew_deadline);
    }

    /// Renews until the term is over; cancels `token` when no renewal has succeeded in time.
    /// Returns the lease as last written.
    async fn keep(&self, mut lease: Lease, taken: Renewed, token: &CancellationToken) -> Lease {
        let mut renewed = taken;
        loop {
            tokio::select! {
                () = sleep(self.timing.retry) => {}
                () = token.cancelled() => return lease,
            }
            let deadline = renewed.at + self.timing.renew_deadline;
            let sent = Renewed::now();
            match tokio::time::timeout_at(deadline, self.renew(&lease)).await {
                Ok(Ok(next)) => {
                    (lease, renewed) = (next, sent);
                    self.open(renewed);
                }
                Ok(Err(error)) if is_lost(&error) => {
                    warn!(%error, "the lease was taken by another, or deleted");
                    self.fence.close();
                    token.cancel();
                }
                Ok(Err(error)) => debug!(%error, "renewal will be tried again"),
                Err(_) => {}
            }
            if renewed.at.elapsed() >= self.timing.renew_deadline {
                warn!("the lease could not be renewed in time: stopping");
                token.cancel();
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> kube::Result<Lease> {
        let lease = Lease {
            metadata: lease.metadata.clone(),
            spec: Some(self.spec(lease.spec.as_ref())),
        };
        self.api
            .replace(&self.name, &PostParams::default(), &lease)
            .await
    }

    async fn release(&self, lease: Lease) {
        let spec = LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(GIVEN_BACK),
            ..lease.spec.unwrap_or_default()
        };
        let lease = Lease {
            metadata: lease.metadata,
            spec: Some(spec),
        };
        let params = PostParams::default();
        match timeout(
            self.timing.retry,
            self.api.replace(&self.name, &params, &lease),
        )
        .await
        {
            Ok(Ok(_)) => debug!("gave the lease back"),
            Ok(Err(error)) => debug!(%error, "the lease will expire by itself"),
            Err(_) => debug!("the lease will expire by itself"),
        }
    }

    fn spec(&self, old: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(jiff::Timestamp::now());
        let old = old.cloned().unwrap_or_default();
        let ours = old.holder_identity.as_deref() == Some(&self.identity);
        let seconds = i32::try_from(self.timing.duration.as_secs()).unwrap_or(i32::MAX);
        LeaseSpec {
            acquire_time: if ours {
                old.acquire_time
            } else {
                Some(now.clone())
            },
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(seconds),
            lease_transitions: Some(old.lease_transitions.unwrap_or(0) + i32::from(!ours)),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }
}

/// Whether the lease was given back at the end of a term. A holder that a hand took out of a lease may not
/// know it yet, so its duration is waited for.
fn was_given_back(spec: &LeaseSpec) -> bool {
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    holder.is_empty() && spec.lease_duration_seconds == Some(GIVEN_BACK)
}

/// Whether the lease is as the chart installs it. Where it was another object before, the holder of that
/// one may not know yet that it is gone, and its duration is waited for. Who has seen no other takes it at
/// once: this is a first start, or the holder finds out within [`Timing::retry`].
fn was_never_held(spec: &LeaseSpec) -> bool {
    *spec == LeaseSpec::default()
}

/// A conflict is not an error: another replica was faster, and we go on waiting.
fn taken(result: kube::Result<Lease>) -> kube::Result<Option<Lease>> {
    match result {
        Ok(lease) => Ok(Some(lease)),
        Err(error) if is_lost(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_lost(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() || status.is_not_found())
}
