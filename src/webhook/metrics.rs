//! What admission counts. Labels come from enums, so the number of series is bounded.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::review::{Outcome, Reviewed, Verb};
use crate::domain::rewrite::Reason;

/// The counters. A clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    reviews: Family<ReviewLabels, Counter>,
    images: Family<ImageLabels, Counter>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ReviewLabels {
    outcome: Outcome,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ImageLabels {
    /// Only reviews by a policy's mode look at images.
    mode: Outcome,
    decision: Verb,
    reason: Word,
}

/// A word of a closed enum of the domain, which knows nothing of metrics.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Word(Reason);

impl Metrics {
    /// Exposes the counters in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let Self { reviews, images } = self;
        registry.register(
            "ecr_operator_admission_reviews",
            "Admission reviews answered, dry runs left out, by what they were about",
            reviews.clone(),
        );
        registry.register(
            "ecr_operator_admission_images",
            "Images looked at in admission, dry runs left out, by what became of them and why",
            images.clone(),
        );
    }

    /// Counts a review. A dry run admits nothing, so it does not count.
    pub(super) fn count(&self, reviewed: &Reviewed) {
        let Reviewed {
            answer: _,
            outcome,
            verdicts,
            dry_run,
        } = reviewed;
        if *dry_run {
            return;
        }
        self.reviews
            .get_or_create(&ReviewLabels { outcome: *outcome })
            .inc();
        for (decision, reason) in verdicts {
            let labels = ImageLabels {
                mode: *outcome,
                decision: *decision,
                reason: Word(*reason),
            };
            self.images.get_or_create(&labels).inc();
        }
    }
}

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.0.as_str().encode(encoder)
    }
}
