//! What the controllers count. Labels come from closed sets; no object, repository or image is one.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::facts::FactsGauge;
use super::resync::Resync;

/// The counters and gauges of this replica's controllers.
#[derive(Debug, Default)]
pub struct Meters {
    /// Reconciliations, by kind and by how they ended.
    pub reconciles: Family<Reconciled, Counter>,
    /// Repositories that a sweep found not as desired, by registry.
    pub drift: Family<Place, Counter>,
    /// When each registry was last swept, in seconds since 1970.
    pub swept: Family<Place, Gauge>,
    /// 1 while this replica leads.
    pub leading: Gauge,
    /// Image policies in force.
    pub policies: Gauge,
    /// Whether the API server reaches admission: 1, 0, or no series where it is not known.
    pub reachable: Family<NoLabels, Gauge>,
    /// Probes of admission, by what came of them.
    pub probes: Family<ProbeLabels, Counter>,
    /// Objects met that this version does not understand, by kind.
    pub not_understood: Family<Kind, Counter>,
    /// Lifecycle policies that wait.
    pub lifecycle: Lifecycle,
    /// What decisions are made from.
    pub inputs: Inputs,
    /// What others do to the objects that the chart installs.
    pub installed: InstalledMeters,
}

/// Label of a kind.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct Kind {
    /// The kind.
    pub kind: String,
}

impl Kind {
    /// The label of this kind, one of those that are watched.
    pub fn of(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
        }
    }
}

/// No labels, for a gauge that is not there while its value is not known.
#[derive(Clone, Debug, Default, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct NoLabels {}

/// Labels of a probe of admission.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct ProbeLabels {
    /// `Reached`, `NotReached`, `NotCalled`, or why nothing is known.
    pub outcome: &'static str,
}

/// Lifecycle policies that wait, by repository and environment.
#[derive(Debug, Default)]
pub struct Lifecycle {
    /// For a person.
    pub held: Gauge,
    /// Because they would take an image in use; also those in force.
    pub in_use: Gauge,
}

impl Lifecycle {
    /// Who leads no more tells of nothing.
    pub fn clear(&self) {
        let Self { held, in_use } = self;
        held.set(0);
        in_use.set(0);
    }

    fn register(&self, registry: &mut Registry) {
        let Self { held, in_use } = self;
        registry.register(
            "ecr_operator_lifecycle_held",
            "Targets whose lifecycle policy waits for a person",
            held.clone(),
        );
        registry.register(
            "ecr_operator_lifecycle_image_in_use",
            "Targets whose lifecycle policy would take an image that pods use",
            in_use.clone(),
        );
    }
}

/// What every process decides from: what it knows of images, of objects and of pods.
#[derive(Debug, Default)]
pub struct Inputs {
    /// How fresh the facts about images are.
    pub facts: FactsGauge,
    /// How often a watch had lost events, by kind.
    pub lost: Family<Kind, Counter>,
    /// Pods whose images are known; no series where they are not.
    pub pods: Family<NoLabels, Gauge>,
}

impl Inputs {
    /// The resync of a kind, counted from the start.
    pub fn resync(&self, kind: &str, period: Duration) -> Resync {
        Resync::new(period, self.lost.get_or_create(&Kind::of(kind)).clone())
    }

    fn register(&self, registry: &mut Registry) {
        let Self { facts, lost, pods } = self;
        registry.register_collector(Box::new(facts.clone()));
        registry.register(
            "ecr_operator_watch_lost_events",
            "Times that a watch had lost events and began again, by kind",
            lost.clone(),
        );
        registry.register(
            "ecr_operator_usage_pods",
            "Pods whose images are known, so that they are not deleted and are listed first",
            pods.clone(),
        );
    }
}

/// What others do to the objects that the chart installs and the operator only updates.
#[derive(Debug, Default)]
pub struct InstalledMeters {
    /// 1 while one is missing, by kind.
    pub missing: Family<Kind, Gauge>,
    /// Repairs of the webhook configuration after somebody else had changed it.
    pub webhook_repairs: Counter,
}

impl InstalledMeters {
    /// Whether the object of this kind is missing, 0 from the start.
    pub fn missing_of(&self, kind: &str) -> Gauge {
        self.missing.get_or_create(&Kind::of(kind)).clone()
    }

    fn register(&self, registry: &mut Registry) {
        let Self {
            missing,
            webhook_repairs,
        } = self;
        // They are there from the start: an alert needs a series.
        for kind in ["Lease", "MutatingWebhookConfiguration", "Secret"] {
            self.missing_of(kind).set(0);
        }
        registry.register(
            "ecr_operator_installed_object_missing",
            "1 while an object that the chart installs is missing, by kind",
            missing.clone(),
        );
        registry.register(
            "ecr_operator_webhook_repairs",
            "Times that the webhook configuration was put right after somebody else had changed it",
            webhook_repairs.clone(),
        );
    }
}

/// Labels of a reconciliation.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct Reconciled {
    /// The kind of the object.
    pub kind: &'static str,
    /// `WhenAsked`, `BackingOff` or `Patiently`: the first is success or a person's turn.
    pub retry: &'static str,
}

/// Labels of a registry.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct Place {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
}

impl From<&crate::domain::Registry> for Place {
    fn from(registry: &crate::domain::Registry) -> Self {
        Self {
            account: registry.account.to_string(),
            region: registry.region.to_string(),
        }
    }
}

impl Meters {
    /// Makes them show in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let Self {
            reconciles,
            drift,
            swept,
            leading,
            policies,
            reachable,
            probes,
            not_understood,
            lifecycle,
            inputs,
            installed,
        } = self;
        installed.register(registry);
        lifecycle.register(registry);
        inputs.register(registry);
        registry.register(
            "ecr_operator_reconciles",
            "Reconciliations by kind and end",
            reconciles.clone(),
        );
        registry.register(
            "ecr_operator_drift",
            "Repositories found not as desired by a sweep",
            drift.clone(),
        );
        registry.register(
            "ecr_operator_sweep_last_success_timestamp_seconds",
            "When each registry was last swept",
            swept.clone(),
        );
        registry.register(
            "ecr_operator_leader",
            "1 while this replica leads",
            leading.clone(),
        );
        registry.register(
            "ecr_operator_not_understood",
            "Objects met that this version does not understand, by kind",
            not_understood.clone(),
        );
        registry.register(
            "ecr_operator_policies",
            "Image policies in force",
            policies.clone(),
        );
        registry.register(
            "ecr_operator_admission_reachable",
            "1 if the API server reaches admission, 0 if it does not; told by the leader",
            reachable.clone(),
        );
        registry.register(
            "ecr_operator_admission_probes",
            "Dry-run pods that were sent to see whether admission is reached, by outcome",
            probes.clone(),
        );
    }
}

#[cfg(test)]
mod tests;
