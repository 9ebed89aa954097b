//! The registry's own settings.

use serde::Deserialize;
use serde_json::json;

use super::super::call::{Answer, Call};
use super::super::state::RegistryKey;

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `DescribeRegistry`.
pub(super) fn describe(call: &mut Call<'_>, at: &RegistryKey, _: &Nothing) -> Answer {
    let replication = call.registry(at).replication.clone();
    Ok(json!({
        "registryId": at.account,
        "replicationConfiguration": replication.unwrap_or_else(|| json!({"rules": []})),
    }))
}
