//! Label selectors in Kubernetes' own form, bounded.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// Selects objects by their labels, as everywhere in Kubernetes; {} selects all.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Labels that must be there with exactly these values. Example: {team: payments}.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "rules::labels")]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements that must all hold, besides matchLabels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub match_expressions: Vec<Requirement>,
}

/// One requirement on one label.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)")
    .message("give values with In and NotIn, and none with Exists and DoesNotExist")
    .field_path(".values"))]
pub struct Requirement {
    /// The label's key. Example: kubernetes.io/metadata.name.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// In, NotIn, Exists or DoesNotExist.
    pub operator: Operator,
    /// The values that In and NotIn compare with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// How a requirement compares.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Operator {
    /// The label is there, with one of the values.
    In,
    /// The label is not there, or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

impl Operator {
    /// The operator's word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::Exists => "Exists",
            Self::DoesNotExist => "DoesNotExist",
        }
    }
}

impl From<&Selector> for meta::LabelSelector {
    fn from(selector: &Selector) -> Self {
        let Selector {
            match_labels,
            match_expressions,
        } = selector;
        let expression = |it: &Requirement| meta::LabelSelectorRequirement {
            key: it.key.clone(),
            operator: it.operator.as_str().to_owned(),
            values: (!it.values.is_empty()).then(|| it.values.clone()),
        };
        Self {
            match_labels: (!match_labels.is_empty()).then(|| match_labels.clone()),
            match_expressions: (!match_expressions.is_empty())
                .then(|| match_expressions.iter().map(expression).collect()),
        }
    }
}
