//! What a registry has only one of, and several have a part in: people, another cluster, and we.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ecr_operator::domain::owner::Owner;
use ecr_operator::domain::registry::{self, Desired, Part, Record, Replication, sid};
use ecr_operator::domain::repository::Management;
use ecr_operator::ecr::{
    AccessKey, Ambient, Endpoints, Fence, Identity, Registry, Sessions, Settings, Timeouts,
};
use ecr_operator::emulator::{Effect, Entry, Outcome, Rule};
use serde_json::{Value, json};

use super::scene::Scene;
use super::{DEV, REGION};
use crate::rights::{self, Story};

const DEV_OBJECT: &str = "environmentaccounts.ecr-operator.dev dev";
/// Where `dev` replicates to.
const REPLICA: &str = "eu-west-1";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_has_one_of_is_shared_with_everybody() {
    let scene = Scene::set("registry").await;
    others_were_there_first(&scene).await;
    let mut pair = scene.pair("registry").await;
    scene.namespace("team").await;
    our_part_is_added_and_theirs_stays(&scene).await;
    a_put_between_our_looks_loses_nothing_of_theirs_and_ours_comes_back(&scene).await;
    two_clusters_share_a_registry_and_none_takes_from_the_other(&scene).await;
    a_lost_reply_is_no_second_rule(&scene).await;
    a_replica_that_cannot_be_had_is_told(&scene).await;
    what_nobody_asks_for_any_more_is_taken_out_and_nothing_else(&scene).await;
    rights::check(Story::Registry, &scene.stage);
    pair.alive().unwrap();
}

/// A replication rule with a field that the SDK does not know, a filter of a scanning rule, a
/// statement that denies, and an exclusion.
async fn others_were_there_first(scene: &Scene) {
    put_replication(scene, &[theirs("theirs/")]).await;
    let rule = json!({
        "scanFrequency": "SCAN_ON_PUSH",
        "repositoryFilters": [{"filter": "theirs*", "filterType": "WILDCARD"}],
    });
    let scanning = json!({"scanType": "BASIC", "rules": [rule]});
    scene
        .by_hand(DEV, "PutRegistryScanningConfiguration", scanning)
        .await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "Theirs",
        "Effect": "Deny",
        "Principal": {"AWS": "arn:aws:iam::444444444444:root"},
        "Action": "ecr:DeleteRepository",
        "Resource": "*",
    }]});
    let policy = json!({"policyText": policy.to_string()});
    scene.by_hand(DEV, "PutRegistryPolicy", policy).await;
    let principal = json!({"principalArn": format!("arn:aws:iam::{DEV}:role/theirs")});
    scene
        .by_hand(DEV, "RegisterPullTimeUpdateExclusion", principal)
        .await;
}

