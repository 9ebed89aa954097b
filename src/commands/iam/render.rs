//! Roles as JSON, as CloudFormation and as Terraform. The documents in all three are the same.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::policy;
use super::{Access, Role};
use crate::domain::names::ClusterId;
use crate::domain::pull_through::RoleArn;
use crate::domain::rights::{DEPENDENT, Holder};

/// All that is to be printed.
pub(super) struct Roles<'a> {
    pub(super) roles: &'a [Role],
    /// The operator's own role.
    pub(super) hub: &'a RoleArn,
    /// That of the pods which only serve; it may be the same.
    pub(super) webhook_hub: &'a RoleArn,
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
        let hub = |it: &RoleArn| json!({"roleArn": it.as_str(), "permissionsPolicy": self.hub_policy(it)});
        let mut all = json!({
            "hub": hub(self.hub),
            "targets": targets.collect::<Vec<_>>(),
            "dependentActions": dependent.collect::<Vec<_>>(),
        });
        if self.webhook_hub != self.hub {
            all["webhookHub"] = hub(self.webhook_hub);
        }
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
        let mut text = self.terraform_hub(self.hub, "hub");
        if self.webhook_hub != self.hub {
            text.push('\n');
            text += &self.terraform_hub(self.webhook_hub, "webhook_hub");
        }
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

    fn terraform_hub(&self, hub: &RoleArn, label: &str) -> String {
        let policy = pretty(&self.hub_policy(hub));
        let name = hub.as_str().rsplit('/').next().unwrap_or_default();
        format!(
            "resource \"aws_iam_role_policy\" \"ecr_operator_{label}\" {{
  name   = \"ecr-operator\"
  role   = \"{name}\"
  policy = <<-EOT
{policy}
EOT
}}
"
        )
    }

    /// What one of the operator's own roles may do: assume the roles that trust it.
    fn hub_policy(&self, hub: &RoleArn) -> Value {
        let roles = self.roles.iter().filter(|it| self.hubs(it).contains(&hub));
        let roles: Vec<RoleArn> = roles.map(|it| it.arn.clone()).collect();
        policy::hub(&roles)
    }

    /// Which of the operator's own roles may assume `role`.
    fn hubs(&self, role: &Role) -> Vec<&RoleArn> {
        match role.access {
            Access::Leading => vec![self.hub],
            Access::Listing => vec![self.webhook_hub],
            Access::All if self.webhook_hub == self.hub => vec![self.hub],
            Access::All => vec![self.hub, self.webhook_hub],
        }
    }

    fn trust(&self, role: &Role) -> Value {
        policy::trust(&role.target, &self.hubs(role), self.cluster)
    }

    fn permissions(&self, role: &Role) -> Value {
        match role.access {
            Access::All | Access::Leading => policy::permissions(&role.target, self.cluster),
            Access::Listing => policy::listing(&role.target),
        }
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
