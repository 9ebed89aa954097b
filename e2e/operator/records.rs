//! What status records of a target outlives every stop of its environment: another environment that
//! leaves the spec meanwhile takes nothing along, and what was made is released in the end.

use ecr_operator::api::ImageRepository;
use ecr_operator::api::environment_account::EnvironmentAccountStatus;
use ecr_operator::api::image_repository::ImageRepositoryStatus;
use ecr_operator::commands::demo::hand::Hand;
use jiff::Timestamp;
use kube::Api;
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use tokio::time::{Duration, sleep, timeout};

use super::registry_edges::until_dev;
use super::scene::{ENVIRONMENTS, Scene};
use super::{DEV, PATIENCE, PROD, REGION, STAGE};

/// An environment of the story.
#[derive(Clone, Copy)]
struct Place {
    environment: &'static str,
    account: &'static str,
}

const QUAY: &str = "pullthroughrules.ecr-operator.dev quay";
/// The other region of `dev`.
const REPLICA: &str = "eu-west-1";
const ON_DEV: Place = Place {
    environment: "dev",
    account: DEV,
};
const ON_STAGE: Place = Place {
    environment: "stage",
    account: STAGE,
};
const ON_PROD: Place = Place {
    environment: "prod",
    account: PROD,
};

/// What stops an environment as a whole.
#[derive(Clone, Copy, Debug)]
enum Halt {
    Suspended,
    GrantWithdrawn,
    OnItsWayOut,
    Deleted,
}

#[tokio::test(flavor = "multi_thread")]
async fn records_outlive_every_stop_of_an_environment() {
    let scene = Scene::set("records").await;
    let mut operator = scene.operator("records").await;
    scene.namespace("rec").await;
    for halt in [
        Halt::Suspended,
        Halt::GrantWithdrawn,
        Halt::OnItsWayOut,
        Halt::Deleted,
    ] {
        // Whichever of the two comes first by name.
        released_in_both(&scene, halt, (ON_PROD, ON_STAGE)).await;
        released_in_both(&scene, halt, (ON_STAGE, ON_PROD)).await;
    }
    a_replicated_repository_is_released_with_its_filter(&scene).await;
    a_name_that_an_older_object_may_use_now(&scene).await;
    a_cache_keeps_its_record(&scene).await;
    a_region_that_another_environment_has_now(&scene).await;
    operator.alive().unwrap();
}

/// One environment is halted, the other leaves the spec, the object is deleted, and the halt ends.
async fn released_in_both(scene: &Scene, halt: Halt, (halted, leaving): (Place, Place)) {
    let object = format!("rec/{halt:?}-{}", halted.environment).to_lowercase();
    let spec = json!({"environments": [halted.environment, leaving.environment]});
    scene.repository(&object, spec).await;
    released(scene, &object, halt, (halted, leaving)).await;
}

async fn released(scene: &Scene, object: &str, halt: Halt, (halted, leaving): (Place, Place)) {
    scene.ready(object).await;
    let grants = halt.begin(scene, halted).await;
    scene.because(object, halt.reason()).await;
    let since = scene.now();
    let alone = json!({"environments": [halted.environment]});
    scene.edit(object, alone).await;
    scene.wrote(since, leaving.account, "UntagResource").await;
    let is_kept = |it: &ImageRepositoryStatus| {
        let rows = it.targets.iter();
        let rows = rows.map(|it| (it.environment.as_str(), it.record.is_some()));
        rows.eq([(halted.environment, true)])
    };
    until(
        scene,
        object,
        "the halted target alone is recorded",
        is_kept,
    )
    .await;
    delete(scene, object).await;
    halt.end(scene, halted, &grants).await;
    scene.gone(object).await;
    for place in [halted, leaving] {
        is_nobodys(scene, place, object).await;
    }
}

async fn is_nobodys(scene: &Scene, place: Place, name: &str) {
    let tags = scene.in_ecr(place.account, name).await["tags"].clone();
    let ours = ["cluster", "object", "uid"].map(|it| format!("ecr-operator.dev/{it}"));
    assert!(
        tags.is_object() && ours.iter().all(|it| tags[it].is_null()),
        "{name} in {}: {tags}",
        place.environment
    );
}

/// Waits until the object shows one target, which is recorded.
async fn recorded_alone(scene: &Scene, object: &str, place: Place) {
    let is_kept = |it: &ImageRepositoryStatus| {
        let rows = it.targets.iter();
        let rows = rows.map(|it| (it.environment.as_str(), it.record.is_some()));
        rows.eq([(place.environment, true)])
    };
    until(scene, object, "one target alone, and recorded", is_kept).await;
}

