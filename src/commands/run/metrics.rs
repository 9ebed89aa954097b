//! Everything that `/metrics` shows, under the prefix `ecr_operator_`. What counts is counted where
//! it happens; here it is only given its names.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

use crate::controllers::meters::Meters;
use crate::ecr::Sessions;
use crate::webhook;

/// All metrics of the process.
pub(super) struct Metrics(Registry);

impl Metrics {
    /// The metrics of these parts; `None`: this process serves no admission.
    pub(super) fn of(
        meters: &Meters,
        sessions: Arc<Sessions>,
        admission: Option<&webhook::Metrics>,
    ) -> Self {
        let mut registry = Registry::default();
        meters.register(&mut registry);
        if let Some(admission) = admission {
            admission.register(&mut registry);
        }
        registry.register_collector(Box::new(ApiRequests(sessions)));
        Self(registry)
    }

    /// The metrics as OpenMetrics text.
    pub(super) fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0).expect("a String takes whatever is written to it");
        text
    }
}

/// Calls to AWS, read from the sessions' own counters at each scrape.
#[derive(Debug)]
struct ApiRequests(Arc<Sessions>);

impl Collector for ApiRequests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Calls to AWS by registry, operation and outcome";
        let name = "ecr_operator_api_requests";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for count in self.0.counts() {
            let labels = [
                ("account", count.registry.account.to_string()),
                ("region", count.registry.region.to_string()),
                ("operation", count.operation.to_string()),
                ("outcome", count.answer.as_str().to_owned()),
            ];
            ConstCounter::new(count.calls).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
