//! A rate that AWS would hold somebody to: one token bucket for each account, region and operation,
//! as API throttling works.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html>

use std::collections::HashMap;
use std::time::Instant;

use super::Subject;

/// The buckets of one rule.
#[derive(Debug, Default)]
pub(super) struct Buckets(HashMap<(String, String, String), Bucket>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Buckets {
    /// Whether this request comes faster than `rate` a second. A second of rest fills a bucket.
    pub(super) fn overflow(&mut self, subject: &Subject<'_>, rate: f64, now: Instant) -> bool {
        let key = (
            subject.account.to_owned(),
            subject.region.to_owned(),
            subject.operation.to_owned(),
        );
        let full = Bucket {
            tokens: rate.max(1.0),
            filled: now,
        };
        let bucket = self.0.entry(key).or_insert(full);
        let rested = (now - bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + rested * rate).min(rate.max(1.0));
        bucket.filled = now;
        let overflow = bucket.tokens < 1.0;
        if !overflow {
            bucket.tokens -= 1.0;
        }
        overflow
    }
}
