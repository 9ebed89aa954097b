//! IAM policy statements, typed: always lists, no document pasted as text.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// One statement of a repository policy, for what `pull`, `push` and `lambda` cannot say.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.effect == 'Deny' || !('*' in self.principals)")
    .message("an Allow for * makes the repository public: name accounts or roles, or put an \
              organization id into access.pull")
    .field_path(".principals"))]
pub struct Statement {
    /// The statement's Sid in the repository policy, by which it is found again: unique, letters and
    /// digits, not starting with EcrOperator (those are ours). Example: DenyDeletion.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9]+$') && !self.startsWith('EcrOperator')")
        .message("write letters and digits, not starting with EcrOperator"))]
    pub sid: String,
    /// Allow or Deny.
    pub effect: Effect,
    /// Who it is about: account ids, IAM ARNs, AWS services such as codebuild.amazonaws.com, or "*"
    /// in a Deny.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 256)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::statement_principals())]
    pub principals: Vec<String>,
    /// The ECR actions it is about. Example: ["ecr:BatchDeleteImage"].
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 128)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(it, it.matches('^ecr:[A-Za-z*?]+$'))")
        .message("write actions of ECR, like ecr:BatchGetImage"))]
    pub actions: Vec<String>,
    /// When it applies: all conditions must hold. Default: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["operator", "key"]))]
    pub conditions: Vec<StatementCondition>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, over any Allow.
    Deny,
}

/// One condition of a statement.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementCondition {
    /// The IAM condition operator. Example: ArnNotEquals.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z]+(:[A-Za-z]+)?$')")
        .message("write an IAM condition operator, like StringEquals or ForAnyValue:StringLike"))]
    pub operator: String,
    /// The IAM condition key. Example: aws:PrincipalArn.
    #[schemars(length(min = 1, max = 256))]
    pub key: String,
    /// The values; any of them matches. Example: ["arn:aws:iam::333333333333:role/ci"].
    #[schemars(length(min = 1, max = 32), inner(length(max = 512)))]
    pub values: Vec<String>,
}
