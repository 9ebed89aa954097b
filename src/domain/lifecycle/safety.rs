//! The safety catch. What ECR's preview says that a policy would take of a repository is held
//! against a budget, and against what pods use; expired images cannot be had back.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lpp_creation.html>

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{ActionType, Document};
use crate::domain::usage::{Used, Users};

/// How far a policy may go in one repository, and what was found of it there before.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Safety {
    /// The policy, for people: the name of the `LifecyclePolicy`.
    pub policy: String,
    /// Which edit of the policy this is. A person has acted when it is another.
    pub revision: i64,
    /// The most images that may expire without approval.
    pub budget: Budget,
    /// What becomes of a policy in force that would take an image in use.
    pub protect: Protect,
    /// What a person has written into the policy: the hash of an [`Offer`](super::approval::Offer).
    pub approval: Option<String>,
    /// The most images that a person has approved to expire in this repository.
    pub approved: Option<usize>,
    /// The most images that a person was asked about for this repository before.
    pub asked: Option<usize>,
    /// The image in use that the policy, as it is in force, was last seen to take.
    pub found: Option<InUse>,
    /// It was taken off since it would have taken an image in use, and nobody has edited it since.
    pub suspended: bool,
}

/// The most images of a repository that a policy may expire without approval; both hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// Of a hundred images.
    pub percent: u32,
    /// Images.
    pub images: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            percent: 20,
            images: 500,
        }
    }
}

/// What becomes of a policy in force that would take an image in use.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protect {
    /// It stays, and a person is told.
    #[default]
    Warn,
    /// It is taken off, and stays off until a person edits it.
    Suspend,
}

/// An image that a policy acts on, as its preview tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Taken {
    /// Its digest.
    pub digest: String,
    /// All its tags.
    pub tags: Vec<String>,
    /// What becomes of it. An archived image cannot be pulled either.
    pub action: ActionType,
}

/// All images of a repository, archived ones too.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inventory {
    /// Every digest, of indexes and of their children.
    pub digests: BTreeSet<String>,
    /// The digest that each tag names.
    pub tags: BTreeMap<String, String>,
    /// The digests of indexes.
    pub indexes: BTreeSet<String>,
}

/// By the digest of an index, the digests of its images.
pub type Children = BTreeMap<String, BTreeSet<String>>;

/// What a policy would do to a repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Preview {
    /// The policy.
    pub document: Document,
    /// The images that it acts on.
    pub taken: Vec<Taken>,
    /// All images; may be empty where none is taken.
    pub inventory: Inventory,
    /// The images of the indexes that matter, see [`indexes_that_matter`].
    pub children: Children,
}

/// How much a policy would take.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Images in the repository; 0 where none is taken.
    pub images: usize,
    /// Images that would be deleted.
    pub expiring: usize,
    /// Images that would be archived.
    pub transitioning: usize,
}

/// Whether a policy may be put.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It may.
    Safe,
    /// Not before a person approves: more would expire than the budget allows.
    OverBudget,
    /// Not while pods use an image that it would take, whoever approved.
    InUse(InUse),
}

/// An image in use, and by whom, as a clause: `1.2 (sha256:4f5e…) would expire and is used by …`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InUse(pub String);

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a policy may be put: nothing that pods use may go, and no more than the budget allows
/// unless a person approved of so many here.
pub fn judge(preview: &Preview, used: &Used, safety: &Safety) -> Verdict {
    recall(preview.counts(), in_use(preview, used), safety)
}

/// The same of a preview of which only these are remembered: how much would be taken, and what of it
/// is in use.
pub fn recall(counts: Counts, in_use: Option<InUse>, safety: &Safety) -> Verdict {
    if let Some(in_use) = in_use {
        return Verdict::InUse(in_use);
    }
    let approved = safety.approved.is_some_and(|most| counts.expiring <= most);
    if approved || safety.budget.allows(counts) {
        Verdict::Safe
    } else {
        Verdict::OverBudget
    }
}

/// The indexes whose images decide whether something in use is taken: those that are taken, where a
/// node runs an image that may be theirs, and those in use, where an image is taken that may be theirs.
/// To look into an index may count as a pull of it, so no others are looked into.
pub fn indexes_that_matter(
    taken: &[Taken],
    inventory: &Inventory,
    used: &Used,
) -> BTreeSet<String> {
    let is_index = |it: &&String| inventory.indexes.contains(*it);
    let taken = || taken.iter().map(|it| &it.digest);
    let used = || inventory.used(used).map(|(digest, _)| digest);
    let mut matter = BTreeSet::new();
    if used().any(|it| !is_index(&it)) {
        matter.extend(taken().filter(is_index).cloned());
    }
    if taken().any(|it| !is_index(&it)) {
        matter.extend(used().filter(is_index).cloned());
    }
    matter
}

