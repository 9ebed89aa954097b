use prometheus_client::encoding::text::encode;
use serde_json::Value;

use super::*;

const ALERTS: &str = include_str!("../../../charts/ecr-operator/files/alerts.yaml");

#[test]
fn alerts_are_about_what_is_measured_and_say_what_to_do() {
    let mut registry = Registry::default();
    Meters::default().register(&mut registry);
    let mut measured = String::new();
    encode(&mut measured, &registry).unwrap();
    let alerts: Value = serde_saphyr::from_str(ALERTS).unwrap();
    let groups = alerts["groups"].as_array().unwrap();
    let rules: Vec<&Value> = groups
        .iter()
        .flat_map(|it| it["rules"].as_array().unwrap())
        .collect();
    assert!(!rules.is_empty());
    for rule in rules {
        let expression = rule["expr"].as_str().unwrap();
        let words = expression.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        let metrics: Vec<&str> = words.filter(|it| it.starts_with("ecr_operator_")).collect();
        assert!(!metrics.is_empty(), "{expression}");
        for metric in metrics {
            let told = format!("# TYPE {} ", metric.trim_end_matches("_total"));
            assert!(measured.contains(&told), "{metric}");
        }
        let description = rule["annotations"]["description"].as_str().unwrap();
        assert!(description.contains("First: kubectl"), "{description}");
    }
}
