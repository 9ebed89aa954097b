//! The decisions, each from what the repository, its environment, its pods and its objects say now.

use super::{
    Authority, Claimant, End, Findings, Pods, Question, Terms, Waiting, is_announced, is_of, of,
};
use crate::domain::Moment;
use crate::domain::owner;
use crate::domain::policy::{Document, Unfit};
use crate::domain::repository::deletion::{Kept, has_room};
use crate::domain::repository::release::freed;
use crate::domain::repository::stock::Look;
use crate::domain::repository::{Change, Observed, Reading};

/// What to do next with one repository. What costs nothing to know is asked first. Whether the
/// repository still is what it was is read last, by whoever carries this out.
pub fn plan_end(terms: &Terms, observed: Option<&Observed>, findings: &Findings) -> End {
    let Some(observed) = observed else {
        return End::NotOurs;
    };
    let tags = &observed.tags;
    // Without any owner's tag it was ours when it was put under quarantine.
    let is_ours = is_of(tags, &terms.cluster) || !tags.contains_key(owner::CLUSTER);
    let quarantine = Quarantine::of(observed);
    match (verdict(terms, observed, findings), quarantine) {
        (Verdict::Asks(question), _) => End::Ask(question),
        (Verdict::NotOurs, Quarantine::None) => End::NotOurs,
        (Verdict::NotOurs, _) if !is_ours => End::NotOurs,
        (Verdict::NotOurs, _) => lifted(observed, Waiting::TombstoneGone),
        (Verdict::Waits(why), Quarantine::None) => End::Waits(why),
        (Verdict::Waits(why), Quarantine::Announced | Quarantine::InForce) => lifted(observed, why),
        (Verdict::Keeps(why), _) => End::Kept(freed(observed), why),
        (Verdict::Condemns, _) => condemned(terms, observed),
        (Verdict::Goes(look), quarantine) => go(observed, look, quarantine),
    }
}

/// How far the quarantine of a repository is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Quarantine {
    None,
    /// Its tag stands, or what is left of its statement.
    Announced,
    /// Its policy denies everybody to push and to pull.
    InForce,
}

impl Quarantine {
    fn of(observed: &Observed) -> Self {
        let (is_marked, is_in_force) = match &observed.policy {
            Reading::Present(policy) => (policy.is_marked(), policy.is_quarantine()),
            Reading::NotRead | Reading::Absent | Reading::Foreign(_) => (false, false),
        };
        match is_announced(&observed.tags) {
            true if is_in_force => Self::InForce,
            false if !is_marked => Self::None,
            _ => Self::Announced,
        }
    }
}

/// What is to become of a repository, whatever was done to it so far.
enum Verdict<'a> {
    NotOurs,
    Waits(Waiting),
    Asks(Question),
    Condemns,
    Keeps(Kept),
    Goes(&'a Look),
}

fn verdict<'a>(terms: &Terms, observed: &Observed, findings: &'a Findings) -> Verdict<'a> {
    let Terms {
        cluster,
        authority,
        allow_delete,
        clocks,
        due: _,
        condemned_before,
        settled,
        unused_since,
    } = terms;
    let tags = &observed.tags;
    let Some(due) = of(tags).filter(|_| is_of(tags, cluster)) else {
        return Verdict::NotOurs;
    };
    match authority {
        Authority::Manages => {}
        Authority::Observes | Authority::Suspended | Authority::Leaving => {
            return Verdict::Waits(Waiting::NoAuthority(*authority));
        }
    }
    let Ok(due) = due else {
        return Verdict::Waits(Waiting::Unreadable(owner::DELETE_AFTER));
    };
    if !allow_delete {
        return Verdict::Keeps(Kept::NotAllowed);
    }
    if !clocks.agree() {
        return Verdict::Waits(Waiting::ClocksDiffer(clocks.clone()));
    }
    // A moment that no clock of ours vouched for skips no delay: it counts from now.
    let condemned = match tags.get(owner::CONDEMNED_AT).map(|it| it.parse::<Moment>()) {
        None if has_room(observed) => return Verdict::Condemns,
        None => return Verdict::Keeps(Kept::NoRoom),
        Some(Err(_)) => return Verdict::Waits(Waiting::Unreadable(owner::CONDEMNED_AT)),
        Some(Ok(condemned)) => condemned,
    };
    let due = due.max(settled.clone());
    if clocks.aws < due || condemned > *condemned_before {
        return Verdict::Waits(Waiting::Delay(due));
    }
    let announced = tags
        .get(owner::QUARANTINED_AT)
        .map(|it| it.parse::<Moment>());
    match announced.transpose() {
        Ok(announced) => judge(unused_since, announced.as_ref(), findings),
        Err(_) => Verdict::Waits(Waiting::Unreadable(owner::QUARANTINED_AT)),
    }
}

