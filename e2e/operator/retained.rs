//! What Retain keeps comes back by itself: a whole namespace is pruned and synced again, an object is
//! renamed, or made again before its predecessor is gone. Nobody has to act, and nobody else gets it.

use ecr_operator::emulator::{Effect, Rule};
use serde_json::{Value, json};

use super::records::another_second;
use super::scene::Scene;
use super::{DEV, PROD, STAGE};
use crate::operator::records::until;

const QUAY: &str = "pullthroughrules.ecr-operator.dev quay";
const MARK: &str = "ecr-operator.dev/released-by";
const RELEASE: [&str; 2] = ["TagResource", "UntagResource"];

#[tokio::test(flavor = "multi_thread")]
async fn retained_repositories_come_back_by_themselves() {
    let scene = Scene::set("retained").await;
    let mut operator = scene.operator("retained").await;
    scene.namespace("keep").await;
    a_pruned_namespace_is_synced_again(&scene).await;
    a_renamed_object_takes_its_repository_back(&scene).await;
    an_object_is_made_again_before_the_old_one_is_gone(&scene).await;
    a_repository_full_of_tags_comes_back(&scene).await;
    what_somebody_else_has_tagged_since_is_theirs(&scene).await;
    another_namespace_and_another_cluster_get_nothing(&scene).await;
    an_environment_under_another_name_takes_records_over(&scene).await;
    an_environment_made_again_for_another_account_forgets_nothing(&scene).await;
    operator.alive().unwrap();
}

/// A repository of the team in one of its environments.
struct Place {
    account: &'static str,
    environment: &'static str,
    name: &'static str,
}

const PLACES: [Place; 4] = [
    Place {
        account: DEV,
        environment: "dev",
        name: "keep/api",
    },
    Place {
        account: PROD,
        environment: "prod",
        name: "keep/api",
    },
    Place {
        account: STAGE,
        environment: "stage",
        name: "keep/job",
    },
    Place {
        account: STAGE,
        environment: "stage",
        name: "keep/web",
    },
];

