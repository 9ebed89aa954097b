//! Whether the images of a repository go to the regions where its object wants them. The filters that
//! send them there are the environment's to write, together with those of others: here they are only
//! read, and asked for.

use crate::api::conditions::Reason;
use crate::controllers::condition::Verdict;
use crate::desired::Target;
use crate::domain::registry::Part;
use crate::domain::repository::Management;
use crate::ecr;

/// Why images are not replicated though the object asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::controllers) enum Unreplicated {
    /// The environment has nowhere to replicate to.
    Nowhere,
    /// No rule of the registry sends them to these regions.
    To(Vec<String>),
}

/// What is in the way, from what was last read of the registry; `None`: nothing, or it is not known.
pub(in crate::controllers) fn known(
    registry: &ecr::Registry,
    target: &Target,
) -> Option<Unreplicated> {
    let replicas = target.replicas.as_ref()?;
    if target.desired.management == Management::Observe {
        return None;
    }
    if replicas.is_empty() {
        return Some(Unreplicated::Nowhere);
    }
    let is_missing = |it: &&_| registry.replicates(&target.desired.name, it) == Some(false);
    let missing = replicas.iter().filter(is_missing);
    let missing: Vec<String> = missing.map(|it| it.region.to_string()).collect();
    (!missing.is_empty()).then_some(Unreplicated::To(missing))
}

/// What is in the way. Asks ECR where nobody has.
pub(super) async fn missing(
    registry: &ecr::Registry,
    target: &Target,
) -> Result<Option<Unreplicated>, ecr::Error> {
    let mut replicas = target.replicas.iter().flatten();
    if replicas.any(|it| registry.replicates(&target.desired.name, it).is_none()) {
        registry.read_settings(&[Part::Replication]).await?;
    }
    Ok(known(registry, target))
}

impl Unreplicated {
    pub(super) fn verdict(&self, place: &str) -> Verdict {
        match self {
            Self::Nowhere => Verdict::stopped(
                place,
                Reason::InvalidSpec,
                "spec.replication: the environment has no replicaRegions: add one to it, or set \
                 replication to Disabled, in overrides where environments differ",
            ),
            Self::To(regions) => {
                let message = format!(
                    "images are not replicated to {}: the EnvironmentAccount's status says why",
                    regions.join(", ")
                );
                Verdict::failing(place, Reason::EnvironmentNotReady, &message)
            }
        }
    }
}
