use super::*;
use crate::domain::usage::{Image, Pod, Usage};

fn place() -> Place {
    let registry = Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    );
    (registry, "hub/library/nginx".parse().unwrap())
}

fn asked(approved: Option<&str>, pods: &[&str]) -> Asked {
    let pods: Vec<Pod> = pods.iter().map(|it| pod(it)).collect();
    let (registry, name) = place();
    Asked {
        document: Document::parse(r#"{"rules":[]}"#).unwrap(),
        safety: Safety {
            approved: approved.map(str::to_owned),
            ..Safety::default()
        },
        used: Some(Usage::of_pods(&pods).of(&registry, &name).clone()),
    }
}

fn pod(name: &str) -> Pod {
    let (registry, repository) = place();
    Pod {
        name: name.to_owned(),
        images: vec![Image {
            references: vec![format!("{}/{repository}:1", registry.host())],
            id: None,
        }],
    }
}

#[test]
fn what_waits_is_not_looked_at_again_until_something_changes_or_patience_ends() {
    const PATIENCE: Duration = Duration::from_mins(10);
    let findings = Findings::default();
    let first = asked(None, &["shop/web"]);
    assert_eq!(findings.why(&place(), &first), None);
    findings.waits(place(), first.clone(), Because::NotPreviewed, PATIENCE);
    assert_eq!(findings.why(&place(), &first), Some(Because::NotPreviewed));
    let other_pod = asked(None, &["shop/api"]);
    assert_eq!(findings.why(&place(), &other_pod), None);
    let approved = asked(Some("hash"), &["shop/web"]);
    assert_eq!(findings.why(&place(), &approved), None);
    let elsewhere = (place().0, "hub/library/redis".parse().unwrap());
    assert_eq!(findings.why(&elsewhere, &first), None);
    let at_once = Duration::ZERO;
    findings.waits(place(), first.clone(), Because::NotPreviewed, at_once);
    assert_eq!(findings.why(&place(), &first), None);
    let for_good = Duration::MAX;
    findings.waits(place(), first.clone(), Because::NotPreviewed, for_good);
    assert_eq!(findings.why(&place(), &first), Some(Because::NotPreviewed));
}
