//! Tokens for the data plane.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Answer, Call, seconds};
use super::super::state::{RegistryKey, Token};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetToken {
    #[serde(default)]
    registry_ids: Vec<String>,
}

/// `GetAuthorizationToken`: one token for each registry asked for, the caller's by default.
pub(super) fn get_token(call: &mut Call<'_>, at: &RegistryKey, input: &GetToken) -> Answer {
    let mut registries = input.registry_ids.clone();
    if registries.is_empty() {
        registries.push(at.account.clone());
    }
    let expires = call
        .now
        .checked_add(SignedDuration::from_hours(12))
        .unwrap_or(call.now);
    let mut tokens: Vec<Value> = Vec::new();
    for account in registries {
        let password = call.state.make_up("registry password");
        let registry = RegistryKey::new(&account, call.region);
        let token = Token {
            caller: call.caller.clone(),
            registry,
            expires,
        };
        tokens.push(json!({
            "authorizationToken": STANDARD.encode(format!("AWS:{password}")),
            "expiresAt": seconds(expires),
            "proxyEndpoint": call.endpoint,
        }));
        call.state.tokens.insert(password, token);
    }
    Ok(json!({"authorizationData": tokens}))
}
