//! The admission server's certificates are our own: an authority and a serving certificate in one
//! Secret, renewed when two thirds of their life are over, without a failed handshake. Only the
//! leader writes the Secret; every replica shows what it keeps. Private keys are never logged.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use rustls::sign::CertifiedKey;
use tracing::{info, warn};

use super::dated::{self, Dated};

mod issue;
mod plan;
mod store;

pub use issue::{Authority, PrivateKey, Serving, Term};
pub use plan::{Lifetimes, Step, plan};
pub use store::{Store, Unusable};

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
    let kept = found.as_ref().map(read);
    let step = match &kept {
        Some(Ok(store)) => match plan(store, names, trusted_since(store), now, lifetimes) {
            Step::Wait(until) => return Ok((store.clone(), until)),
            step => Some(step),
        },
        Some(Err(error)) => {
            warn!(%error, secret = name, "the certificates are unusable");
            None
        }
        None => None,
    };
    if !dated::agree(now, theirs) {
        let contradicted = Error::Contradicted { ours: now, theirs };
        let Some(Ok(store)) = kept else {
            return Err(contradicted);
        };
        // The certificates that there are stay in use, and the webhook configuration follows them.
        warn!(error = %contradicted, secret = name, "the certificates are not renewed");
        return Ok((store, now + AGAIN));
    }
    let store = match (kept, step) {
        (Some(Ok(store)), Some(step)) => store.take(step, names, now, lifetimes),
        (None | Some(_), _) => Store::issue(names, now, lifetimes),
    };
    let store = store.map_err(Error::Issue)?;
    write(keeper, found, &store).await?;
    info!(?step, secret = name, until = %store.serving.term.until, "certificates written");
    Ok((store, now))
}

/// Shows what the Secret keeps, now and after every change, until the future is dropped. What is
/// no good is left aside, and what was shown before stays. Every replica does this.
pub async fn follow(keeper: &Keeper, show: impl Fn(Shown)) {
    let Keeper { secrets, name, .. } = keeper;
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let changes = watcher(secrets.clone(), config)
        .default_backoff()
        .applied_objects();
    let mut changes = pin!(changes);
    while let Some(change) = changes.next().await {
        let shown = change.map(|it| read(&it).and_then(|it| shown(&it)));
        match shown {
            Ok(Ok(shown)) => {
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

fn read(secret: &Secret) -> Result<Store, Unusable> {
    let data = secret.data.iter().flatten();
    let data = data.map(|(key, value)| (key.clone(), value.0.clone()));
    Store::read(&data.collect())
}

/// Writes over exactly what was found, or creates: whoever was faster wins.
async fn write(keeper: &Keeper, found: Option<Secret>, store: &Store) -> Result<(), Error> {
    let Keeper { secrets, name, .. } = keeper;
    let parameters = PostParams::default();
    let string_data = Some(store.data());
    let written = match found {
        Some(found) => {
            let secret = Secret {
                data: None,
                string_data,
                ..found
            };
            secrets.replace(name, &parameters, &secret).await
        }
        None => {
            let labels = BTreeMap::from(
                [super::webhook_configuration::MANAGED_BY]
                    .map(|(key, value)| (key.to_owned(), value.to_owned())),
            );
            let metadata = ObjectMeta {
                name: Some(name.clone()),
                labels: Some(labels),
                ..ObjectMeta::default()
            };
            let secret = Secret {
                metadata,
                string_data,
                ..Secret::default()
            };
            secrets.create(&parameters, &secret).await
        }
    };
    written.map(|_| ()).map_err(|source| Error::Write {
        name: name.clone(),
        source,
    })
}

#[cfg(test)]
mod tests;
