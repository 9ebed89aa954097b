//! Who we are: proven before anything else is called.

use std::time::Duration;

use ecr_operator::ecr::{ErrorKind, Sessions};
use ecr_operator::emulator::{Effect, Rule};

use super::*;

fn role(external_id: Option<&str>) -> Identity {
    Identity::Role {
        arn: format!("arn:aws:iam::{PROD}:role/ecr-operator"),
        external_id: external_id.map(str::to_owned),
    }
}

/// The environment's role lets the hub account in, with the external id and the cluster's tag.
const TRUST: &str = "
accounts:
  '333333333333':
    roles:
      ecr-operator:
        trust:
          Version: '2012-10-17'
          Statement:
          - Effect: Allow
            Principal: {AWS: 'arn:aws:iam::111111111111:root'}
            Action: ['sts:AssumeRole', 'sts:TagSession']
            Condition:
              StringEquals: {'sts:ExternalId': 'prod-7', 'aws:RequestTag/ecr-operator.dev/cluster': 'east'}
";

#[tokio::test]
async fn a_role_is_assumed_once_with_its_external_id_and_the_clusters_tag() {
    let emulator = emulator(TRUST).await;
    let sessions = Sessions::new(settings(&emulator, HUB)).await;
    let target = registry_name(PROD, HERE);
    let identity = role(Some("prod-7"));
    for _ in 0..3 {
        let registry = sessions.registry(&target, &identity).await.unwrap();
        registry.refresh().await.unwrap();
    }
    let calls = operations(&emulator, 0);
    let count = |operation: &str| calls.iter().filter(|it| *it == operation).count();
    assert_eq!(count("AssumeRole"), 1);
    assert_eq!(count("GetCallerIdentity"), 1);
    assert_eq!(count("DescribeRepositories"), 3);

    let last = emulator.journal().entries().pop().unwrap();
    assert_eq!(
        last.caller,
        format!("arn:aws:sts::{PROD}:assumed-role/ecr-operator/ecr-operator@east")
    );
}

#[tokio::test]
async fn another_account_than_declared_is_never_called() {
    let emulator = emulator("{}").await;
    let sessions = Sessions::new(settings(&emulator, HUB)).await;
    let target = registry_name(PROD, HERE);
    let error = sessions
        .registry(&target, &Identity::Ambient)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::WrongAccount);
    assert!(
        error.message.contains(HUB) && error.message.contains(PROD),
        "{error}"
    );
    assert_eq!(operations(&emulator, 0), ["GetCallerIdentity"]);
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_asked_for_once_by_a_thousand_objects() {
    let emulator = emulator(TRUST).await;
    let sessions = Sessions::new(settings(&emulator, HUB)).await;
    let target = registry_name(PROD, HERE);
    for external_id in [None, Some("guessed")] {
        let before = emulator.journal().last();
        let identity = role(external_id);
        let asks = (0..1000).map(|_| sessions.registry(&target, &identity));
        for answer in futures::future::join_all(asks).await {
            let error = answer.unwrap_err();
            assert_eq!(error.kind, ErrorKind::AssumeRoleDenied, "{error}");
            assert!(!error.message.contains("secret"), "{error}");
        }
        assert_eq!(operations(&emulator, before), ["AssumeRole"]);
    }
}

#[tokio::test]
async fn one_environment_that_cannot_be_entered_keeps_none_from_another() {
    let emulator = emulator(TRUST).await;
    let sessions = Sessions::new(settings(&emulator, HUB)).await;
    let prod = sessions
        .registry(&registry_name(PROD, HERE), &role(None))
        .await;
    assert_eq!(prod.unwrap_err().kind, ErrorKind::AssumeRoleDenied);
    let hub = sessions
        .registry(&registry_name(HUB, HERE), &Identity::Ambient)
        .await;
    hub.unwrap().refresh().await.unwrap();
}

#[tokio::test]
async fn rejected_credentials_are_replaced_at_the_next_use() {
    let emulator = emulator("{}").await;
    let sessions = Sessions::new(settings(&emulator, HUB)).await;
    let target = registry_name(PROD, HERE);
    let identity = role(None);
    let stale = sessions.registry(&target, &identity).await.unwrap();
    emulator.reset().unwrap(); // STS forgets what it gave out
    let error = stale.refresh().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::CredentialsRejected, "{error}");

    let fresh = sessions.registry(&target, &identity).await.unwrap();
    fresh.refresh().await.unwrap();
    assert!(stale.snapshot().is_some(), "both know what either learned");
}

#[tokio::test]
async fn a_silent_sts_is_asked_once_by_a_thousand_objects_and_delays_no_other_region() {
    let emulator = emulator("{}").await;
    emulator.faults().add(Rule {
        region: Some(THERE.to_owned()),
        service: Some("sts".to_owned()),
        effect: Effect::Hang,
        ..Rule::default()
    });
    let [here, there] = [HERE, THERE].map(|it| registry_name(PROD, it));
    // The other region answers while this one hangs: its timeout is longer than any test.
    let mut patient = settings(&emulator, PROD);
    patient.timeouts.write = Duration::from_secs(3600);
    let sessions = Sessions::new(patient).await;
    let asks = (0..1000).map(|_| sessions.registry(&there, &Identity::Ambient));
    tokio::select! {
        answered = sessions.registry(&here, &Identity::Ambient) => drop(answered.unwrap()),
        _ = futures::future::join_all(asks) => unreachable!("a silent region has no answer"),
    }

    let mut brief = settings(&emulator, PROD);
    brief.timeouts.write = Duration::from_secs(1);
    let sessions = Sessions::new(brief).await;
    let before = emulator.journal().last();
    let asks = (0..1000).map(|_| sessions.registry(&there, &Identity::Ambient));
    for answer in futures::future::join_all(asks).await {
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Unavailable);
    }
    assert_eq!(operations(&emulator, before), ["GetCallerIdentity"]);
}