async fn a_replicated_repository_is_released_with_its_filter(scene: &Scene) {
    let replicated = json!([{"environment": "dev", "replication": "Enabled"}]);
    let spec = json!({"environments": ["dev", "stage"], "overrides": replicated});
    scene.repository("rec/copied", spec).await;
    released(scene, "rec/copied", Halt::Suspended, (ON_DEV, ON_STAGE)).await;
    let rules = async || {
        let registry = scene.by_hand(DEV, "DescribeRegistry", json!({})).await;
        registry["replicationConfiguration"]["rules"].clone()
    };
    let emptied = |it: &EnvironmentAccountStatus| {
        let mut home = it.registries.iter().filter(|it| it.region == REGION);
        home.all(|it| it.record.is_none())
    };
    until_dev(scene, "its filter is out", emptied).await;
    assert_eq!(rules().await, json!([]));
}

/// An older object that had no grant gets one, and is first; what the younger made stays recorded, and
/// goes to nobody of another namespace.
async fn a_name_that_an_older_object_may_use_now(scene: &Scene) {
    let shared = json!([{"namespaceSelector": {"matchLabels": {"example.com/team": "true"}},
        "repositoryPrefixes": ["{namespace}/", "shared/"]}]);
    scene
        .edit(&account(ON_STAGE), json!({"grants": shared}))
        .await;
    scene
        .stage
        .cluster
        .create_namespace("elder", &[])
        .await
        .unwrap();
    let name = "shared/claimed";
    let older = json!({"environments": ["prod"], "repositoryName": name});
    scene.repository("elder/claimed", older).await;
    scene.because("elder/claimed", "NotGranted").await;
    another_second(scene, "elder/claimed").await;
    let younger = json!({"environments": ["prod", "stage"], "repositoryName": name});
    scene.repository("rec/claimed", younger).await;
    scene.ready("rec/claimed").await;
    let label = ["example.com/team=true"];
    scene
        .kubectl("label", "namespace elder", &label)
        .await
        .unwrap();
    scene.because("rec/claimed", "Conflict").await;
    let since = scene.now();
    scene
        .edit("rec/claimed", json!({"environments": ["prod"]}))
        .await;
    scene.wrote(since, STAGE, "UntagResource").await;
    recorded_alone(scene, "rec/claimed", ON_PROD).await;
    scene.kubectl("delete", "rec/claimed", &[]).await.unwrap();
    for place in [ON_PROD, ON_STAGE] {
        is_nobodys(scene, place, name).await;
    }
    scene.because("elder/claimed", "NotAdopted").await;
    scene.kubectl("delete", "elder/claimed", &[]).await.unwrap();
}

/// Waits until what is created is younger than this object: API servers date objects by the second.
pub(super) async fn another_second(scene: &Scene, object: &str) {
    let path = "--output=jsonpath={.metadata.creationTimestamp}";
    let created = scene.kubectl("get", object, &[path]).await.unwrap();
    let created: Timestamp = created.parse().unwrap();
    while Timestamp::now().as_second() <= created.as_second() {
        sleep(Duration::from_millis(50)).await;
    }
}

async fn a_cache_keeps_its_record(scene: &Scene) {
    let rows = |it: &Value| {
        let rows = it["status"]["targets"].as_array().unwrap();
        let row = |it: &Value| {
            let key = format!("{}/{}", it["environment"], it["region"]).replace('"', "");
            (
                key,
                it["record"]["ecrRepositoryPrefix"].as_str() == Some("quay"),
            )
        };
        rows.iter().map(row).collect::<Vec<_>>()
    };
    for (halted, leaving) in [(ON_PROD, ON_STAGE), (ON_STAGE, ON_PROD)] {
        let environments = json!([halted.environment, leaving.environment]);
        let spec = json!({"upstreamRegistry": "quay", "environments": environments});
        scene.cache("quay", spec).await;
        scene.ready(QUAY).await;
        scene.edit(&account(halted), json!({"suspend": true})).await;
        scene.because(QUAY, "Suspended").await;
        let alone = json!({"environments": [halted.environment]});
        scene.edit(QUAY, alone).await;
        scene
            .waits(QUAY, "jsonpath={.status.targetsReady}=0/1")
            .await;
        let shown = scene
            .kubectl("get", QUAY, &["--output=json"])
            .await
            .unwrap();
        let key = format!("{}/{REGION}", halted.environment);
        let shown = serde_json::from_str(&shown).unwrap();
        assert_eq!(rows(&shown), [(key, true)]);
        let since = scene.now();
        scene
            .edit(&account(halted), json!({"suspend": false}))
            .await;
        scene.ready(QUAY).await;
        assert_eq!(
            scene.ledger(since),
            Vec::<String>::new(),
            "the rule is there"
        );
        scene.kubectl("delete", QUAY, &[]).await.unwrap();
    }
}

