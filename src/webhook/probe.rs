//! The answer to a probe pod: a mark on it, so that whoever sent it by a dry run knows that the API
//! server has called us. Nothing else happens to the pod, and no image of it is looked at.

use super::answer::{Answer, to_json};
use super::originals::annotate;
use super::review::Rules;
use super::wire;
use crate::api::ADMISSION_PROBE;

/// Marks the pod of the review in `body` with the names of all policies that we have rules for.
/// `None` where the body is no review.
pub(super) fn answer(rules: &Rules, body: &[u8]) -> Option<Vec<u8>> {
    let request = wire::read(body).ok()?;
    let metadata = request.object.as_ref().and_then(|it| it.metadata.as_ref());
    let policies = rules.table.policies().map(|it| &it.policy().name);
    let policies = to_json(&policies.collect::<Vec<_>>());
    let mut answer = Answer::unchanged(&request.uid);
    answer
        .patch
        .push(annotate(metadata, ADMISSION_PROBE, policies));
    Some(answer.to_bytes())
}

#[cfg(test)]
mod tests;
