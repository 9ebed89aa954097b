//! What ECR holds of the images that rules lead to. Every replica loads its own, with calls that
//! only read: the repositories that claims lead to, and those that a cache has filled. A round takes
//! no longer than its period; what it does not come to is listed in the next ones, the oldest first
//! and what pods use in between, and stays as it was known until then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, ready};
use futures::{StreamExt, stream};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use super::{Context, Stop};
use crate::api::conditions::Reason;
use crate::desired::{self, Destinations, Environment, Stopped, World};
use crate::domain::facts::{Facts, Images};
use crate::domain::{Registry, RepositoryName};
use crate::ecr;

/// Repositories whose images are listed at the same time; the registry's limiter sets the pace.
const AT_ONCE: usize = 16;
/// A replica is ready after its first round, so that one is short.
const FIRST: Duration = Duration::from_secs(10);
/// A registry of more repositories than this is looked at for new cached ones in every fifth round:
/// the whole of it has to be listed for that.
const MANY: usize = 1_000;

/// What is known, and since when.
#[derive(Default)]
struct Known {
    facts: Arc<Facts>,
    listed: BTreeMap<(Registry, RepositoryName), Instant>,
    rounds: u64,
}

/// Keeps facts fresh for as long as it is polled: a round when it is first `asked`, which is when there
/// is a world, and from then on one each `period`, and one whenever `asked`. `loaded` is given the
/// facts after each round.
pub async fn follow(
    cx: Arc<Context>,
    period: Duration,
    asked: Arc<Notify>,
    loaded: impl Fn(&Arc<Facts>),
) {
    let mut known = Known::default();
    let mut longest = period.min(FIRST);
    // Of a world that nobody has compiled nothing is known, which is not the same as nothing.
    asked.notified().await;
    loop {
        let world = cx.world.load_full();
        round(&cx, &world.compiled().registries, &mut known, longest).await;
        loaded(&known.facts);
        longest = period;
        // A round that nobody asked for is due after the period; asking is not an error.
        drop(timeout(period, asked.notified()).await);
    }
}

/// One look at what the rules lead to, or at as much of it as there is time for.
async fn round(
    cx: &Context,
    registries: &BTreeMap<Registry, Destinations>,
    known: &mut Known,
    longest: Duration,
) {
    let until = Instant::now() + longest;
    let looks = registries.iter().map(|(registry, destinations)| {
        let known = &*known;
        async move {
            (
                registry,
                list(cx, (registry, destinations), known, until).await,
            )
        }
    });
    let mut facts = Facts::default();
    let mut listed_at = BTreeMap::new();
    for (registry, listed) in join_all(looks).await {
        let Listed { names, images } = match listed {
            Ok(listed) => listed,
            Err(error) => {
                warn!(%registry, %error, "what was known of its images is kept");
                facts.keep(&known.facts, registry);
                continue;
            }
        };
        debug!(%registry, repositories = names.len(), listed = images.len(), "images listed");
        for name in names {
            if let Some(images) = known.facts.images(registry, name.as_str()) {
                facts.record(registry, name.clone(), Arc::clone(images));
            }
            let at = (registry.clone(), name);
            if let Some(since) = known.listed.get(&at) {
                listed_at.insert(at, *since);
            }
        }
        for (name, images) in images {
            match images {
                Ok(images) => facts.record(registry, name.clone(), Arc::new(images)),
                Err(error) => debug!(%error, repository = %name, "what was known is kept"),
            }
            listed_at.insert((registry.clone(), name), Instant::now());
        }
    }
    *known = Known {
        facts: Arc::new(facts),
        listed: listed_at,
        rounds: known.rounds + 1,
    };
}

/// What came of one registry's part of a round.
struct Listed {
    /// All repositories that rules lead to.
    names: Vec<RepositoryName>,
    /// The images of those that there was time for.
    images: Vec<(RepositoryName, Result<Images, ecr::Error>)>,
}

async fn list(
    cx: &Context,
    (registry, destinations): (&Registry, &Destinations),
    known: &Known,
    until: Instant,
) -> Result<Listed, Stop> {
    let Destinations {
        repositories,
        prefixes,
    } = destinations;
    let handle = sign_in(cx, registry).await?;
    let many = handle.snapshot().is_some_and(|it| it.len() > MANY);
    // What a cache has filled since is only seen in a new list; our own repositories are known.
    let present = if prefixes.is_empty() || (many && !known.rounds.is_multiple_of(5)) {
        handle.listed().await
    } else {
        handle.refresh().await
    };
    let present = present.map_err(Stop::Failed)?;
    let cached = present
        .keys()
        .filter(|name| prefixes.iter().any(|it| it.covers(name)));
    let names: BTreeSet<RepositoryName> = repositories.iter().chain(cached).cloned().collect();
    let in_order = in_order(cx, (registry, &names), known);
    let lists = stream::iter(in_order)
        .take_while(|_| ready(Instant::now() < until))
        .map(|name| {
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
    let images = lists.buffer_unordered(AT_ONCE).collect().await;
    Ok(Listed {
        names: names.into_iter().collect(),
        images,
    })
}

/// The repositories in the order in which they are to be listed: what was never listed and what was
/// listed longest ago first, every other one of those that pods use as long as there are such.
fn in_order(
    cx: &Context,
    (registry, names): (&Registry, &BTreeSet<RepositoryName>),
    known: &Known,
) -> Vec<RepositoryName> {
    let usage = cx.usage.load_full();
    let mut oldest: Vec<_> = names.iter().collect();
    oldest.sort_by_cached_key(|it| known.listed.get(&(registry.clone(), (*it).clone())));
    let is_used = |it: &&RepositoryName| {
        let usage = usage.as_ref();
        usage.is_some_and(|usage| !usage.of(registry, it).is_empty())
    };
    let (used, others): (Vec<_>, Vec<&RepositoryName>) = oldest.into_iter().partition(is_used);
    let pairs = used.len().max(others.len());
    let in_turn = (0..pairs).flat_map(|at| [used.get(at), others.get(at)]);
    in_turn.flatten().map(|it| (*it).clone()).collect()
}

/// The policy's registry, through whichever environment declares it.
async fn sign_in(cx: &Context, registry: &Registry) -> Result<ecr::Registry, Stop> {
    let environment = declaring(registry, &cx.world.load_full());
    match environment {
        Some(environment) => cx
            .sign_in(&environment, registry)
            .await
            .map_err(Stop::Failed),
        None => Err(Stop::Stopped(Stopped {
            environment: None,
            region: Some(registry.region.clone()),
            reason: Reason::EnvironmentNotReady,
            field: "spec.environment".to_owned(),
            message: format!("no usable EnvironmentAccount declares {registry}"),
        })),
    }
}

fn declaring(registry: &Registry, world: &World) -> Option<Environment> {
    let environments = world.environments();
    let mut environments = environments.filter_map(|it| desired::environment(it, world).ok());
    environments.find(|it| it.registries.contains(registry))
}
