//! `AssumeRoleWithWebIdentity`. The token is read, not verified.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::super::call::{Answer, Call, Caller};
use super::super::refusal::Refusal;
use super::assume::{self, Assume};

/// What a token says.
struct Claims {
    /// Who issued it, without `https://`.
    issuer: String,
    subject: String,
    audience: String,
    /// When it expires, in seconds of the epoch.
    expires: Option<i64>,
}

/// Gives credentials of a role to whoever holds a token that the role trusts.
pub(super) fn role(call: &mut Call<'_>, input: &Value) -> Answer {
    let asked = Assume::read(input)?;
    let role = asked.check()?;
    let token = input["WebIdentityToken"].as_str().unwrap_or_default();
    let claims = Claims::read(token).ok_or_else(|| {
        Refusal::new(
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT.",
        )
    })?;
    if claims.expires.is_some_and(|it| it <= call.now.as_second()) {
        return Err(Refusal::new("ExpiredTokenException", "Token expired").into());
    }
    let Claims {
        issuer,
        subject,
        audience,
        ..
    } = claims;
    let provider = format!("arn:aws:iam::{}:oidc-provider/{issuer}", role.account);
    let holder = Caller {
        arn: provider.clone(),
        names: vec![provider.clone()],
        ..Caller::default()
    };
    let context = BTreeMap::from([
        (
            format!("{issuer}:sub").to_lowercase(),
            vec![subject.clone()],
        ),
        (
            format!("{issuer}:aud").to_lowercase(),
            vec![audience.clone()],
        ),
    ]);
    let actions = ["sts:AssumeRoleWithWebIdentity"];
    assume::trusted(call.state, &role, &actions, |action| {
        holder.asks(action, &asked.role_arn, &context)
    })
    .map_err(|_| {
        let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        Refusal::new("AccessDenied", message).with_status(403)
    })?;
    let mut answer = assume::give(call, &asked, role)?;
    answer["Provider"] = provider.into();
    answer["Audience"] = audience.into();
    answer["SubjectFromWebIdentityToken"] = subject.into();
    Ok(answer)
}

impl Claims {
    fn read(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let claims: Value = serde_json::from_slice(&bytes).ok()?;
        let audience = claims["aud"].as_str().or_else(|| claims["aud"][0].as_str());
        Some(Self {
            issuer: claims["iss"]
                .as_str()?
                .trim_start_matches("https://")
                .to_owned(),
            subject: claims["sub"].as_str()?.to_owned(),
            audience: audience.unwrap_or_default().to_owned(),
            expires: claims["exp"].as_i64(),
        })
    }
}
