//! The service model's input shapes, read from `ecr.shapes`, and the check of a request against
//! them. Nothing here knows what an operation does.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::Regex;
use serde_json::{Map, Value};

use super::super::refusal::Refusal;

static MODEL: LazyLock<Model> = LazyLock::new(|| Model::parse(include_str!("ecr.shapes")));

/// Checks the input of an ECR operation; `None` when the model has no such operation.
pub(crate) fn check(operation: &str, input: &Value) -> Option<Result<(), Refusal>> {
    let members = MODEL.inputs.get(operation)?;
    Some(match input {
        Value::Object(given) => MODEL.members(members, given, ""),
        _ => Err(Refusal::serialization(
            "Start of structure or map found where not expected.",
        )),
    })
}

/// The names of all operations of the model.
#[cfg(test)]
pub(crate) fn operations() -> impl Iterator<Item = &'static str> {
    MODEL.inputs.keys().copied()
}

struct Model {
    shapes: BTreeMap<&'static str, Shape>,
    inputs: BTreeMap<&'static str, Vec<Member>>,
}

enum Shape {
    String(Bounds, Option<Pattern>),
    Blob(Bounds),
    Enum(Vec<&'static str>),
    Integer(Bounds),
    List(&'static str, Bounds),
    Structure(Vec<Member>),
}

struct Member {
    name: &'static str,
    required: bool,
    shape: &'static str,
}

struct Pattern {
    source: &'static str,
    regex: Regex,
}

#[derive(Clone, Copy, Default)]
struct Bounds {
    least: Option<i64>,
    most: Option<i64>,
}

impl Model {
    fn parse(text: &'static str) -> Self {
        let mut model = Self {
            shapes: BTreeMap::new(),
            inputs: BTreeMap::new(),
        };
        for line in text
            .lines()
            .filter(|it| !it.is_empty() && !it.starts_with('#'))
        {
            let (kind, rest) = line.split_once(' ').expect("a line is a kind and a name");
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let shape = match kind {
                "string" => string(rest),
                "blob" => Shape::Blob(Bounds::parse(rest)),
                "enum" => Shape::Enum(rest.split(' ').collect()),
                "integer" => Shape::Integer(Bounds::parse(rest)),
                "list" => list(rest),
                "struct" => Shape::Structure(members(rest)),
                "input" => {
                    model.inputs.insert(name, members(rest));
                    continue;
                }
                other => unreachable!("ecr.shapes has no kind {other}"),
            };
            model.shapes.insert(name, shape);
        }
        model
    }

    fn members(
        &self,
        members: &[Member],
        given: &Map<String, Value>,
        at: &str,
    ) -> Result<(), Refusal> {
        for member in members {
            let at = if at.is_empty() {
                member.name.to_owned()
            } else {
                format!("{at}.{}", member.name)
            };
            match given.get(member.name).filter(|it| !it.is_null()) {
                Some(value) => self.value(member.shape, value, &at)?,
                None if member.required => return Err(violation(&at, "Member must not be null")),
                None => {}
            }
        }
        Ok(())
    }

    fn value(&self, shape: &str, value: &Value, at: &str) -> Result<(), Refusal> {
        match self.shapes.get(shape) {
            None => primitive(shape, value),
            Some(Shape::String(bounds, pattern)) => {
                let text = value.as_str().ok_or_else(|| mismatch("string"))?;
                bounds.length(text.chars().count(), at)?;
                match pattern {
                    Some(it) if !it.regex.is_match(text) => Err(violation(
                        at,
                        &format!("must satisfy regular expression '{}'", it.source),
                    )),
                    _ => Ok(()),
                }
            }
            Some(Shape::Blob(bounds)) => {
                let text = value.as_str().ok_or_else(|| mismatch("string"))?;
                bounds.length(text.len() / 4 * 3, at)
            }
            Some(Shape::Enum(allowed)) => {
                let text = value.as_str().ok_or_else(|| mismatch("string"))?;
                if allowed.contains(&text) {
                    return Ok(());
                }
                let allowed = allowed.join(", ");
                Err(violation(
                    at,
                    &format!("Member must satisfy enum value set: [{allowed}]"),
                ))
            }
            Some(Shape::Integer(bounds)) => {
                bounds.number(value.as_i64().ok_or_else(|| mismatch("integer"))?, at)
            }
            Some(Shape::List(member, bounds)) => {
                let items = value.as_array().ok_or_else(|| mismatch("list"))?;
                bounds.length(items.len(), at)?;
                items.iter().enumerate().try_for_each(|(index, item)| {
                    self.value(member, item, &format!("{at}.{}.member", index + 1))
                })
            }
            Some(Shape::Structure(members)) => {
                let given = value.as_object().ok_or_else(|| mismatch("structure"))?;
                self.members(members, given, at)
            }
        }
    }
}

fn primitive(shape: &str, value: &Value) -> Result<(), Refusal> {
    let fits = match shape {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "double" | "timestamp" => value.is_number(),
        other => unreachable!("ecr.shapes names an unknown shape {other}"),
    };
    if fits { Ok(()) } else { Err(mismatch(shape)) }
}

fn mismatch(expected: &str) -> Refusal {
    Refusal::serialization(&format!(
        "a value of the wrong type was found where a {expected} is expected"
    ))
}

fn violation(at: &str, constraint: &str) -> Refusal {
    Refusal::invalid(at, constraint)
}

fn string(rest: &'static str) -> Shape {
    let (bounds, pattern) = rest.split_once(' ').unwrap_or((rest, ""));
    let pattern = (!pattern.is_empty()).then(|| Pattern {
        source: pattern,
        regex: Regex::new(&format!("^(?:{pattern})$")).expect("the model's patterns are valid"),
    });
    Shape::String(Bounds::parse(bounds), pattern)
}

fn list(rest: &'static str) -> Shape {
    let mut words = rest.split(' ').skip(1);
    let member = words.next().expect("a list has a member");
    Shape::List(member, words.next().map(Bounds::parse).unwrap_or_default())
}

fn members(rest: &'static str) -> Vec<Member> {
    rest.split(' ')
        .filter_map(|it| it.split_once(':'))
        .map(|(name, shape)| Member {
            name: name.trim_end_matches('*'),
            required: name.ends_with('*'),
            shape,
        })
        .collect()
}

impl Bounds {
    fn parse(text: &str) -> Self {
        let (least, most) = text
            .split_once("..")
            .expect("bounds are written least..most");
        Self {
            least: least.parse().ok(),
            most: most.parse().ok(),
        }
    }

    fn length(self, length: usize, at: &str) -> Result<(), Refusal> {
        self.within(
            i64::try_from(length).unwrap_or(i64::MAX),
            at,
            "Member must have length",
        )
    }

    fn number(self, number: i64, at: &str) -> Result<(), Refusal> {
        self.within(number, at, "Member must have value")
    }

    fn within(self, measure: i64, at: &str, what: &str) -> Result<(), Refusal> {
        if let Some(least) = self.least.filter(|it| measure < *it) {
            return Err(violation(
                at,
                &format!("{what} greater than or equal to {least}"),
            ));
        }
        if let Some(most) = self.most.filter(|it| measure > *it) {
            return Err(violation(
                at,
                &format!("{what} less than or equal to {most}"),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
