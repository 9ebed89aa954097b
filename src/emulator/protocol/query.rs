//! AWS's query protocol: forms in, XML out.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use std::fmt::Write as _;

use axum::body::Bytes;
use axum::http::request::Parts;
use serde_json::{Map, Value};

use super::super::refusal::Refusal;
use super::{Asked, Reply, Service, unknown_operation};

const STS: &str = "2011-06-15";
const IAM: &str = "2010-05-08";

/// Reads a request whose `Action` may stand in the address or in the body.
pub(super) fn read(parts: &Parts, body: &Bytes) -> Result<Asked, Refusal> {
    let body = String::from_utf8_lossy(body);
    let pairs = fields(parts.uri.query().unwrap_or_default()).chain(fields(&body));
    let mut input = Value::Object(Map::new());
    for (name, value) in pairs.filter(|(name, _)| !name.starts_with("X-Amz-")) {
        place(&mut input, &name, value);
    }
    let members = input.as_object_mut().expect("it was made as an object");
    let mut take = |name: &str| match members.remove(name) {
        Some(Value::String(it)) => Some(it),
        _ => None,
    };
    let (Some(operation), version) = (take("Action"), take("Version")) else {
        return Err(unknown_operation());
    };
    let service = match version.as_deref() {
        Some(IAM) => Service::Iam,
        _ => Service::Sts,
    };
    Ok(Asked {
        service,
        operation,
        input: lists(input),
        body: Bytes::new(),
    })
}

/// The value of a parameter of an address.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    fields(query)
        .find(|(it, _)| it == name)
        .map(|(_, value)| value)
}

/// The pairs of a form.
fn fields(form: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let pairs = form.split('&').filter(|it| !it.is_empty());
    pairs
        .map(|it| it.split_once('=').unwrap_or((it, "")))
        .map(|(name, it)| (decode(name), decode(it)))
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| after.get(..2).and_then(|it| std::str::from_utf8(it).ok()))
            .flatten()
            .and_then(|it| u8::from_str_radix(it, 16).ok());
        rest = match escaped {
            Some(byte) => {
                bytes.push(byte);
                &after[2..]
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Puts `Tags.member.1.Key=a` where it belongs. Lists are still objects with numbers for names.
fn place(into: &mut Value, name: &str, value: String) {
    let mut at = into;
    for word in name.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let members = at.as_object_mut().expect("it was just made one");
        at = members.entry(word).or_insert(Value::Null);
    }
    *at = Value::String(value);
}

/// Turns `{"member": {"1": .., "2": ..}}` into lists, at any depth.
fn lists(value: Value) -> Value {
    let Value::Object(mut members) = value else {
        return value;
    };
    if members.len() == 1
        && let Some(Value::Object(items)) = members.get_mut("member")
    {
        let mut numbered: Vec<(u32, Value)> = std::mem::take(items)
            .into_iter()
            .filter_map(|(number, it)| Some((number.parse().ok()?, lists(it))))
            .collect();
        numbered.sort_by_key(|(number, _)| *number);
        return Value::Array(numbered.into_iter().map(|(_, it)| it).collect());
    }
    Value::Object(
        members
            .into_iter()
            .map(|(name, it)| (name, lists(it)))
            .collect(),
    )
}

/// Writes an answer.
pub(super) fn reply(
    service: Service,
    operation: &str,
    answer: Result<&Value, &Refusal>,
    id: &str,
) -> Reply {
    let version = if service == Service::Iam { IAM } else { STS };
    let namespace = format!("https://{}.amazonaws.com/doc/{version}/", service.as_str());
    let (status, body) = match answer {
        Ok(output) => {
            let mut result = String::new();
            write_value(&mut result, output);
            let body = format!(
                "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{result}\
                 </{operation}Result><ResponseMetadata><RequestId>{id}</RequestId>\
                 </ResponseMetadata></{operation}Response>"
            );
            (200, body)
        }
        Err(refusal) => {
            let kind = if refusal.status >= 500 {
                "Receiver"
            } else {
                "Sender"
            };
            let body = format!(
                "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{}</Code>\
                 <Message>{}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>",
                escape(&refusal.code),
                escape(&refusal.message)
            );
            (refusal.status, body)
        }
    };
    Reply {
        status,
        content_type: "text/xml",
        body,
    }
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(it) => out.push_str(&escape(it)),
        Value::Bool(_) | Value::Number(_) => {
            write!(out, "{value}").expect("a String takes everything");
        }
        Value::Array(items) => items.iter().for_each(|it| element(out, "member", it)),
        Value::Object(members) => members.iter().for_each(|(name, it)| element(out, name, it)),
    }
}

fn element(out: &mut String, name: &str, value: &Value) {
    write!(out, "<{name}>").expect("a String takes everything");
    write_value(out, value);
    write!(out, "</{name}>").expect("a String takes everything");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
