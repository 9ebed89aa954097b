//! Signing in to list images, as the identity of the environment that reads; and what to do where AWS does
//! not let it in.

use super::known::Failure;
use crate::controllers::{Context, reading_identity};
use crate::desired::{self, Environment, World};
use crate::domain::Registry;
use crate::ecr::{self, Identity};

/// The policy's registry, through whichever environment declares it.
pub(super) async fn sign_in(cx: &Context, registry: &Registry) -> Result<ecr::Registry, Failure> {
    let Some(environment) = declaring(registry, &cx.world.load_full()) else {
        let why = format!("no usable EnvironmentAccount declares {registry}");
        return Err(Failure::Other(why));
    };
    let identity = reading_identity(&environment);
    let handle = cx.sessions.registry(registry, &identity).await;
    handle.map_err(|error| match Failure::of(&error) {
        Failure::Refused(why) => {
            let remedy = remedy(&environment, &identity);
            Failure::Refused(format!("{why}. {remedy}"))
        }
        other @ Failure::Other(_) => other,
    })
}

/// What lets this process list the images of an environment.
fn remedy(environment: &Environment, identity: &Identity) -> String {
    let Environment { name, account, .. } = environment;
    match identity {
        Identity::Ambient => format!(
            "EnvironmentAccount {name} has no assumeRole, so images are listed with the AWS identity of the \
             pod's own ServiceAccount: give it one of account {account}"
        ),
        Identity::Role { arn, .. } => format!(
            "Images of EnvironmentAccount {name} are listed as {arn} (assumeRole.readRoleArn, else roleArn): \
             give the pod's own ServiceAccount an AWS identity that may assume it, as `ecr-operator iam` prints"
        ),
    }
}

/// The environment that declares a registry.
pub(super) fn declaring(registry: &Registry, world: &World) -> Option<Environment> {
    let environments = world.environments();
    let mut environments = environments.filter_map(|it| desired::environment(it, world).ok());
    environments.find(|it| it.registries.contains(registry))
}
