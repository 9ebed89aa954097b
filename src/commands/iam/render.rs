//! Roles as JSON, as CloudFormation and as Terraform. The documents in all three are the same.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Role;
use super::policy;
use crate::domain::names::ClusterId;
use crate::domain::pull_through::RoleArn;
use crate::domain::rights::{DEPENDENT, Holder};

/// All that is to be printed.
pub(super) struct Roles<'a> {
    pub(super) roles: &'a [Role],
    /// The operator's own role.
    pub(super) hub: &'a RoleArn,
    pub(super) cluster: &'a ClusterId,
}

impl Roles<'_> {
    pub(super) fn json(&self) -> String {
        let targets = self.roles.iter().map(|it| {
            json!({
                "name": it.label,
                "roleArn": it.arn.as_str(),
                "trustPolicy": self.trust(it),
                "permissionsPolicy": self.permissions(it),
            })
        });
        let dependent = DEPENDENT.iter().map(|it| {
            json!({
                "call": it.of,
                "action": it.action,
                "heldBy": match it.holder {
                    Holder::Hub => "the hub role",
                    Holder::Target(_) => "the target role",
                    Holder::ServiceLinkedRole => "a role that AWS keeps",
                },
                "when": it.when,
                "page": it.page,
            })
        });
        let all = json!({
            "hub": {"roleArn": self.hub.as_str(), "permissionsPolicy": self.hub_policy()},
            "targets": targets.collect::<Vec<_>>(),
            "dependentActions": dependent.collect::<Vec<_>>(),
        });
        pretty(&all) + "\n"
    }

    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html>
    pub(super) fn cloudformation(&self) -> String {
        let template = |role: &Role| {
            let template = json!({
                "AWSTemplateFormatVersion": "2010-09-09",
                "Description": format!("The role of ecr-operator in account {}", role.target.account),
                "Resources": {"EcrOperator": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {
                        "RoleName": name(role),
                        "Path": path(role),
                        "AssumeRolePolicyDocument": self.trust(role),
                        "Policies": [{
                            "PolicyName": "ecr-operator",
                            "PolicyDocument": self.permissions(role),
                        }],
                    },
                }},
            });
            pretty(&template) + "\n"
        };
        self.roles.iter().map(template).collect()
    }

    /// <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_role>
    pub(super) fn terraform(&self) -> String {
        let mut text = String::new();
        let hub = pretty(&self.hub_policy());
        let hub_name = self.hub.as_str().rsplit('/').next().unwrap_or_default();
        write!(
            text,
            "resource \"aws_iam_role_policy\" \"ecr_operator_hub\" {{
  name   = \"ecr-operator\"
  role   = \"{hub_name}\"
  policy = <<-EOT
{hub}
EOT
}}
"
        )
        .expect("a text takes all");
        for role in self.roles {
            let label = format!("ecr_operator_{}", role.label.replace('-', "_"));
            let (name, path) = (name(role), path(role));
            let (trust, permissions) = (pretty(&self.trust(role)), pretty(&self.permissions(role)));
            write!(
                text,
                "
# In account {account}: give it the provider of that account.
resource \"aws_iam_role\" \"{label}\" {{
  name               = \"{name}\"
  path               = \"{path}\"
  assume_role_policy = <<-EOT
{trust}
EOT
}}

resource \"aws_iam_role_policy\" \"{label}\" {{
  name   = \"ecr-operator\"
  role   = aws_iam_role.{label}.id
  policy = <<-EOT
{permissions}
EOT
}}
",
                account = role.target.account
            )
            .expect("a text takes all");
        }
        text
    }

    fn hub_policy(&self) -> Value {
        let roles: Vec<RoleArn> = self.roles.iter().map(|it| it.arn.clone()).collect();
        policy::hub(&roles)
    }

    fn trust(&self, role: &Role) -> Value {
        policy::trust(&role.target, self.hub, self.cluster)
    }

    fn permissions(&self, role: &Role) -> Value {
        policy::permissions(&role.target, self.cluster)
    }
}

fn name(role: &Role) -> &str {
    role.arn.as_str().rsplit('/').next().unwrap_or_default()
}

/// What stands between `role` and the name in the ARN.
fn path(role: &Role) -> String {
    let arn = role.arn.as_str();
    let resource = arn.split_once(":role").map_or("/", |(_, it)| it);
    let end = resource.rfind('/').map_or(0, |it| it + 1);
    resource[..end].to_owned()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON is written without fail")
}
