//! The stream of YAML documents: objects with what is to be said of them as comments, and what is
//! left out as comments alone.

use std::io::{self, Write};

use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::Serialize;

use crate::api::{EnvironmentAccount, ImageRepository, LifecyclePolicy, PullThroughRule};

/// All that is imported, and what is not.
#[derive(Default)]
pub(super) struct Imported {
    /// The environment, where its registries have something that it did not say.
    pub(super) environment: Option<(EnvironmentAccount, Vec<String>)>,
    pub(super) lifecycles: Vec<LifecyclePolicy>,
    pub(super) rules: Vec<(PullThroughRule, Vec<String>)>,
    pub(super) repositories: Vec<(ImageRepository, Vec<String>)>,
    /// What is not written, and why.
    pub(super) left_out: Vec<(String, String)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a, Spec> {
    api_version: String,
    kind: String,
    metadata: &'a ObjectMeta,
    spec: &'a Spec,
}

impl Imported {
    /// Says that `what` is not written.
    pub(super) fn leave_out(&mut self, what: String, why: String) {
        self.left_out.push((what, why));
    }

    /// Writes one document an object; those that others refer to come first.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self {
            environment,
            lifecycles,
            rules,
            repositories,
            left_out,
        } = self;
        if let Some((it, remarks)) = environment {
            document(it, &it.spec, remarks, out)?;
        }
        for it in lifecycles {
            document(it, &it.spec, &[], out)?;
        }
        for (it, remarks) in rules {
            document(it, &it.spec, remarks, out)?;
        }
        for (it, remarks) in repositories {
            document(it, &it.spec, remarks, out)?;
        }
        if !left_out.is_empty() {
            writeln!(out, "---\n# Left out:")?;
        }
        for (what, why) in left_out {
            writeln!(out, "# {what}: {}", one_line(why))?;
        }
        Ok(())
    }

    /// What a person should know, a line each.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> {
        let environment = self.environment.iter().flat_map(|(it, remarks)| {
            let name = it.name_any();
            remarks
                .iter()
                .map(move |it| format!("EnvironmentAccount {name}: {it}"))
        });
        let rules = self.rules.iter().flat_map(|(it, remarks)| {
            let name = it.name_any();
            remarks
                .iter()
                .map(move |it| format!("PullThroughRule {name}: {it}"))
        });
        let repositories = self.repositories.iter().flat_map(|(it, remarks)| {
            let name = format!("{}/{}", it.namespace().unwrap_or_default(), it.name_any());
            remarks
                .iter()
                .map(move |it| format!("ImageRepository {name}: {it}"))
        });
        let left = self.left_out.iter();
        let left = left.map(|(what, why)| format!("left out {what}: {why}"));
        environment.chain(rules).chain(repositories).chain(left)
    }

    /// How much of each kind there is.
    pub(super) fn summary(&self) -> String {
        format!(
            "{} ImageRepositories, {} PullThroughRules, {} LifecyclePolicies; {} left out",
            self.repositories.len(),
            self.rules.len(),
            self.lifecycles.len(),
            self.left_out.len(),
        )
    }
}

fn document<K: Resource<DynamicType = ()>>(
    object: &K,
    spec: &impl Serialize,
    remarks: &[String],
    out: &mut impl Write,
) -> io::Result<()> {
    let document = Document {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        metadata: object.meta(),
        spec,
    };
    let text = serde_saphyr::to_string(&document).map_err(io::Error::other)?;
    writeln!(out, "---")?;
    for remark in remarks {
        writeln!(out, "# {}", one_line(remark))?;
    }
    out.write_all(text.as_bytes())
}

/// A comment ends with its line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
