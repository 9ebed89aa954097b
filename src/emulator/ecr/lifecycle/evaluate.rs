//! What a lifecycle policy does to a repository's images at a time.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html#lp_evaluation_rules>

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::super::super::state::{Image, Repository, Status, wildcard};
use super::super::images::storage::active_index_of;
use super::document::{Action, Count, Rule, Selects, Storage};

/// What becomes of an image, and which rule says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Marked {
    /// The rule's priority.
    pub(crate) priority: u64,
    /// What becomes of the image.
    pub(crate) action: Action,
    /// Where it lies now.
    pub(crate) storage: Storage,
}

/// The images that the rules, sorted by priority, act on, by digest. All rules see all images, and
/// an image that a rule selects is that rule's: none of a lower priority acts on it.
pub(crate) fn evaluate<'a>(
    rules: &[Rule],
    repository: &'a Repository,
    now: Timestamp,
) -> BTreeMap<&'a str, Marked> {
    let tags = repository.tags_by_digest();
    let mut claimed: BTreeMap<&str, Option<Marked>> = BTreeMap::new();
    for rule in rules {
        let mut selected: Vec<(&str, &Image)> = repository
            .images
            .iter()
            .map(|(digest, image)| (digest.as_str(), image))
            .filter(|(digest, image)| {
                let tags = tags.get(digest).map_or(&[][..], |it| it);
                lies_in(rule.storage, image)
                    && rule.selects.includes(tags)
                    && !follows(repository, image)
            })
            .collect();
        // The newest first; of the same time the one with the greater digest counts as newer.
        selected.sort_by_key(|(digest, image)| std::cmp::Reverse((image.pushed, *digest)));
        for (index, (digest, image)) in selected.into_iter().enumerate() {
            let due = rule.count.is_due(index, image, now) && is_free(repository, digest, rule);
            let marked = Marked {
                priority: rule.priority,
                action: rule.action,
                storage: rule.storage,
            };
            claimed
                .entry(digest)
                .or_insert_with(|| due.then_some(marked));
        }
    }
    claimed
        .into_iter()
        .filter_map(|(digest, it)| Some((digest, it?)))
        .collect()
}

fn lies_in(storage: Storage, image: &Image) -> bool {
    match storage {
        Storage::Standard => image.status == Status::Active,
        Storage::Archive => image.status == Status::Archived,
    }
}

/// A signature, or whatever else refers to an image that is there, goes with that image.
fn follows(repository: &Repository, image: &Image) -> bool {
    image
        .subject
        .as_ref()
        .is_some_and(|it| repository.images.contains_key(it))
}

/// An image stays as long as an index needs it.
fn is_free(repository: &Repository, digest: &str, rule: &Rule) -> bool {
    match rule.action {
        Action::Expire => !repository
            .images
            .values()
            .any(|it| it.children.contains(digest)),
        Action::Archive => active_index_of(repository, digest).is_none(),
    }
}

impl Selects {
    fn includes(&self, tags: &[&str]) -> bool {
        match self {
            Self::Any => true,
            Self::Untagged => tags.is_empty(),
            Self::Prefixes(prefixes) => prefixes
                .iter()
                .all(|prefix| tags.iter().any(|it| it.starts_with(prefix.as_str()))),
            Self::Patterns(patterns) => patterns
                .iter()
                .all(|pattern| tags.iter().any(|it| wildcard(pattern, it))),
        }
    }
}

impl Count {
    /// Whether an image is beyond what is kept; `index` counts the newer ones.
    fn is_due(self, index: usize, image: &Image, now: Timestamp) -> bool {
        let older = |since: Timestamp, days: u64| {
            let hours = i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(24);
            now.duration_since(since) > SignedDuration::from_hours(hours.min(1 << 32))
        };
        match self {
            Self::MoreThan(kept) => index as u64 >= kept,
            Self::DaysSincePushed(days) => older(image.pushed, days),
            // An image that was never pulled counts from its push, a restored one from then.
            Self::DaysSincePulled(days) => {
                let last = [image.pulled, image.activated].into_iter().flatten().max();
                older(last.unwrap_or(image.pushed), days)
            }
            Self::DaysSinceTransitioned(days) => image.archived.is_some_and(|it| older(it, days)),
        }
    }
}

#[cfg(test)]
mod tests;