/// What an environment put into a registry stays recorded while another has it, and is taken out when
/// that one is gone.
async fn a_region_that_another_environment_has_now(scene: &Scene) {
    const WEST: &str = "environmentaccounts.ecr-operator.dev west";
    let there = Hand {
        region: REPLICA,
        ..scene.hand(DEV)
    };
    let excluded = async || {
        let excluded = there.ecr("ListPullTimeUpdateExclusions", &json!({})).await;
        excluded.unwrap()["pullTimeUpdateExclusions"].clone()
    };
    let scanner = format!("arn:aws:iam::{DEV}:role/scanner");
    let dev = account(ON_DEV);
    let asked = json!({"registry": {"pullTimeUpdateExclusions": [scanner]}});
    scene.edit(&dev, asked).await;
    let records = |it: &EnvironmentAccountStatus| {
        let recorded = it.registries.iter().filter(|it| it.record.is_some());
        recorded.map(|it| it.region.clone()).collect::<Vec<_>>()
    };
    until_dev(scene, "both are recorded", |it| {
        records(it) == [REGION, REPLICA]
    })
    .await;
    scene.ready(&dev).await;
    let role = format!("arn:aws:iam::{DEV}:role/ecr-operator");
    let west = json!({
        "accountId": DEV,
        "region": REPLICA,
        "assumeRole": {"roleArn": role, "externalId": "east-dev"},
    });
    scene.environment(west, "west").await;
    scene.because(WEST, "Conflict").await;
    scene.edit(&dev, json!({"replicaRegions": null})).await;
    scene.ready(WEST).await;
    scene.ready(&dev).await;
    until_dev(scene, "both are recorded", |it| {
        records(it) == [REGION, REPLICA]
    })
    .await;
    assert_eq!(excluded().await, json!([scanner]));
    scene.kubectl("delete", WEST, &[]).await.unwrap();
    until_dev(scene, "one is recorded", |it| records(it) == [REGION]).await;
    assert_eq!(excluded().await, json!([]));
}

impl Halt {
    /// Begins it; gives the grants that the environment had.
    async fn begin(self, scene: &Scene, place: Place) -> Value {
        let environment = account(place);
        let path = "--output=jsonpath={.spec.grants}";
        let grants = scene.kubectl("get", &environment, &[path]).await.unwrap();
        match self {
            Self::Suspended => scene.edit(&environment, json!({"suspend": true})).await,
            Self::GrantWithdrawn => scene.edit(&environment, json!({"grants": null})).await,
            Self::OnItsWayOut => delete(scene, &environment).await,
            Self::Deleted => {
                let orphan = ["ecr-operator.dev/orphan=true"];
                scene
                    .kubectl("annotate", &environment, &orphan)
                    .await
                    .unwrap();
                delete(scene, &environment).await;
                scene.gone(&environment).await;
            }
        }
        serde_json::from_str(&grants).unwrap()
    }

    /// What the object shows of it.
    fn reason(self) -> &'static str {
        match self {
            Self::Suspended => "Suspended",
            Self::GrantWithdrawn => "NotGranted",
            Self::OnItsWayOut => "EnvironmentNotReady",
            Self::Deleted => "EnvironmentNotFound",
        }
    }

    async fn end(self, scene: &Scene, place: Place, grants: &Value) {
        let environment = account(place);
        match self {
            Self::Suspended => scene.edit(&environment, json!({"suspend": false})).await,
            Self::GrantWithdrawn => scene.edit(&environment, json!({"grants": grants})).await,
            Self::OnItsWayOut => {
                scene.gone(&environment).await;
                scene.apply(ENVIRONMENTS).await;
            }
            Self::Deleted => scene.apply(ENVIRONMENTS).await,
        }
        scene.ready(&environment).await;
    }
}

fn account(place: Place) -> String {
    format!("environmentaccounts.ecr-operator.dev {}", place.environment)
}

async fn delete(scene: &Scene, object: &str) {
    scene
        .kubectl("delete", object, &["--wait=false"])
        .await
        .unwrap();
}

/// Waits until what the `ImageRepository` shows is as wanted.
pub(super) async fn until(
    scene: &Scene,
    object: &str,
    what: &str,
    wanted: impl Fn(&ImageRepositoryStatus) -> bool,
) {
    let (namespace, name) = object.split_once('/').unwrap();
    let client = scene.stage.cluster.client().await.unwrap();
    let objects: Api<ImageRepository> = Api::namespaced(client, namespace);
    let is_met = |it: Option<&ImageRepository>| {
        let status = it.and_then(|it| it.status.as_ref());
        status.is_some_and(&wanted)
    };
    let met = timeout(PATIENCE, await_condition(objects, name, is_met)).await;
    if met.is_err() {
        let shown = scene.kubectl("get", object, &["--output=yaml"]).await;
        panic!("never: {what}\n{}", shown.unwrap());
    }
}
