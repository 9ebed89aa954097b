//! Reading AWS: each registry's lists once, and then by name what a list leaves open. A plan that
//! would change something is made again from a targeted read, as the controllers do, since lists lag
//! behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;
use futures::stream::{self, StreamExt};

use super::asked::{Asked, Cache, Repository, Wanted};
use super::previewed;
use super::progress::Progress;
use super::report::{Report, Row, Unread};
use super::retrofit;
use crate::controllers::identity;
use crate::desired::{Environment, Target};
use crate::domain::owner::{self, Ownership};
use crate::domain::pull_through::Prefix;
use crate::domain::repository::{self, Observed, Setting};
use crate::domain::{Registry, pull_through, template};
use crate::ecr::{self, Priority, Seen, Sessions};

/// Reads by name at the same time in one registry; its limiter spaces them.
const READERS: usize = 16;

/// Looks at all that is asked for.
pub(super) async fn look(sessions: &Sessions, asked: Asked) -> Report {
    let began = Instant::now();
    let Asked {
        mut objects,
        places,
        ..
    } = asked;
    let progress = Progress::of(places.values());
    let registries = places.values().flat_map(|it| {
        let registries = it.registries.iter();
        registries.map(|(registry, wanted)| (&it.environment, registry, wanted))
    });
    let looks: Vec<_> = registries
        .map(|(environment, registry, wanted)| {
            look_in(sessions, (environment, registry), wanted, &progress)
        })
        .collect();
    let registries = looks.len();
    let mut unread = Vec::new();
    for found in join_all(looks).await {
        match found {
            Ok(rows) => {
                for (at, row) in rows {
                    objects[at].rows.push(row);
                }
            }
            Err(it) => unread.push(it),
        }
    }
    progress.end();
    for object in &mut objects {
        object.rows.sort_by_key(Row::place);
    }
    let calls = sessions.counts().iter().map(|it| it.calls).sum();
    Report {
        objects,
        unread,
        registries,
        calls,
        elapsed: began.elapsed(),
    }
}

async fn look_in(
    sessions: &Sessions,
    (environment, registry): (&Environment, &Registry),
    wanted: &Wanted,
    progress: &Progress,
) -> Result<Vec<(usize, Row)>, Unread> {
    let unread = |error: ecr::Error| Unread {
        environment: environment.name.to_string(),
        registry: registry.clone(),
        targets: wanted.targets(),
        error,
    };
    let handle = sessions.registry(registry, &identity(environment)).await;
    let handle = handle.map_err(unread)?.at(Priority::Edit);
    let mut rules = wanted.rules.iter();
    let mut settings = wanted.settings.iter();
    if !wanted.repositories.is_empty()
        || rules.any(|(_, it)| it.target.retrofit.is_some())
        || settings.any(|(_, it)| it.needs_list())
    {
        handle.listed().await.map_err(unread)?;
    }
    let repositories = stream::iter(&wanted.repositories)
        .map(|(at, wanted)| async {
            let row = repository(&handle, wanted).await;
            progress.read(registry);
            (*at, row)
        })
        .buffered(READERS);
    let mut rows: Vec<(usize, Row)> = repositories.collect().await;
    for (at, release) in &wanted.released {
        rows.push((*at, release.look(&handle).await));
    }
    if !wanted.rules.is_empty() {
        let rules = handle.rules().await.map_err(unread)?;
        let templates = templates(&handle, wanted).await.map_err(unread)?;
        rows.extend(wanted.rules.iter().map(|(at, cache)| {
            let Cache { target, waits } = cache;
            let rule = pull_through::plan(&target.desired, &rules);
            let template = template::plan(&target.template, &templates);
            let mut row = Row::of_rule(target, rule, template);
            let listed = handle.snapshot().unwrap_or_default();
            retrofit::add(&mut row, (target, waits.as_ref()), &rules, &listed);
            (*at, row)
        }));
    }
    if let Some((at, settings)) = &wanted.settings {
        rows.push((*at, settings.look(&handle).await));
    }
    Ok(rows)
}

/// The registry's templates, where any rule is about one.
async fn templates(handle: &ecr::Registry, wanted: &Wanted) -> Result<Templates, ecr::Error> {
    let mut templates = wanted
        .rules
        .iter()
        .map(|(_, it)| &it.target.template.settings);
    if templates.all(|it| *it == Setting::Unmanaged) {
        return Ok(Templates::new());
    }
    handle.templates().await
}

type Templates = BTreeMap<Prefix, template::Observed>;

async fn repository(handle: &ecr::Registry, wanted: &Repository) -> Row {
    let Repository { target, previewed } = wanted;
    match observe(handle, target).await {
        Ok(observed) => {
            let target = under_its_uid(target, observed.as_ref());
            let plan = repository::plan(&target.desired, observed.as_ref());
            let plan = previewed::hold(plan, &target.desired.safety, previewed.as_ref());
            Row::of_repository(&target, plan)
        }
        Err(error) => Row::unread((&target.environment, &target.registry), &error),
    }
}

async fn observe(handle: &ecr::Registry, target: &Target) -> Result<Option<Observed>, ecr::Error> {
    let name = &target.desired.name;
    let observed = match handle.seen(name) {
        Seen::Unknown | Seen::Absent => return Ok(None),
        Seen::Present(observed) => Arc::unwrap_or_clone(observed),
    };
    let known = under_its_uid(target, Some(&observed));
    let plan = repository::plan(&known.desired, Some(&observed));
    let in_step = plan.changes.is_empty() && plan.held.is_empty();
    if in_step && !target.desired.needs_reading(&observed) {
        return Ok(Some(observed));
    }
    handle.observe(name).await
}

/// An object of a file has no uid: one that the repository names as its owner is that object.
fn under_its_uid(target: &Target, observed: Option<&Observed>) -> Target {
    let mut target = target.clone();
    let owner = &mut target.desired.owner;
    if !owner.uid.is_empty() {
        return target;
    }
    owner.uid = "of the object".to_owned();
    if let Some(observed) = observed
        && owner.judge(&observed.tags) == Ownership::OursUnderAnotherUid
        && let Some(uid) = observed.tags.get(owner::UID)
    {
        owner.uid.clone_from(uid);
    }
    target
}
