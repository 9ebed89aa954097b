//! How fresh facts are, computed at each scrape, so that the age grows though nothing happens.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Freshness;
use crate::controllers::meters::Place;
use crate::domain::Registry;

/// The freshness of each registry's facts, shared with those who list them.
#[derive(Clone, Debug, Default)]
pub struct FactsGauge(Arc<ArcSwap<BTreeMap<Registry, Freshness>>>);

impl FactsGauge {
    /// Shows this from now on.
    pub(super) fn set(&self, freshness: BTreeMap<Registry, Freshness>) {
        self.0.store(Arc::new(freshness));
    }
}

impl Collector for FactsGauge {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let registries = self.0.load();
        let help = "Age of the oldest list of images, by registry";
        let name = "ecr_operator_facts_age_seconds";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (registry, it) in registries.iter() {
            let age = it.oldest.map(|it| it.elapsed()).unwrap_or_default();
            let age = ConstGauge::new(age.as_secs_f64());
            age.encode(family.encode_family(&Place::from(registry))?)?;
        }
        let help = "Repositories of which it is not known what they hold, by registry";
        let name = "ecr_operator_facts_not_known";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (registry, it) in registries.iter() {
            let count = ConstGauge::new(i64::try_from(it.not_known).unwrap_or(i64::MAX));
            count.encode(family.encode_family(&Place::from(registry))?)?;
        }
        Ok(())
    }
}