/// The first image in use that would be taken, in order of digest; ECR's own order is its own.
fn in_use(preview: &Preview, used: &Used) -> Option<InUse> {
    let Preview {
        document: _,
        taken,
        inventory,
        children,
    } = preview;
    let mut users: BTreeMap<&str, Users> = BTreeMap::new();
    let mut note = |digest, by: &Users| users.entry(digest).or_default().join(by);
    for (digest, by) in inventory.used(used) {
        note(digest, by);
        for child in children.get(digest).into_iter().flatten() {
            note(child, by);
        }
        let parents = children.iter().filter(|(_, it)| it.contains(digest));
        for (parent, _) in parents {
            note(parent, by);
        }
    }
    let mut found: Vec<_> = taken
        .iter()
        .filter_map(|it| Some((it, users.get(it.digest.as_str())?)))
        .collect();
    found.sort_by(|(a, _), (b, _)| a.digest.cmp(&b.digest));
    let (first, by) = found.first()?;
    let others = match found.len() - 1 {
        0 => String::new(),
        others => format!("; so are {others} more"),
    };
    Some(InUse(format!("{first} and is used by {by}{others}")))
}

impl Inventory {
    /// The digests that are used, and by whom: as such, or by a tag.
    fn used<'a>(&'a self, used: &'a Used) -> impl Iterator<Item = (&'a String, &'a Users)> {
        let digests = used.digests.iter();
        let digests = digests.filter_map(|(it, by)| Some((self.digests.get(it)?, by)));
        let tags = used.tags.iter();
        digests.chain(tags.filter_map(|(tag, by)| Some((self.tags.get(tag)?, by))))
    }
}

impl Preview {
    /// How much would be taken.
    pub fn counts(&self) -> Counts {
        let count = |action| self.taken.iter().filter(|it| it.action == action).count();
        Counts {
            images: self.inventory.digests.len(),
            expiring: count(ActionType::Expire),
            transitioning: count(ActionType::Transition),
        }
    }
}

impl Safety {
    /// The most images that a person is asked to let expire here: what was seen and a tenth, and at least
    /// ten more, so that an image that is pushed meanwhile does not ask again. `None`: the budget allows
    /// it. What was asked before stays, as long as it is about as much.
    pub fn ask(&self, counts: Counts) -> Option<usize> {
        if self.budget.allows(counts) {
            return None;
        }
        let Counts { expiring, .. } = counts;
        let most = expiring + (expiring / 10).max(10);
        let stays = |asked: &usize| expiring <= *asked && *asked <= 2 * most;
        Some(self.asked.filter(stays).unwrap_or(most))
    }
}

impl Budget {
    fn allows(self, counts: Counts) -> bool {
        let Counts {
            images, expiring, ..
        } = counts;
        let (percent, most) = (self.percent as usize, self.images as usize);
        expiring <= most && expiring.saturating_mul(100) <= images.saturating_mul(percent)
    }
}

/// `would expire 41 of 312 images (13.1 %)`, or what it does besides.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            images,
            expiring,
            transitioning,
        } = self;
        write!(f, "would expire {expiring} of {images} images")?;
        if let Some(tenths) = (expiring * 1000).checked_div(*images) {
            write!(f, " ({}.{} %)", tenths / 10, tenths % 10)?;
        }
        match transitioning {
            0 => Ok(()),
            some => write!(f, " and archive {some}"),
        }
    }
}

/// `20 % and 500 images`
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { percent, images } = self;
        write!(f, "{percent} % and {images} images")
    }
}

/// `1.2, latest (sha256:4f5e0c77a1b2) would expire`
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// `sha256:` and twelve digits, as tools show a digest.
        const SHORT: usize = 19;
        let Self {
            digest,
            tags,
            action,
        } = self;
        let becomes = match action {
            ActionType::Expire => "would expire",
            ActionType::Transition => "would be archived",
        };
        if tags.is_empty() {
            return write!(f, "{digest:.SHORT$} {becomes}");
        }
        write!(f, "{} ({digest:.SHORT$}) {becomes}", tags.join(", "))
    }
}

#[cfg(test)]
mod tests;