async fn our_part_is_added_and_theirs_stays(scene: &Scene) {
    let everywhere = json!({"environments": ["dev", "stage", "prod"]});
    scene.repository("team/api-secret", everywhere).await;
    scene.ready("team/api-secret").await;
    let before = shared(scene).await;
    let registry = json!({
        "scanning": {
            "scanType": "ENHANCED",
            "rules": [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": ["team/*"]}],
        },
        "policyStatements": [{
            "sid": "Import",
            "principals": ["444444444444"],
            "actions": ["ecr:BatchImportUpstreamImage"],
        }],
        "accountSettings": {"blobMounting": "ENABLED"},
        "pullTimeUpdateExclusions": [format!("arn:aws:iam::{DEV}:role/scanner")],
        "signing": {"rules": [{
            "signingProfileArn": format!("arn:aws:signer:{REGION}:{DEV}:/signing-profiles/images"),
            "repositoryFilters": ["team/*"],
        }]},
    });
    scene.edit(DEV_OBJECT, json!({"registry": registry})).await;
    scene.repository("team/api", replicated()).await;
    scene.ready("team/api").await;
    scene.ready(DEV_OBJECT).await;
    let now = shared(scene).await;
    assert_eq!(now.replication[0], before.replication[0], "byte for byte");
    assert_eq!(now.replication[1..], [rule("team/api")]);
    assert_eq!(now.scanned, ["theirs*", "team/*"]);
    let ours = sid(&"east".parse().unwrap(), "Import");
    assert_eq!(now.sids, ["Theirs".to_owned(), ours]);
    assert_eq!(now.excluded.len(), 2);
    let signing = scene
        .by_hand(DEV, "GetSigningConfiguration", json!({}))
        .await;
    assert_eq!(
        signing["signingConfiguration"]["rules"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    // Images go where they are wanted, and so do those of the other whose name begins like it.
    scene.hand(DEV).push("team/api", "1.0").await.unwrap();
    assert!(is_replicated(scene, "team/api").await);
    let caught = shown(scene, "registries[0].alsoReplicated").await;
    assert_eq!(caught, r#"["team/api-secret"]"#);
    scene.is_quiet().await;
}

/// F21: whole documents are put by others, with nothing of ours in them.
async fn a_put_between_our_looks_loses_nothing_of_theirs_and_ours_comes_back(scene: &Scene) {
    let since = scene.now();
    put_replication(scene, &[theirs("theirs/"), theirs("new/")]).await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "New",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::444444444444:root"},
        "Action": "ecr:CreateRepository",
        "Resource": "*",
    }]});
    let policy = json!({"policyText": policy.to_string()});
    scene.by_hand(DEV, "PutRegistryPolicy", policy).await;
    scene.wrote(since, DEV, "PutReplicationConfiguration").await;
    scene.wrote(since, DEV, "PutRegistryPolicy").await;
    scene.ready(DEV_OBJECT).await;
    scene.is_quiet().await;
    let now = shared(scene).await;
    let expected = [theirs("theirs/"), theirs("new/"), rule("team/api")];
    assert_eq!(now.replication, expected);
    let ours = sid(&"east".parse().unwrap(), "Import");
    assert_eq!(now.sids, ["New".to_owned(), ours]);
    // Again while we have something of our own to write: it is read right before that.
    let since = scene.now();
    put_replication(scene, &[theirs("theirs/"), rule("team/api")]).await;
    scene.repository("team/web", replicated()).await;
    scene.wrote(since, DEV, "PutReplicationConfiguration").await;
    scene.ready("team/web").await;
    let now = shared(scene).await;
    let ours = json!({
        "destinations": [{"region": REPLICA, "registryId": DEV}],
        "repositoryFilters": [filter("team/api"), filter("team/web")],
    });
    assert_eq!(now.replication, [theirs("theirs/"), ours]);
}

/// F20: both have their part, and when they have, nobody writes.
async fn two_clusters_share_a_registry_and_none_takes_from_the_other(scene: &Scene) {
    let mut west = West::signed_in(scene).await;
    // One repository that both ask for, though only one can own it, and one of its own.
    assert_eq!(west.reconcile(&["team/api", "west/app"]).await, 1);
    scene.is_quiet().await;
    assert_eq!(west.reconcile(&["team/api", "west/app"]).await, 0);
    let now = shared(scene).await;
    assert_eq!(now.replication.last(), Some(&rule("west/app")));
    assert_eq!(now.replication.len(), 3);
    // The other lets go of what it has alone, and what is ours stays.
    assert_eq!(west.reconcile(&[]).await, 1);
    scene.is_quiet().await;
    assert_eq!(shared(scene).await.replication.len(), 2);
}

async fn a_lost_reply_is_no_second_rule(scene: &Scene) {
    let since = scene.now();
    let faults = scene.stage.emulator.faults();
    faults.add(Rule {
        operation: Some("PutReplicationConfiguration".to_owned()),
        effect: Effect::CutAfter,
        times: Some(1),
        ..Rule::default()
    });
    scene.repository("team/lost", replicated()).await;
    let answered = |it: &Entry| {
        it.sequence > since
            && it.operation == "PutReplicationConfiguration"
            && it.outcome == Outcome::Done
    };
    scene.heard("second attempt", answered).await;
    scene.ready("team/lost").await;
    assert_eq!(faults.list()[0].1, 1);
    faults.clear();
    let now = shared(scene).await;
    assert_eq!(now.replication.len(), 2);
    let filters = now.replication[1]["repositoryFilters"].as_array();
    assert_eq!(filters.map(Vec::len), Some(3));
    scene.is_quiet().await;
}

async fn a_replica_that_cannot_be_had_is_told(scene: &Scene) {
    let spec = json!({"environments": ["stage"], "replication": "Enabled"});
    scene.repository("team/nowhere", spec).await;
    scene.because("team/nowhere", "InvalidSpec").await;
    let message = scene.message("team/nowhere").await;
    assert!(message.contains("no replicaRegions"), "{message}");
    let made = scene.in_ecr(super::STAGE, "team/nowhere").await;
    assert_ne!(made, Value::Null, "it is made all the same");
    scene
        .edit("team/nowhere", json!({"replication": "Disabled"}))
        .await;
    scene.ready("team/nowhere").await;
    let faults = scene.stage.emulator.faults();
    faults.add(Rule {
        operation: Some("PutReplicationConfiguration".to_owned()),
        effect: Effect::Deny,
        ..Rule::default()
    });
    scene.repository("team/denied", replicated()).await;
    scene.because("team/denied", "EnvironmentNotReady").await;
    scene.because(DEV_OBJECT, "AccessDenied").await;
    faults.clear();
    scene.ready("team/denied").await;
    scene.ready(DEV_OBJECT).await;
}

async fn what_nobody_asks_for_any_more_is_taken_out_and_nothing_else(scene: &Scene) {
    let since = scene.now();
    for name in ["team/web", "team/lost", "team/denied"] {
        scene.kubectl("delete", name, &[]).await.unwrap();
    }
    let none = json!({"overrides": [{"environment": "dev", "replication": "Disabled"}]});
    scene.edit("team/api", none).await;
    scene.edit(DEV_OBJECT, json!({"registry": null})).await;
    let is_theirs = |it: &Entry| {
        it.sequence > since
            && it.operation == "PutReplicationConfiguration"
            && it.parameters["replicationConfiguration"]["rules"] == json!([theirs("theirs/")])
    };
    scene.heard("put of what is theirs", is_theirs).await;
    for operation in [
        "PutRegistryScanningConfiguration",
        "PutRegistryPolicy",
        "DeregisterPullTimeUpdateExclusion",
        "DeleteSigningConfiguration",
    ] {
        scene.wrote(since, DEV, operation).await;
    }
    scene.ready(DEV_OBJECT).await;
    scene.is_quiet().await;
    let now = shared(scene).await;
    assert_eq!(now.replication, [theirs("theirs/")]);
    assert_eq!(now.scanned, ["theirs*"]);
    assert_eq!(now.sids, ["New"]);
    assert_eq!(now.excluded, [format!("arn:aws:iam::{DEV}:role/theirs")]);
    let gone = scene
        .hand(DEV)
        .ecr("GetSigningConfiguration", &json!({}))
        .await;
    assert!(gone.is_err(), "nothing was left in it");
    assert_eq!(shown(scene, "registries[*].record").await, "");
}

/// The operator of another cluster that manages the same account, as far as replication goes.
struct West {
    registry: Registry,
    record: Record,
}

impl West {
    async fn signed_in(scene: &Scene) -> Self {
        let settings = Settings {
            endpoints: Endpoints::all(&scene.stage.emulator.url()),
            ambient: Ambient::AccessKey(AccessKey {
                id: DEV.to_owned(),
                secret: "secret".to_owned(),
            }),
            timeouts: Timeouts {
                write: Timeouts::default().read,
                ..Timeouts::default()
            },
            fence: Arc::new(Fence::always_open()),
            ..Settings::new("west".parse().unwrap())
        };
        let sessions = Sessions::new(settings).await;
        let name =
            ecr_operator::domain::Registry::new(DEV.parse().unwrap(), REGION.parse().unwrap());
        let registry = sessions.registry(&name, &Identity::Ambient).await.unwrap();
        Self {
            registry,
            record: Record::default(),
        }
    }

    /// Asks for these repositories, and gives the number of calls that this took.
    async fn reconcile(&mut self, names: &[&str]) -> usize {
        let owner = |name: &str| Owner {
            cluster: "west".parse().unwrap(),
            object: name.to_owned(),
            uid: "u1".to_owned(),
        };
        let wanted = names.iter().map(|it| (it.parse().unwrap(), owner(it)));
        let replica =
            ecr_operator::domain::Registry::new(DEV.parse().unwrap(), REPLICA.parse().unwrap());
        let desired = Desired {
            replication: Replication {
                destinations: BTreeSet::from([replica]),
                wanted: wanted.collect::<BTreeMap<_, _>>(),
                kept: BTreeSet::new(),
            },
            ..Desired::nothing(Management::Manage)
        };
        self.registry
            .read_settings(&[Part::Replication])
            .await
            .unwrap();
        let plan = registry::plan(&desired, &self.record, &self.registry.known_settings());
        for change in &plan.changes {
            self.registry.apply_setting(change).await.unwrap();
        }
        self.record = plan.record;
        plan.changes.len()
    }
}

fn replicated() -> Value {
    json!({
        "environments": ["dev", "stage", "prod"],
        "overrides": [{"environment": "dev", "replication": "Enabled"}],
    })
}

fn filter(prefix: &str) -> Value {
    json!({"filter": prefix, "filterType": "PREFIX_MATCH"})
}

/// A rule as we make it.
fn rule(prefix: &str) -> Value {
    json!({
        "destinations": [{"region": REPLICA, "registryId": DEV}],
        "repositoryFilters": [filter(prefix)],
    })
}

/// A rule as somebody else makes it, with a field that the SDK does not know.
fn theirs(prefix: &str) -> Value {
    json!({
        "destinations": [{"region": "us-east-1", "registryId": DEV}],
        "repositoryFilters": [filter(prefix)],
        "deleteReplication": {"enabled": true},
    })
}

async fn put_replication(scene: &Scene, rules: &[Value]) {
    let configuration = json!({"replicationConfiguration": {"rules": rules}});
    scene
        .by_hand(DEV, "PutReplicationConfiguration", configuration)
        .await;
}

/// What several have a part in, as ECR has it.
struct Shared {
    replication: Vec<Value>,
    scanned: Vec<String>,
    sids: Vec<String>,
    excluded: Vec<String>,
}

async fn shared(scene: &Scene) -> Shared {
    let texts = |list: &Value, field: &str| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.map(|it| it[field].as_str().unwrap().to_owned())
            .collect()
    };
    let asked = async |operation| scene.by_hand(DEV, operation, json!({})).await;
    let replication = asked("DescribeRegistry").await;
    let scanning = asked("GetRegistryScanningConfiguration").await;
    let policy = asked("GetRegistryPolicy").await;
    let policy: Value = serde_json::from_str(policy["policyText"].as_str().unwrap()).unwrap();
    let exclusions = asked("ListPullTimeUpdateExclusions").await;
    let exclusions = exclusions["pullTimeUpdateExclusions"].as_array();
    let exclusions = exclusions.into_iter().flatten();
    Shared {
        replication: replication["replicationConfiguration"]["rules"]
            .as_array()
            .cloned()
            .unwrap_or_default(),
        scanned: texts(
            &scanning["scanningConfiguration"]["rules"][0]["repositoryFilters"],
            "filter",
        ),
        sids: texts(&policy["Statement"], "Sid"),
        excluded: exclusions
            .map(|it| it.as_str().unwrap().to_owned())
            .collect(),
    }
}

async fn is_replicated(scene: &Scene, name: &str) -> bool {
    let image = json!({"repositoryName": name, "imageId": {"imageTag": "1.0"}});
    let status = scene
        .by_hand(DEV, "DescribeImageReplicationStatus", image)
        .await;
    status["replicationStatuses"][0]["status"] == "COMPLETE"
}

/// A part of what the environment `dev` shows.
async fn shown(scene: &Scene, part: &str) -> String {
    let path = format!("--output=jsonpath={{.status.{part}}}");
    scene.kubectl("get", DEV_OBJECT, &[&path]).await.unwrap()
}
