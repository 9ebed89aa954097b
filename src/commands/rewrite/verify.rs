//! Asks ECR whether each image is where its reference will lead to: there and pullable, and for an
//! own repository the same in all its environments.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anyhow::Context as _;
use futures::StreamExt as _;
use futures::stream;

use super::finding::{File, Outcome, Rule};
use super::rulebook::Rulebook;
use crate::commands::aws::Aws;
use crate::controllers::identity;
use crate::desired;
use crate::domain::RepositoryName;
use crate::domain::facts::Images;
use crate::domain::names::{ClusterId, Registry};
use crate::domain::reference::Reference;
use crate::ecr::{Priority, Sessions, Settings};

/// Repositories that are listed at the same time.
const AT_ONCE: usize = 16;

/// An image and where it has to be.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Wanted {
    repository: RepositoryName,
    /// `:tag`, `@digest`, or nothing where another file says the tag.
    version: String,
    places: BTreeSet<Place>,
}

/// An environment, and its registry that pods will pull from: each policy may lead to another region.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Place {
    environment: String,
    registry: Registry,
}

/// What was found out of each image.
pub(super) struct Verified(Vec<(Wanted, BTreeMap<String, Found>)>);

/// What one environment says of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Found {
    /// It is there, with this digest.
    Digest(String),
    /// It is not there.
    Absent,
    /// Its repository holds images; which of them is meant, another file says.
    SomeTag,
}

/// Looks for every target of `files`.
pub(super) async fn verify(files: &[File], book: &Rulebook, aws: &Aws) -> anyhow::Result<Verified> {
    let wanted = wanted(files, book);
    let cluster: ClusterId = "rewrite".parse().expect("seven letters are a cluster id");
    let settings = Settings {
        endpoints: aws.endpoints(),
        ..Settings::new(cluster)
    };
    let sessions = Sessions::new(settings).await;
    let asked: BTreeSet<(&Place, &RepositoryName)> = wanted
        .iter()
        .flat_map(|it| it.places.iter().map(|place| (place, &it.repository)))
        .collect();
    let lists = stream::iter(asked).map(|(place, repository)| {
        let sessions = &sessions;
        async move {
            let images = images(sessions, book, place, repository).await?;
            anyhow::Ok(((place, repository), images))
        }
    });
    let lists: Vec<_> = lists.buffer_unordered(AT_ONCE).collect().await;
    let lists: BTreeMap<_, Images> = lists.into_iter().collect::<anyhow::Result<_>>()?;
    let verified = wanted.iter().map(|it| {
        let found = it.places.iter().map(|place| {
            let images = &lists[&(place, &it.repository)];
            (place.told(book), look(images, &it.version))
        });
        (it.clone(), found.collect())
    });
    Ok(Verified(verified.collect()))
}

async fn images(
    sessions: &Sessions,
    book: &Rulebook,
    Place {
        environment,
        registry,
    }: &Place,
    repository: &RepositoryName,
) -> anyhow::Result<Images> {
    let object = book.world.environment(environment);
    let object = object.with_context(|| format!("there is no EnvironmentAccount {environment}"))?;
    let declared = desired::environment(object, &book.world)
        .map_err(|it| anyhow::anyhow!("EnvironmentAccount {environment}: {it}"))?;
    let handle = sessions.registry(registry, &identity(&declared)).await?;
    Ok(handle.at(Priority::Edit).images(repository).await?)
}

fn wanted(files: &[File], book: &Rulebook) -> BTreeSet<Wanted> {
    let findings = files.iter().flat_map(|it| &it.findings);
    let wanted = findings.filter_map(|finding| {
        let Outcome::Rewritten {
            target,
            registry,
            rule,
            ..
        } = &finding.outcome
        else {
            return None;
        };
        let image = Reference::parse(target).ok()?;
        let digest = image.digest().map(|it| format!("@{it}"));
        let tag = || image.tag().map(|it| format!(":{it}"));
        let place = |environment: String, registry: &Registry| Place {
            environment,
            registry: registry.clone(),
        };
        let own = finding.environment.clone();
        let mut places: BTreeSet<Place> =
            own.iter().map(|it| place(it.clone(), registry)).collect();
        if let Rule::ImageRepository(name) = rule {
            let namespace = name.split_once('/').map_or("", |it| it.0);
            let others = book.environments_of(name).into_iter();
            places.extend(
                others
                    .filter(|it| Some(it) != own.as_ref())
                    .filter_map(|it| {
                        let registry = book.registry(&it, (&finding.text, namespace))?;
                        Some(place(it, registry))
                    }),
            );
        }
        Some(Wanted {
            repository: image.repository().to_string().parse().ok()?,
            version: digest.or_else(tag).unwrap_or_default(),
            places,
        })
    });
    wanted.collect()
}

fn look(images: &Images, version: &str) -> Found {
    let digest = if let Some(digest) = version.strip_prefix('@') {
        images.digests.get(digest)
    } else if let Some(tag) = version.strip_prefix(':') {
        images.tags.get(tag)
    } else if images.tags.is_empty() {
        return Found::Absent;
    } else {
        return Found::SomeTag;
    };
    digest.map_or(Found::Absent, |it| Found::Digest(it.clone()))
}

impl Place {
    /// The environment, and the region where that is not its home.
    fn told(&self, book: &Rulebook) -> String {
        let Self {
            environment,
            registry,
        } = self;
        let region = &registry.region;
        let object = book.world.environment(environment);
        match object.is_some_and(|it| it.spec.region == region.as_str()) {
            true => environment.clone(),
            false => format!("{environment}/{region}"),
        }
    }
}

impl Verified {
    /// Whether every image is there, and the same everywhere.
    pub(super) fn is_good(&self) -> bool {
        self.0.iter().all(|(_, found)| is_good(found))
    }

    /// A line for each image.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        for (wanted, found) in &self.0 {
            let Wanted {
                repository,
                version,
                ..
            } = wanted;
            let places = found.iter().map(|(environment, it)| match it {
                Found::Digest(_) => format!("{environment} ok"),
                Found::Absent => format!("{environment} ABSENT"),
                Found::SomeTag => format!("{environment} has images (the tag is said elsewhere)"),
            });
            let places = places.collect::<Vec<_>>().join("  ");
            let digests: BTreeSet<&str> = found.values().filter_map(Found::digest).collect();
            let digests = match digests.len() {
                0 => String::new(),
                1 => format!("  {} in all", digests.first().copied().unwrap_or_default()),
                _ => format!(
                    "  DIFFERENT: {}",
                    digests.into_iter().collect::<Vec<_>>().join(", ")
                ),
            };
            let verdict = if !is_good(found) {
                "refused "
            } else if found.values().any(|it| *it == Found::SomeTag) {
                "partly  "
            } else {
                "verified"
            };
            writeln!(out, "{verdict}  {repository}{version}  {places}{digests}")?;
        }
        Ok(())
    }
}

impl Found {
    fn digest(&self) -> Option<&str> {
        match self {
            Self::Digest(digest) => Some(digest),
            Self::Absent | Self::SomeTag => None,
        }
    }
}

/// Whether an image is everywhere, with the same digest.
fn is_good(found: &BTreeMap<String, Found>) -> bool {
    let digests: BTreeSet<_> = found.values().filter_map(Found::digest).collect();
    digests.len() <= 1 && !found.values().any(|it| *it == Found::Absent)
}