/// What the images, the pods and the objects say; the living are asked last.
fn judge<'a>(
    unused_since: &Moment,
    announced: Option<&Moment>,
    findings: &'a Findings,
) -> Verdict<'a> {
    let Findings {
        pods,
        claimant,
        look,
        first_look,
    } = findings;
    match pods {
        None => return Verdict::Asks(Question::Pods),
        Some(Pods::NotLoaded) => return Verdict::Waits(Waiting::PodsNotLoaded),
        Some(Pods::Some(names)) => return Verdict::Waits(Waiting::InUse(names.clone())),
        Some(Pods::None) => {}
    }
    let Some(look) = look else {
        return Verdict::Asks(Question::Images);
    };
    let more = first_look.as_ref().is_some_and(|it| look.has_more_than(it));
    if more || announced.is_some_and(|it| look.came_since(it)) {
        return Verdict::Keeps(Kept::ImageCame);
    }
    // Also what was used in the very second of the look: it may have been used after it.
    let used = look.last_use();
    if let Some(used) = used.filter(|it| *it >= unused_since.min(&look.at)) {
        return Verdict::Waits(Waiting::UsedLately(used.clone()));
    }
    match claimant {
        None => Verdict::Asks(Question::Claimant),
        Some(Claimant::Object(name)) => Verdict::Waits(Waiting::Claimed(name.clone())),
        Some(Claimant::Nobody) => Verdict::Goes(look),
    }
}

/// The next step to the end of a repository that goes.
fn go(observed: &Observed, look: &Look, quarantine: Quarantine) -> End {
    if look.images.is_empty() {
        return End::Deleted(Change::DeleteRepository);
    }
    let policy = match &observed.policy {
        Reading::NotRead => return End::Ask(Question::Policy),
        Reading::Absent => Document::quarantined(None),
        Reading::Present(policy) => Document::quarantined(Some(policy)),
        Reading::Foreign(_) => Err(Unfit::Unreadable),
    };
    match (policy, quarantine) {
        (Err(unfit), Quarantine::None) => End::Waits(Waiting::NoQuarantine(unfit)),
        (Err(unfit), _) => lifted(observed, Waiting::NoQuarantine(unfit)),
        (Ok(_), Quarantine::None) if !has_room(observed) => {
            End::Kept(freed(observed), Kept::NoRoom)
        }
        (Ok(_), Quarantine::None) => {
            End::Announced(tagged([(owner::QUARANTINED_AT, look.at.clone())]))
        }
        (Ok(policy), Quarantine::Announced) => {
            match is_announced(&observed.tags) {
                true => End::Quarantined(Change::SetRepositoryPolicy(policy)),
                // Somebody took the tag off: without it the list does not show the quarantine.
                false => End::Announced(tagged([(owner::QUARANTINED_AT, look.at.clone())])),
            }
        }
        (Ok(_), Quarantine::InForce) => End::Emptied(look.batch()),
    }
}

fn lifted(observed: &Observed, why: Waiting) -> End {
    let tag = Change::UntagResource([owner::QUARANTINED_AT.to_owned()].into());
    let tag = is_announced(&observed.tags).then_some(tag);
    End::Lifted(observed.lifting().into_iter().chain(tag).collect(), why)
}

/// The delay counts from now, and the tombstone says until when.
fn condemned(terms: &Terms, observed: &Observed) -> End {
    let standing = of(&observed.tags).and_then(Result::ok);
    let due = standing.max(Some(terms.due.clone()));
    let due = due.unwrap_or_else(|| terms.due.clone());
    let now = terms.clocks.aws.clone();
    End::Condemned(tagged([
        (owner::CONDEMNED_AT, now),
        (owner::DELETE_AFTER, due),
    ]))
}

fn tagged<const N: usize>(tags: [(&str, Moment); N]) -> Change {
    let tags = tags.map(|(key, at)| (key.to_owned(), at.to_string()));
    Change::TagResource(tags.into())
}
