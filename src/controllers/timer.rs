//! Waiting for a moment that may never come.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// Waits until `moment`; `None` never comes.
pub async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