/// The team's manifests.
fn objects() -> [(&'static str, Value); 3] {
    let api = json!({"environments": ["dev", "prod"], "tags": {"team": "keep"}});
    let job = json!({"environments": ["stage"], "lifecyclePolicyRef": {"name": "keep-5"}});
    let web = json!({"environments": ["stage"], "access": {"pull": ["444444444444"]}});
    [("keep/api", api), ("keep/job", job), ("keep/web", web)]
}

async fn sync(scene: &Scene) {
    for (object, spec) in objects() {
        scene.repository(object, spec).await;
    }
    let quay = json!({"upstreamRegistry": "quay", "environments": ["stage"]});
    scene.cache("quay", quay).await;
    for (object, _) in objects() {
        scene.ready(object).await;
    }
    scene.ready(QUAY).await;
}

/// What is pruned beside the cache.
#[derive(Clone, Copy, Debug)]
enum Pruned {
    Objects,
    Namespace,
}

async fn prune(scene: &Scene, pruned: Pruned) {
    scene.kubectl("delete", QUAY, &[]).await.unwrap();
    match pruned {
        Pruned::Objects => {
            for (object, _) in objects() {
                scene.kubectl("delete", object, &[]).await.unwrap();
            }
        }
        Pruned::Namespace => {
            let namespace = "namespace keep";
            scene
                .kubectl("delete", namespace, &["--wait=false"])
                .await
                .unwrap();
            scene.gone(namespace).await;
            scene.namespace("keep").await;
        }
    }
}

/// The same manifests, as Argo CD prunes and syncs them: first without, then with the namespace.
async fn a_pruned_namespace_is_synced_again(scene: &Scene) {
    sync(scene).await;
    let mut before = Vec::new();
    for Place { account, name, .. } in PLACES {
        scene.hand(account).push(name, "1.0").await.unwrap();
        before.push(scene.in_ecr(account, name).await);
    }
    let calls = PLACES.iter().flat_map(|it| {
        let Place {
            environment, name, ..
        } = it;
        RELEASE.map(|call| format!("{environment} {name} {call}"))
    });
    let calls: Vec<String> = calls.collect();
    for pruned in [Pruned::Objects, Pruned::Namespace] {
        let since = scene.now();
        prune(scene, pruned).await;
        assert_eq!(scene.ledger(since), calls, "{pruned:?}");
        for Place { account, name, .. } in PLACES {
            let tags = scene.in_ecr(account, name).await["tags"].clone();
            assert_eq!(tags[MARK], format!("east/{name}"));
            assert!(tags["ecr-operator.dev/cluster"].is_null(), "{tags}");
        }
        let since = scene.now();
        sync(scene).await;
        assert_eq!(scene.ledger(since), calls, "{pruned:?}, synced");
        for (Place { account, name, .. }, before) in PLACES.iter().zip(&before) {
            assert_eq!(scene.in_ecr(account, name).await, *before);
            assert_eq!(images(scene, account, name).await, 1);
        }
    }
    scene.is_quiet().await;
}

async fn a_renamed_object_takes_its_repository_back(scene: &Scene) {
    let spec = json!({"environments": ["stage"], "repositoryName": "keep/named"});
    scene.repository("keep/before", spec.clone()).await;
    scene.ready("keep/before").await;
    scene.hand(STAGE).push("keep/named", "1.0").await.unwrap();
    another_second(scene, "keep/before").await;
    // As a sync that prunes last does it: for a while both are there.
    scene.repository("keep/after", spec).await;
    scene.because("keep/after", "Conflict").await;
    let since = scene.now();
    scene.kubectl("delete", "keep/before", &[]).await.unwrap();
    scene.ready("keep/after").await;
    assert_eq!(
        scene.ledger(since),
        lines("stage keep/named", [RELEASE, RELEASE])
    );
    let tags = scene.in_ecr(STAGE, "keep/named").await["tags"].clone();
    assert_eq!(tags["ecr-operator.dev/object"], "keep/after");
    assert!(tags[MARK].is_null(), "{tags}");
    assert_eq!(images(scene, STAGE, "keep/named").await, 1);
}

async fn an_object_is_made_again_before_the_old_one_is_gone(scene: &Scene) {
    let spec = json!({"environments": ["stage"]});
    scene.repository("keep/early", spec.clone()).await;
    scene.ready("keep/early").await;
    let uid = async || {
        let path = ["--ignore-not-found", "--output=jsonpath={.metadata.uid}"];
        scene.kubectl("get", "keep/early", &path).await.unwrap()
    };
    let old = uid().await;
    scene.stage.emulator.faults().add(Rule {
        account: Some(STAGE.to_owned()),
        operation: Some("UntagResource".to_owned()),
        effect: Effect::Deny,
        ..Rule::default()
    });
    let since = scene.now();
    scene
        .kubectl("delete", "keep/early", &["--wait=false"])
        .await
        .unwrap();
    scene.because("keep/early", "Deleting").await;
    // It lands on the object that is on its way out.
    scene.repository("keep/early", spec.clone()).await;
    scene.stage.emulator.faults().clear();
    scene.gone("keep/early").await;
    scene.repository("keep/early", spec).await;
    scene.ready("keep/early").await;
    assert_ne!(uid().await, old);
    assert_eq!(
        scene.ledger(since),
        lines("stage keep/early", [RELEASE, RELEASE]),
        "no mark is put twice"
    );
}

/// With the owner's three, a repository may bear no further tag: there is no room for the mark.
async fn a_repository_full_of_tags_comes_back(scene: &Scene) {
    let tags: serde_json::Map<String, Value> = (0..47)
        .map(|it| (format!("tag-{it:02}"), json!("x")))
        .collect();
    let spec = json!({"environments": ["stage"], "tags": tags});
    scene.repository("keep/full", spec.clone()).await;
    scene.ready("keep/full").await;
    let before = scene.in_ecr(STAGE, "keep/full").await;
    let since = scene.now();
    scene.kubectl("delete", "keep/full", &[]).await.unwrap();
    scene.repository("keep/full", spec).await;
    scene.ready("keep/full").await;
    assert_eq!(scene.in_ecr(STAGE, "keep/full").await, before);
    let expected = [["UntagResource", "TagResource"], RELEASE, RELEASE];
    assert_eq!(scene.ledger(since), lines("stage keep/full", expected));
}

async fn what_somebody_else_has_tagged_since_is_theirs(scene: &Scene) {
    let spec = json!({"environments": ["stage"]});
    scene.repository("keep/taken", spec.clone()).await;
    scene.ready("keep/taken").await;
    scene.kubectl("delete", "keep/taken", &[]).await.unwrap();
    let theirs = json!([
        {"Key": "ecr-operator.dev/cluster", "Value": "west"},
        {"Key": "ecr-operator.dev/object", "Value": "keep/taken"},
    ]);
    let arn = arn(STAGE, "keep/taken");
    let tag = json!({"resourceArn": arn, "tags": theirs});
    scene.by_hand(STAGE, "TagResource", tag).await;
    let since = scene.now();
    scene.repository("keep/taken", spec).await;
    scene.because("keep/taken", "Conflict").await;
    scene.kubectl("delete", "keep/taken", &[]).await.unwrap();
    assert_eq!(scene.ledger(since), Vec::<String>::new());
}

async fn another_namespace_and_another_cluster_get_nothing(scene: &Scene) {
    for by in ["east/other/mine", "west/keep/mine", "east/keeper/mine"] {
        let tags = json!([{"Key": MARK, "Value": by}]);
        let create = json!({"repositoryName": "keep/mine", "tags": tags});
        scene.by_hand(STAGE, "CreateRepository", create).await;
        let since = scene.now();
        scene
            .repository("keep/mine", json!({"environments": ["stage"]}))
            .await;
        scene.because("keep/mine", "NotAdopted").await;
        assert_eq!(scene.ledger(since), Vec::<String>::new(), "{by}");
        // Who adopts it is its owner, and the mark goes.
        let adopt = json!({"adoptionPolicy": "IfUnowned"});
        scene.edit("keep/mine", adopt).await;
        scene.ready("keep/mine").await;
        let tags = scene.in_ecr(STAGE, "keep/mine").await["tags"].clone();
        assert!(tags[MARK].is_null(), "{tags}");
        scene.kubectl("delete", "keep/mine", &[]).await.unwrap();
        let delete = json!({"repositoryName": "keep/mine"});
        scene.by_hand(STAGE, "DeleteRepository", delete).await;
    }
}

fn environment(account: &str) -> Value {
    json!({
        "accountId": account,
        "region": super::REGION,
        "assumeRole": {"roleArn": format!("arn:aws:iam::{account}:role/ecr-operator")},
        "grants": [{"namespaceSelector": {}, "repositoryPrefixes": ["{namespace}/"]}],
    })
}

async fn orphaned(scene: &Scene, environment: &str) {
    let orphan = ["ecr-operator.dev/orphan=true"];
    scene
        .kubectl("annotate", environment, &orphan)
        .await
        .unwrap();
    scene.kubectl("delete", environment, &[]).await.unwrap();
}

const FIRST: &str = "555555555555";
const SECOND: &str = "121212121212";
const MOVING: &str = "environmentaccounts.ecr-operator.dev moving";

/// The account is the same, so nothing is released on the way, and all is in the end.
async fn an_environment_under_another_name_takes_records_over(scene: &Scene) {
    scene.environment(environment(FIRST), "moving").await;
    let spec = json!({"environments": ["moving"], "tags": {"team": "keep"}});
    scene.repository("keep/moved", spec).await;
    scene.ready("keep/moved").await;
    orphaned(scene, MOVING).await;
    scene.because("keep/moved", "EnvironmentNotFound").await;
    let since = scene.now();
    scene.environment(environment(FIRST), "moved").await;
    let moved = json!({"environments": ["moved"], "tags": null});
    scene.edit("keep/moved", moved).await;
    until(scene, "keep/moved", "under its new name", |it| {
        let rows = it.targets.iter();
        let rows = rows.map(|it| (it.environment.as_str(), it.record.is_some()));
        rows.eq([("moved", true)])
    })
    .await;
    scene.ready("keep/moved").await;
    let retired = [format!("{FIRST} keep/moved UntagResource")];
    assert_eq!(
        scene.ledger(since),
        retired,
        "a tag that the record tells of"
    );
    scene.kubectl("delete", "keep/moved", &[]).await.unwrap();
    assert_eq!(
        scene.in_ecr(FIRST, "keep/moved").await["tags"],
        json!({MARK: "east/keep/moved"})
    );
    scene
        .kubectl("delete", "environmentaccounts.ecr-operator.dev moved", &[])
        .await
        .unwrap();
}

async fn an_environment_made_again_for_another_account_forgets_nothing(scene: &Scene) {
    scene.environment(environment(FIRST), "moving").await;
    let spec = json!({"environments": ["moving", "stage"]});
    scene.repository("keep/switched", spec).await;
    scene.ready("keep/switched").await;
    orphaned(scene, MOVING).await;
    scene.environment(environment(SECOND), "moving").await;
    scene.because("keep/switched", "Conflict").await;
    let message = scene.message("keep/switched").await;
    assert!(message.contains(&arn(FIRST, "keep/switched")), "{message}");
    // As the message says: another environment for the account, and the name out of the spec.
    scene.environment(environment(FIRST), "former").await;
    let since = scene.now();
    let out = json!({"environments": ["stage"]});
    scene.edit("keep/switched", out).await;
    scene.wrote(since, FIRST, "UntagResource").await;
    let both = json!({"environments": ["moving", "stage"]});
    scene.edit("keep/switched", both).await;
    scene.ready("keep/switched").await;
    assert!(scene.in_ecr(SECOND, "keep/switched").await.is_object());
    scene.kubectl("delete", "keep/switched", &[]).await.unwrap();
    for account in [FIRST, SECOND, STAGE] {
        let tags = scene.in_ecr(account, "keep/switched").await["tags"].clone();
        assert_eq!(tags[MARK], "east/keep/switched", "{account}: {tags}");
        assert!(tags["ecr-operator.dev/uid"].is_null(), "{account}: {tags}");
    }
}

fn arn(account: &str, name: &str) -> String {
    format!("arn:aws:ecr:{}:{account}:repository/{name}", super::REGION)
}

/// What the ledger has where these calls were made.
fn lines<const N: usize>(subject: &str, calls: [[&str; 2]; N]) -> Vec<String> {
    let calls = calls.into_iter().flatten();
    let mut lines: Vec<String> = calls.map(|it| format!("{subject} {it}")).collect();
    lines.sort();
    lines
}

async fn images(scene: &Scene, account: &str, name: &str) -> usize {
    let listed = scene
        .by_hand(account, "ListImages", json!({"repositoryName": name}))
        .await;
    listed["imageIds"].as_array().unwrap().len()
}
