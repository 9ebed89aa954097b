//! The emulator's own addresses, under `/_emulator`: journal, faults, clock, reset, state.

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode, header};
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::Rule;
use super::seed::Seed;
use super::server::{Shared, Whole};

/// How the clock is moved.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Move {
    set: Option<Timestamp>,
    advance: Option<SignedDuration>,
    stopped: Option<bool>,
}

/// Answers a request; `path` is what comes after `/_emulator`.
pub(crate) fn answer(shared: &Shared, parts: &Parts, path: &str, body: &Bytes) -> Whole {
    let result = match (&parts.method, path) {
        (&Method::GET, "/journal") => Ok(json!({"entries": shared.journal().since(since(parts))})),
        (&Method::DELETE, "/journal") => {
            shared.journal().clear();
            Ok(Value::Null)
        }
        (&Method::GET, "/faults") => Ok(faults(shared)),
        (&Method::POST, "/faults") => add_faults(shared, body),
        (&Method::DELETE, "/faults") => {
            shared.faults().clear();
            Ok(Value::Null)
        }
        (&Method::GET, "/clock") => Ok(json!({"now": shared.clock().now()})),
        (&Method::POST, "/clock") => set_clock(shared, body),
        (&Method::POST, "/reset") => shared
            .reset()
            .map(|()| Value::Null)
            .map_err(|it| it.to_string()),
        (&Method::POST, "/seed") => plant(shared, body),
        (&Method::GET, "/state") => {
            serde_json::to_value(&*shared.state()).map_err(|it| it.to_string())
        }
        (&Method::GET, "" | "/" | "/health") => Ok(json!({
            "endpoint": shared.endpoint(),
            "paths": ["journal", "faults", "clock", "reset", "seed", "state"],
        })),
        _ => {
            return reply(
                StatusCode::NOT_FOUND,
                &json!({"error": "there is nothing here"}),
            );
        }
    };
    match result {
        Ok(it) => reply(StatusCode::OK, &it),
        Err(error) => reply(StatusCode::BAD_REQUEST, &json!({"error": error})),
    }
}

fn reply(status: StatusCode, body: &Value) -> Whole {
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn since(parts: &Parts) -> u64 {
    let query = parts.uri.query().unwrap_or_default().split('&');
    query
        .filter_map(|it| it.strip_prefix("since="))
        .find_map(|it| it.parse().ok())
        .unwrap_or(0)
}

fn faults(shared: &Shared) -> Value {
    let rules = shared.faults().list();
    let rules: Vec<Value> = rules
        .iter()
        .map(|(rule, hits)| json!({"rule": rule, "hits": hits}))
        .collect();
    json!({"faults": rules})
}

/// One rule, or a list of them.
fn add_faults(shared: &Shared, body: &Bytes) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Many(Vec<Rule>),
        One(Box<Rule>),
    }
    match serde_json::from_slice(body).map_err(|it| it.to_string())? {
        Given::Many(rules) => rules.into_iter().for_each(|it| shared.faults().add(it)),
        Given::One(rule) => shared.faults().add(*rule),
    }
    Ok(faults(shared))
}

fn set_clock(shared: &Shared, body: &Bytes) -> Result<Value, String> {
    let Move {
        set,
        advance,
        stopped,
    } = serde_json::from_slice(body).map_err(|it| it.to_string())?;
    let clock = shared.clock();
    if let Some(time) = set {
        clock.set(time);
    }
    if let Some(step) = advance {
        clock.advance(step);
    }
    match stopped {
        Some(true) => clock.stop(),
        Some(false) => clock.run(),
        None => {}
    }
    Ok(json!({"now": clock.now()}))
}

fn plant(shared: &Shared, body: &Bytes) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|it| it.to_string())?;
    let seed = Seed::parse(text).map_err(|it| it.to_string())?;
    shared.plant(&seed).map_err(|it| it.to_string())?;
    Ok(Value::Null)
}
