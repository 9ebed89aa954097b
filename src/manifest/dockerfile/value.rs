//! What a word of a Dockerfile comes to once its variables have their defaults, and which bytes of the
//! text it begins with: those alone are edited, and what follows them is said elsewhere.
//! <https://docs.docker.com/reference/dockerfile/#scope>

use std::collections::BTreeMap;

use super::variable::{Piece, expand, pieces, variables, version_of};
use crate::manifest::found::unreadable;
use crate::manifest::left::Reason;
use crate::manifest::site::Scalar;

/// The arguments before the first stage, which are those that a base may name.
pub(super) type Arguments = BTreeMap<String, Argument>;

/// An argument of the build: its default as it is written, and what that comes to.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) value: Result<Value, Reason>,
    /// The argument that its default begins with.
    pub(super) begins_with: Option<String>,
}

/// A value, taken apart where it can be edited.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// What it begins with.
    pub(super) head: Scalar,
    /// The line of the head.
    pub(super) line: usize,
    /// The argument that the head is the default of, or the beginning of it.
    pub(super) owner: Option<String>,
    /// All that comes after the head.
    pub(super) rest: String,
    /// Whether the rest has variables before a version.
    pub(super) varies: bool,
}

/// Why a word has no value: where, of which text.
pub(super) struct Unknown {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) reason: Reason,
}

impl Value {
    /// One that is all said in its head.
    pub(super) fn of(head: Scalar, line: usize) -> Self {
        Self {
            head,
            line,
            owner: None,
            rest: String::new(),
            varies: false,
        }
    }

    pub(super) fn text(&self) -> String {
        format!("{}{}", self.head.text, self.rest)
    }
}

/// What a word comes to.
pub(super) fn value(scalar: &Scalar, line: usize, arguments: &Arguments) -> Result<Value, Unknown> {
    let text = &scalar.text;
    let unknown = |reason| Unknown {
        line,
        text: text.clone(),
        reason,
    };
    let part = |from: usize, to: usize| {
        let head = Scalar {
            span: scalar.span.start + from..scalar.span.start + to,
            text: text[from..to].to_owned(),
            style: scalar.style,
        };
        Value::of(head, line)
    };
    let found = pieces(text).ok_or_else(|| unknown(unreadable(text)))?;
    let end = found.get(1).map_or(text.len(), |it| it.0);
    let mut value = match found.first() {
        None | Some((_, Piece::Text(_))) => part(0, end),
        Some((_, Piece::Variable { name, default })) => {
            let argument = arguments.get(*name);
            let is_empty = |it: &Argument| it.value.as_ref().is_ok_and(|it| it.text().is_empty());
            let default = default.clone().filter(|it| !it.is_empty());
            match (argument, default) {
                (None, None) => return Err(unknown(Reason::NoDefault)),
                (Some(argument), default) if default.is_none() || !is_empty(argument) => {
                    of_argument(name, argument)?
                }
                (_, Some(default)) if text[default.clone()].contains('$') => {
                    return Err(unknown(Reason::Variable));
                }
                (_, Some(default)) => part(default.start, default.end),
                (Some(argument), None) => of_argument(name, argument)?,
            }
        }
    };
    let of_name = end..version_of(text).unwrap_or(text.len()).max(end);
    value.varies |= variables(&text[of_name]).next().is_some();
    let rest = expanded(&text[end..], arguments);
    value.rest += &rest.ok_or_else(|| unknown(Reason::Variable))?;
    Ok(value)
}

fn of_argument(name: &str, argument: &Argument) -> Result<Value, Unknown> {
    let value = argument.value.clone().map_err(|reason| Unknown {
        line: argument.line,
        text: argument.text.clone(),
        reason,
    })?;
    let owner = value.owner.or_else(|| Some(name.to_owned()));
    Ok(Value { owner, ..value })
}

/// What a text says once its variables have their defaults; `None` if one of them has none.
pub(super) fn expanded(text: &str, arguments: &Arguments) -> Option<String> {
    expand(text, &|name| {
        let value = arguments.get(name)?.value.as_ref().ok()?;
        Some(value.text())
    })
}
