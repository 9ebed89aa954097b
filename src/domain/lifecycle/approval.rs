//! What a person approves of a lifecycle policy that is over its budget: these rules, in these
//! repositories, for this many images in each. A repository that joins later, rules that are edited and
//! more images have another hash, so they ask again.

use std::collections::{BTreeMap, VecDeque};

use super::super::json;

/// The offers that are remembered beside the newest: a person may copy a hash while others join.
const REMEMBERED: usize = 16;

/// By the ARN of a repository, the most images that an approval lets expire there.
pub type Asks = BTreeMap<String, usize>;

/// What may be approved of one policy at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offer {
    /// The hash of the document, see [`super::Document::hash`].
    document: String,
    /// The places that ask.
    asks: Asks,
}

impl Offer {
    /// What `asks` come to for the document of this hash.
    pub fn new(document: String, asks: Asks) -> Self {
        Self { document, asks }
    }

    /// SHA-256 in hexadecimal: what a person writes into `spec.safety.approvedHash`. Where nothing asks
    /// it is the document's own, which approves nothing.
    pub fn hash(&self) -> String {
        if self.asks.is_empty() {
            return self.document.clone();
        }
        let asks = self.asks.iter();
        let asks = asks.map(|(place, most)| format!("\n{place} {most}"));
        let text: String = std::iter::once(self.document.clone()).chain(asks).collect();
        json::sha256(&text)
    }

    fn most(&self, document: &str, place: &str) -> Option<usize> {
        let most = self.asks.get(place).filter(|_| self.document == document);
        most.copied()
    }
}

/// The newest offer of a policy, and those before it that a person may still be about to approve.
#[derive(Clone, Debug, Default)]
pub struct Offers {
    /// By hash, the newest last.
    by_age: VecDeque<(String, Offer)>,
    /// The hash that is approved. Its offer stays, however many come after it.
    approved: Option<String>,
}

impl Offers {
    /// Takes in what may be approved now, and what is. Returns whether an approval has come into force
    /// that was not before: it was given before its offer was known here.
    pub fn update(&mut self, offer: Offer, approved: Option<String>) -> bool {
        let in_force = |it: &Self, hash: &Option<String>| {
            hash.as_ref().is_some_and(|hash| it.offer(hash).is_some())
        };
        let before = in_force(self, &approved) && self.approved == approved;
        self.approved = approved;
        if self
            .by_age
            .back()
            .is_none_or(|(_, newest)| *newest != offer)
        {
            let hash = offer.hash();
            self.by_age.retain(|(it, _)| *it != hash);
            self.by_age.push_back((hash, offer));
        }
        let too_old = self.by_age.len().saturating_sub(REMEMBERED);
        let mut age = 0;
        self.by_age.retain(|(hash, _)| {
            age += 1;
            age > too_old || self.approved.as_ref() == Some(hash)
        });
        !before && in_force(self, &self.approved)
    }

    /// The newest offer's hash, if it is one of this document.
    pub fn newest(&self, document: &str) -> Option<&str> {
        let (hash, offer) = self.by_age.back()?;
        (offer.document == document).then_some(hash)
    }

    /// The most images that the approval `hash` lets expire in a place where the document of this hash is
    /// to be put; `None`: it was never offered, or covers other rules or other places.
    pub fn approved(&self, hash: &str, document: &str, place: &str) -> Option<usize> {
        self.offer(hash)?.most(document, place)
    }

    fn offer(&self, hash: &str) -> Option<&Offer> {
        let found = self.by_age.iter().find(|(it, _)| it == hash);
        found.map(|(_, offer)| offer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "arn:aws:ecr:eu-central-1:111111111111:repository/shop/api";
    const WEB: &str = "arn:aws:ecr:eu-central-1:111111111111:repository/shop/web";

    fn offer(asks: &[(&str, usize)]) -> Offer {
        let asks = asks
            .iter()
            .map(|(place, most)| ((*place).to_owned(), *most));
        Offer::new("document".to_owned(), asks.collect())
    }

    #[test]
    fn hash_is_of_rules_places_and_counts() {
        let one = offer(&[(API, 51)]);
        let others = [
            offer(&[]),
            offer(&[(API, 52)]),
            offer(&[(WEB, 51)]),
            offer(&[(API, 51), (WEB, 51)]),
            Offer::new("edited".to_owned(), one.asks.clone()),
        ];
        assert!(others.iter().all(|it| it.hash() != one.hash()));
        assert_eq!(offer(&[]).hash(), "document", "nothing to approve");
    }

    #[test]
    fn approval_covers_what_was_offered_and_nothing_else() {
        let mut offers = Offers::default();
        let first = offer(&[(API, 51)]);
        offers.update(first.clone(), None);
        let hash = first.hash();
        assert_eq!(offers.approved(&hash, "document", API), Some(51));
        assert_eq!(offers.approved(&hash, "document", WEB), None);
        assert_eq!(offers.approved(&hash, "edited", API), None);
        assert_eq!(offers.approved("document", "document", API), None);

        let more = offer(&[(API, 51), (WEB, 20)]);
        offers.update(more.clone(), Some(hash.clone()));
        assert_eq!(offers.newest("document"), Some(more.hash().as_str()));
        assert_eq!(offers.approved(&hash, "document", WEB), None, "it joined");
        assert_eq!(offers.approved(&more.hash(), "document", WEB), Some(20));
    }

    #[test]
    fn approved_offer_stays_and_the_oldest_others_go() {
        let mut offers = Offers::default();
        let approved = offer(&[(API, 1)]).hash();
        offers.update(offer(&[(API, 1)]), None);
        offers.update(offer(&[(API, 2)]), Some(approved.clone()));
        for most in 3..50 {
            offers.update(offer(&[(API, most)]), Some(approved.clone()));
        }
        assert_eq!(offers.approved(&approved, "document", API), Some(1));
        let second = offer(&[(API, 2)]).hash();
        assert_eq!(offers.approved(&second, "document", API), None);
        assert_eq!(offers.by_age.len(), REMEMBERED + 1);
    }

    #[test]
    fn approval_given_before_its_offer_is_known_comes_into_force_once() {
        let mut offers = Offers::default();
        let late = offer(&[(API, 51)]);
        let approved = Some(late.hash());
        assert!(!offers.update(offer(&[]), approved.clone()));
        assert!(offers.update(late.clone(), approved.clone()));
        assert!(!offers.update(late, approved));
    }
}
