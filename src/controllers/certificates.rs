//! The admission server's certificates are our own: a serving certificate and its authority in one
//! Secret of the chart, renewed when two thirds of its life are over, without a failed handshake. Only the
//! leader writes the Secret; what serves shows what it keeps. Private keys are never logged.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use rustls::sign::CertifiedKey;
use tracing::{debug, info, warn};

use super::dated::{self, Dated};
use super::installed::Installed;

mod issue;
mod plan;
mod store;

pub use issue::{Authority, PrivateKey, Serving, Term};
pub use plan::{Lifetimes, Step, plan};
pub use store::{Store, Unusable};

use store::AUTHORITY_KEY;

/// A step that was due while clocks contradicted each other is tried again after this long.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Where the certificates are kept, and what they are for.
#[derive(Clone)]
pub struct Keeper {
    /// The Secrets of the operator's own namespace.
    pub secrets: Api<Secret>,
    /// The Secret's name.
    pub name: String,
    /// The host names and addresses that the serving certificate has to be good for.
    pub names: BTreeSet<String>,
    /// How long things live.
    pub lifetimes: Lifetimes,
}

/// Why the Secret could not be brought in line; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Secret could not be read.
    #[error("read Secret {name}")]
    Read {
        /// Its name.
        name: String,
        /// What the API server said.
        source: dated::Error,
    },
    /// The Secret is not there, and only the chart makes it.
    #[error("{}", .0.remedy())]
    Missing(Installed),
    /// The Secret could not be written, for instance since another replica was faster.
    #[error("write Secret {name}")]
    Write {
        /// Its name.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// A certificate could not be made.
    #[error("issue a certificate")]
    Issue(#[source] rcgen::Error),
    /// One clock is wrong, so nothing is issued: a certificate of the wrong time would be worth nothing.
    #[error(
        "issue no certificate: it is {ours} here and {theirs} at the API server; correct the clock \
         that is wrong"
    )]
    Contradicted {
        /// Our clock.
        ours: Timestamp,
        /// The API server's.
        theirs: Timestamp,
    },
}

/// What a replica has to show.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The serving certificate and its key.
    pub certificate: Arc<CertifiedKey>,
    /// How long it may be shown.
    pub term: Term,
}

impl Shown {
    /// Why the replica should not be ready at `now`: API servers do not accept the certificate yet, or
    /// rotation is broken, so that less than a tenth of its life is left. `None`: it is good.
    pub fn defect(&self, now: Timestamp) -> Option<String> {
        let Term { issued, until } = self.term;
        if now < self.term.last_tenth() && self.term.is_good(now) {
            return None;
        }
        Some(match now < issued {
            true => format!(
                "it was issued at {issued}, which is still to come: a clock was ahead, here it is {now}"
            ),
            false => format!("it ends at {until} and nobody has renewed it"),
        })
    }
}

/// Takes the next step of the rotation, if one is due at `now`: one write at most. `trusted_since`
/// says when the newest authority of a store was first seen in every `caBundle`. Returns the store
/// as it is kept, and when to come again. Only the leader may call this.
///
/// # Errors
/// When the Secret cannot be read or written, or it keeps nothing usable and the API server's clock
/// contradicts `now`: then nothing is issued.
pub async fn settle(
    keeper: &Keeper,
    trusted_since: impl Fn(&Store) -> Option<Timestamp>,
    now: Timestamp,
) -> Result<(Store, Timestamp), Error> {
    let Keeper {
        secrets,
        name,
        names,
        lifetimes,
    } = keeper;
    let client = secrets.clone().into_client();
    let found = dated::get::<Secret>(&client, secrets.resource_url(), name);
    let Dated {
        object: found,
        date: theirs,
    } = found.await.map_err(|source| Error::Read {
        name: name.clone(),
        source,
    })?;
    let Some(found) = found else {
        return Err(Error::Missing(Installed::of::<Secret>(name)));
    };
    let kept = read(&found);
    let step = match &kept {
        Ok(Some(store)) => match plan(store, names, trusted_since(store), now, lifetimes) {
            // What an earlier version wrote is written once more, without the authority's key.
            Step::Wait(until) if !has_authority_key(&found) => return Ok((store.clone(), until)),
            step => Some(step),
        },
        Ok(None) => None,
        Err(error) => {
            warn!(%error, secret = name, "the certificates are unusable");
            None
        }
    };
    if !dated::agree(now, theirs) {
        let contradicted = Error::Contradicted { ours: now, theirs };
        let Ok(Some(store)) = kept else {
            return Err(contradicted);
        };
        // The certificates that there are stay in use, and the webhook configuration follows them.
        warn!(error = %contradicted, secret = name, "the certificates are not renewed");
        return Ok((store, now + AGAIN));
    }
    let store = match (kept, step) {
        (Ok(Some(store)), Some(step)) => store.take(step, names, now, lifetimes),
        (Ok(_) | Err(_), _) => Store::issue(names, now, lifetimes),
    };
    let store = store.map_err(Error::Issue)?;
    write(keeper, found, &store).await?;
    info!(?step, secret = name, until = %store.serving.term.until, "certificates written");
    Ok((store, now))
}

/// Shows what the Secret keeps, now and after every change, until the future is dropped. What is
/// no good is left aside, and what was shown before stays. Every process that serves does this.
pub async fn follow(keeper: &Keeper, show: impl Fn(Shown)) {
    let Keeper { secrets, name, .. } = keeper;
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let changes = watcher(secrets.clone(), config)
        .default_backoff()
        .applied_objects();
    let mut changes = pin!(changes);
    while let Some(change) = changes.next().await {
        let shown = change.map(|it| read(&it).and_then(|it| it.as_ref().map(shown).transpose()));
        match shown {
            Ok(Ok(None)) => debug!(secret = name, "no certificate is issued yet"),
            Ok(Ok(Some(shown))) => {
                info!(until = %shown.term.until, "certificate loaded");
                show(shown);
            }
            Ok(Err(error)) => warn!(%error, secret = name, "the certificates are no good"),
            Err(error) => warn!(%error, secret = name, "the watch will be tried again"),
        }
    }
}

fn shown(store: &Store) -> Result<Shown, Unusable> {
    Ok(Shown {
        certificate: Arc::new(store.certified_key()?),
        term: store.served(),
    })
}

/// What the Secret keeps; `None`: nothing yet, as the chart installs it.
fn read(secret: &Secret) -> Result<Option<Store>, Unusable> {
    let data: BTreeMap<_, _> = secret.data.iter().flatten().collect();
    if data.is_empty() {
        return Ok(None);
    }
    let data = data.into_iter();
    let data = data.map(|(key, value)| (key.clone(), value.0.clone()));
    Store::read(&data.collect()).map(Some)
}

fn has_authority_key(secret: &Secret) -> bool {
    let data = secret.data.as_ref();
    data.is_some_and(|it| it.contains_key(AUTHORITY_KEY))
}

/// Writes over exactly what was found: whoever was faster wins.
async fn write(keeper: &Keeper, found: Secret, store: &Store) -> Result<(), Error> {
    let Keeper { secrets, name, .. } = keeper;
    let secret = Secret {
        data: None,
        string_data: Some(store.data()),
        ..found
    };
    let written = secrets.replace(name, &PostParams::default(), &secret).await;
    written.map(|_| ()).map_err(|source| Error::Write {
        name: name.clone(),
        source,
    })
}

#[cfg(test)]
mod tests;
