//! What ECR holds of the images that rules lead to. Every replica loads its own, with calls that
//! only read: the repositories that claims lead to, and those that a cache has filled. A list that
//! fails leaves what was known before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::{Context, Stop};
use crate::api::conditions::Reason;
use crate::desired::{self, Destinations, Stopped};
use crate::domain::facts::{Facts, Images};
use crate::domain::{Registry, RepositoryName};
use crate::ecr;

/// Repositories whose images are listed at the same time; the registry's limiter sets the pace.
const AT_ONCE: usize = 16;

/// Keeps facts fresh for as long as it is polled: a round when it is first `asked`, which is when there
/// is a world, and from then on one each `period`, and one whenever `asked`. `loaded` is given the
/// facts after each round.
pub async fn follow(
    cx: Arc<Context>,
    period: Duration,
    asked: Arc<Notify>,
    loaded: impl Fn(&Arc<Facts>),
) {
    let mut facts = Arc::new(Facts::default());
    // Of a world that nobody has compiled nothing is known, which is not the same as nothing.
    asked.notified().await;
    loop {
        let world = cx.world.load_full();
        facts = Arc::new(round(&cx, &world.compiled().registries, &facts).await);
        loaded(&facts);
        // A round that nobody asked for is due after the period; asking is not an error.
        drop(timeout(period, asked.notified()).await);
    }
}

/// One look at everything that the rules lead to.
async fn round(
    cx: &Context,
    registries: &BTreeMap<Registry, Destinations>,
    known: &Facts,
) -> Facts {
    let mut facts = Facts::default();
    for (registry, destinations) in registries {
        let listed = match list(cx, registry, destinations).await {
            Ok(listed) => listed,
            Err(error) => {
                warn!(%registry, %error, "what was known of its images is kept");
                facts.keep(known, registry);
                continue;
            }
        };
        debug!(%registry, repositories = listed.len(), "images listed");
        for (name, images) in listed {
            match images {
                Ok(images) => facts.record(registry, name, Arc::new(images)),
                Err(error) => {
                    debug!(%error, repository = %name, "what was known is kept");
                    if let Some(images) = known.images(registry, name.as_str()) {
                        facts.record(registry, name, Arc::new(images.clone()));
                    }
                }
            }
        }
    }
    facts
}

type Listed = Vec<(RepositoryName, Result<Images, ecr::Error>)>;

async fn list(
    cx: &Context,
    registry: &Registry,
    destinations: &Destinations,
) -> Result<Listed, Stop> {
    let Destinations {
        repositories,
        prefixes,
    } = destinations;
    let handle = sign_in(cx, registry).await?;
    // What a cache has filled since is only seen in a new list; our own repositories are known.
    let present = if prefixes.is_empty() {
        handle.listed().await
    } else {
        handle.refresh().await
    };
    let present = present.map_err(Stop::Failed)?;
    let cached = present
        .keys()
        .filter(|name| prefixes.iter().any(|it| it.covers(name)));
    let names: BTreeSet<RepositoryName> = repositories.iter().chain(cached).cloned().collect();
    let lists = stream::iter(names).map(|name| {
        let (handle, is_there) = (&handle, present.contains_key(&name));
        async move {
            let images = if is_there {
                handle.images(&name).await
            } else {
                Ok(Images::default())
            };
            (name, images)
        }
    });
    Ok(lists.buffer_unordered(AT_ONCE).collect().await)
}

/// The policy's registry, through whichever environment declares it.
async fn sign_in(cx: &Context, registry: &Registry) -> Result<ecr::Registry, Stop> {
    let world = cx.world.load_full();
    let environments = world
        .environments()
        .filter_map(|it| desired::environment(it, &world).ok());
    let mut environments = environments.filter(|it| it.registries.contains(registry));
    match environments.next() {
        Some(environment) => cx
            .sign_in(&environment, registry)
            .await
            .map_err(Stop::Failed),
        None => Err(Stop::Stopped(Stopped {
            environment: String::new(),
            region: Some(registry.region.clone()),
            reason: Reason::EnvironmentNotReady,
            field: "spec.environment".to_owned(),
            message: format!("no usable EnvironmentAccount declares {registry}"),
        })),
    }
}
