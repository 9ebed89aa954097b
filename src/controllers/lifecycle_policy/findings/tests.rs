use super::*;
use crate::domain::usage::{Image, Pod, Usage};

fn place() -> Place {
    let registry = Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    );
    (registry, "hub/library/nginx".parse().unwrap())
}

fn found(because: Because, patience: Duration) -> Finding {
    Finding {
        because,
        ask: Some(51),
        patience,
    }
}

fn asked(approval: Option<&str>, pods: &[&str]) -> Asked {
    let pods: Vec<Pod> = pods.iter().map(|it| pod(it)).collect();
    let (registry, name) = place();
    Asked {
        document: Document::parse(r#"{"rules":[]}"#).unwrap(),
        safety: Safety {
            policy: "keep-30".to_owned(),
            approval: approval.map(str::to_owned),
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
    let waits = |patience| {
        findings.waits(
            place(),
            first.clone(),
            found(Because::NotPreviewed, patience),
        );
    };
    waits(PATIENCE);
    let ask = Ask {
        policy: "keep-30".to_owned(),
        document: first.document.hash(),
        arn: "arn:aws:ecr:eu-central-1:333333333333:repository/hub/library/nginx".to_owned(),
        most: 51,
    };
    assert_eq!(findings.asks(), [ask]);
    assert_eq!(findings.why(&place(), &first), Some(Because::NotPreviewed));
    let other_pod = asked(None, &["shop/api"]);
    assert_eq!(findings.why(&place(), &other_pod), None);
    let approved = asked(Some("hash"), &["shop/web"]);
    assert_eq!(findings.why(&place(), &approved), None);
    let elsewhere = (place().0, "hub/library/redis".parse().unwrap());
    assert_eq!(findings.why(&elsewhere, &first), None);
    waits(Duration::ZERO);
    assert_eq!(findings.why(&place(), &first), None);
    assert_eq!(findings.asks(), []);
    waits(Duration::MAX);
    assert_eq!(findings.why(&place(), &first), Some(Because::NotPreviewed));
}
