//! Lifecycle policies: one object for each document, however many repositories have it, under a name
//! that says what it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt;
use serde_json::{Value, json};

use crate::api::settings::LifecyclePolicyRef;
use crate::api::{LifecyclePolicy, LifecyclePolicySpec};
use crate::desired;
use crate::domain::lifecycle::Document;

/// The policies that there are, and those that are made.
pub(super) struct Lifecycles {
    /// Names by canonical document.
    names: BTreeMap<String, String>,
    taken: Vec<String>,
    /// Those that are not there yet.
    pub(super) made: Vec<LifecyclePolicy>,
}

impl Lifecycles {
    /// Those of `objects`.
    pub(super) fn of(objects: &[Arc<LifecyclePolicy>]) -> Self {
        let named = objects.iter().filter_map(|it| {
            let document = desired::lifecycle(it).ok()?;
            Some((document.as_str().to_owned(), it.name_any()))
        });
        Self {
            names: named.collect(),
            taken: objects.iter().map(|it| it.name_any()).collect(),
            made: Vec::new(),
        }
    }

    /// The policy of this document, made where there is none.
    ///
    /// # Errors
    /// When rules of a `LifecyclePolicy` cannot say what it says.
    pub(super) fn refer(&mut self, document: &Document) -> Result<LifecyclePolicyRef, String> {
        if let Some(name) = self.names.get(document.as_str()) {
            return Ok(LifecyclePolicyRef { name: name.clone() });
        }
        let spec = spec(document)?;
        let name = free(&name_for(document, &spec), &self.taken);
        let object = LifecyclePolicy::new(&name, spec);
        match desired::lifecycle(&object) {
            Ok(same) if same == *document => {}
            Ok(_) => return Err("it reads otherwise as a LifecyclePolicy".to_owned()),
            Err(stopped) => return Err(stopped.to_string()),
        }
        self.taken.push(name.clone());
        self.names
            .insert(document.as_str().to_owned(), name.clone());
        self.made.push(object);
        Ok(LifecyclePolicyRef { name })
    }
}

/// What its rules do where that is short, else the beginning of its hash.
fn name_for(document: &Document, spec: &LifecyclePolicySpec) -> String {
    let rules = serde_json::to_value(&spec.rules).unwrap_or_default();
    let rules = rules.as_array().map_or(&[][..], Vec::as_slice);
    let words: Option<Vec<String>> = rules.iter().map(word).collect();
    match words {
        Some(words) if words.len() <= 2 => words.join("-"),
        _ => format!("lifecycle-{:.8}", document.hash()),
    }
}

fn spec(document: &Document) -> Result<LifecyclePolicySpec, String> {
    if document.unknown() > 0 {
        return Err("it has elements that this program does not know".to_owned());
    }
    let mut value: Value =
        serde_json::from_str(document.as_str()).expect("the canonical text was written as JSON");
    for rule in value["rules"].as_array_mut().into_iter().flatten() {
        if let Some(rule) = rule.as_object_mut()
            && let Some(priority) = rule.remove("rulePriority")
        {
            rule.insert("priority".to_owned(), priority);
        }
    }
    let spec = json!({"rules": value["rules"]});
    serde_json::from_value(spec).map_err(|it| it.to_string())
}

/// `keep-30`, `untagged-14d`; `None` where a few words do not say it.
fn word(rule: &Value) -> Option<String> {
    let (selection, action) = (&rule["selection"], &rule["action"]["type"]);
    let count = &selection["countNumber"];
    if action != "expire" || selection["storageClass"] == "archive" {
        return None;
    }
    let status = selection["tagStatus"].as_str()?;
    match (status, selection["countType"].as_str()?) {
        ("any", "imageCountMoreThan") => Some(format!("keep-{count}")),
        ("any", "sinceImagePushed") => Some(format!("keep-{count}d")),
        ("untagged", "imageCountMoreThan") => Some(format!("untagged-{count}")),
        ("untagged", "sinceImagePushed") => Some(format!("untagged-{count}d")),
        _ => None,
    }
}

/// `name`, or `name-2` and so on where it is taken.
pub(super) fn free(name: &str, taken: &[String]) -> String {
    let numbered = (2..).map(|i| format!("{name}-{i}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    let free = names.find(|it| !taken.contains(it));
    free.expect("numbers do not end")
}

#[cfg(test)]
mod tests;
