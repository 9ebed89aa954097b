//! `ecr-operator crds`: the custom resource definitions as YAML, for `kubectl apply -f -`. The same
//! texts are checked in under `crds/`.

use std::io::Write;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::api;

/// Writes every definition to `out`, as one stream of YAML documents.
pub fn run(out: &mut impl Write) -> anyhow::Result<()> {
    for (_, text) in files()? {
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Every definition as YAML, by the name of its file in `crds/`. The same program gives the same
/// bytes.
pub fn files() -> anyhow::Result<Vec<(String, String)>> {
    api::definitions()
        .iter()
        .map(|it| Ok((format!("{}.yaml", it.spec.names.plural), yaml(it)?)))
        .collect()
}

fn yaml(definition: &CustomResourceDefinition) -> anyhow::Result<String> {
    let text = serde_saphyr::to_string(definition)?;
    Ok(format!(
        "---\n# Printed by `ecr-operator crds`: change src/api instead.\n{text}"
    ))
}
