//! One lease, one writer. Any replica serves admission; only the holder of the lease writes to AWS,
//! and its term ends before another may begin.
//!
//! Another holder's lease has expired when *we* have seen it unchanged for its whole duration by
//! our own monotonic clock; its `renewTime` is never compared with a wall clock, so that skew
//! between nodes cannot make two leaders. Every update carries the `resourceVersion` that was read:
//! a conflict means that another replica was faster.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

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
}

/// What was last seen of somebody's lease, and when by our clock.
struct Seen {
    resource_version: Option<String>,
    at: Instant,
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
        let mut seen = Seen {
            resource_version: None,
            at: Instant::now(),
        };
        while !shutdown.is_cancelled() {
            let attempted = Instant::now();
            match timeout(self.timing.retry, self.acquire(&mut seen)).await {
                Ok(Ok(Some(lease))) => {
                    info!(lease = %self.name, identity = %self.identity, "leading");
                    let token = shutdown.child_token();
                    let keep = self.keep(lease, attempted, &token);
                    // Both run to their end: the term must have stopped writing before we let go.
                    let ((), last) = tokio::join!(term(token.clone()), keep);
                    info!(lease = %self.name, "no longer leading");
                    self.release(last).await;
                    seen = Seen {
                        resource_version: None,
                        at: Instant::now(),
                    };
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
            let metadata = ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            };
            let lease = Lease {
                metadata,
                spec: Some(self.spec(None)),
            };
            return taken(self.api.create(&PostParams::default(), &lease).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let free = holder.is_empty() || holder == self.identity;
        if !free && !self.has_expired(&lease, &spec, seen) {
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

    fn has_expired(&self, lease: &Lease, spec: &LeaseSpec, seen: &mut Seen) -> bool {
        if seen.resource_version != lease.metadata.resource_version {
            seen.resource_version
                .clone_from(&lease.metadata.resource_version);
            seen.at = Instant::now();
        }
        let declared = spec
            .lease_duration_seconds
            .and_then(|it| u64::try_from(it).ok());
        let duration = declared.map_or(self.timing.duration, Duration::from_secs);
        seen.at.elapsed() > duration
    }

    /// Renews until the term is over; cancels `token` when no renewal has succeeded in time.
    /// Returns the lease as last written.
    async fn keep(&self, mut lease: Lease, taken_at: Instant, token: &CancellationToken) -> Lease {
        let mut renewed = taken_at;
        loop {
            tokio::select! {
                () = sleep(self.timing.retry) => {}
                () = token.cancelled() => return lease,
            }
            let deadline = renewed + self.timing.renew_deadline;
            // The renewal counts from when it was sent: others count from when it arrived.
            let sent = Instant::now();
            match tokio::time::timeout_at(deadline, self.renew(&lease)).await {
                Ok(Ok(next)) => (lease, renewed) = (next, sent),
                Ok(Err(error)) if is_lost(&error) => {
                    warn!(%error, "the lease was taken by another");
                    token.cancel();
                }
                Ok(Err(error)) => debug!(%error, "renewal will be tried again"),
                Err(_) => {}
            }
            if renewed.elapsed() >= self.timing.renew_deadline {
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
            lease_duration_seconds: Some(1),
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
