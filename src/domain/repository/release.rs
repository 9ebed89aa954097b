//! From an owner to nobody, and back: which tags are put and taken off, in an order in which a crash
//! after any call leaves a repository that is still somebody's, or bears the mark of who released it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, MOST_TAGS, Observed};
use crate::domain::owner::{self, CLUSTER, OBJECT, RELEASED_BY, UID};

/// The calls after which a repository of ours is nobody's. The mark comes first: without it, nobody
/// would know who may take the repository back. Where it has no room, the uid makes some, since what
/// is left of the owner tags still names the object.
pub(super) fn freed(observed: &Observed) -> Vec<Change> {
    let tags = &observed.tags;
    let mark = owner::mark_of_release(tags).filter(|it| tags.get(RELEASED_BY) != Some(it));
    let mark = mark.map(|it| Change::TagResource(BTreeMap::from([(RELEASED_BY.to_owned(), it)])));
    // Another spelling of the key would contradict the mark.
    let others = owner::keys_of_release(tags).into_iter();
    let others = others.filter(|it| it != RELEASED_BY);
    let owners = [CLUSTER, OBJECT].map(str::to_owned);
    let rest = [UID].into_iter().chain(owner::MARKS).map(str::to_owned);
    let rest: BTreeSet<String> = rest.chain(others).collect();
    let mut all = rest.clone();
    all.extend(owners.clone());
    let has_room = tags.len() < MOST_TAGS || tags.contains_key(RELEASED_BY);
    let tags = match mark {
        None => vec![Change::UntagResource(all)],
        Some(mark) if has_room => vec![mark, Change::UntagResource(all)],
        Some(mark) => vec![
            Change::UntagResource(rest),
            mark,
            Change::UntagResource(owners.into()),
        ],
    };
    // A quarantine is lifted first: while it stands, the tags say so.
    observed.lifting().into_iter().chain(tags).collect()
}

/// Tags to put on a repository and to take off.
pub(super) struct TagChanges {
    pub(super) put: BTreeMap<String, String>,
    pub(super) taken: BTreeSet<String>,
}

/// Whose a repository is before its tags are changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Holder {
    /// Ours.
    Ours,
    /// Nobody's, and ours to take back by its mark.
    Released,
    /// Nobody's.
    Unowned,
}

impl TagChanges {
    /// How many tags ECR counts at most while they are changed, `found` being there before: a tag that
    /// is about to go counts until it is gone.
    pub(super) fn most(&self, found: &BTreeMap<String, String>, holder: Holder) -> usize {
        let new = self
            .put
            .keys()
            .filter(|it| !found.contains_key(*it))
            .count();
        let (together, taken) = (found.len() + new, self.taken.len());
        if together <= MOST_TAGS {
            return together;
        }
        match holder {
            Holder::Ours => together - taken,
            Holder::Released => (together - taken).max(found.len() + [CLUSTER, OBJECT].len()),
            // None goes before the owner tags are put.
            Holder::Unowned => together,
        }
    }

    /// The calls, where all of them fit. The owner tags go first: a crash after any later call leaves
    /// a repository that is ours. Where the mark of a release is in their way, those come first that
    /// name the object.
    pub(super) fn calls(
        self,
        found: &BTreeMap<String, String>,
        holder: Holder,
    ) -> impl Iterator<Item = Change> {
        let Self { mut put, taken } = self;
        let new = put.keys().filter(|it| !found.contains_key(*it)).count();
        let has_room = found.len() + new <= MOST_TAGS;
        let names_the_object = |key: &String| [CLUSTER, OBJECT].contains(&key.as_str());
        let first: BTreeMap<_, _> = put
            .extract_if(.., |key, _| {
                has_room || (holder == Holder::Released && names_the_object(key))
            })
            .collect();
        let tag = |it: BTreeMap<_, _>| (!it.is_empty()).then_some(Change::TagResource(it));
        let untag = (!taken.is_empty()).then_some(Change::UntagResource(taken));
        [tag(first), untag, tag(put)].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;
