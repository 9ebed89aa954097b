//! `kill -9` of the operator right after each of its writes: the world that it and its successor
//! leave is the one that an undisturbed operator leaves.

use ecr_operator::commands::demo::stage::Operator;
use ecr_operator::emulator::Entry;
use serde_json::{Value, json};

use super::scene::{Scene, is_done_by_us, subject};
use super::{ACCOUNTS, replicas};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_operator_leaves_nothing_that_its_successor_does_not_mend() {
    let scene = Scene::set("crash").await;
    let operator = scene.operator("crash").await;
    let (operator, undisturbed) = undisturbed(&scene, operator).await;
    let operator = kill_after(&scene, operator, &undisturbed, &[1, 4, 9, 13]).await;
    replicas::one_writes_and_another_takes_over(&scene, operator).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `make soak`"]
async fn the_operator_may_be_killed_after_any_write() {
    let scene = Scene::set("crash-soak").await;
    let operator = scene.operator("crash").await;
    let (operator, undisturbed) = undisturbed(&scene, operator).await;
    let all: Vec<usize> = (1..=undisturbed.writes).collect();
    kill_after(&scene, operator, &undisturbed, &all).await;
}

/// What a play comes to.
struct End {
    writes: usize,
    repositories: Value,
}

async fn undisturbed(scene: &Scene, operator: Operator) -> (Operator, End) {
    let repositories = play(scene, "calm").await;
    let writes = scene.writes(0).len();
    assert_eq!(writes, 13, "{:?}", scene.ledger(0));
    (
        operator,
        End {
            writes,
            repositories,
        },
    )
}

async fn kill_after(
    scene: &Scene,
    mut operator: Operator,
    calm: &End,
    writes: &[usize],
) -> Operator {
    for &write in writes {
        let namespace = format!("crash-{write}");
        let (end, successor) = tokio::join!(
            play(scene, &namespace),
            strike(scene, operator, &namespace, write)
        );
        operator = successor;
        assert_eq!(end, calm.repositories, "killed after write {write}");
        let creation = |it: &String| it.contains(&namespace) && it.ends_with("CreateRepository");
        let mut creations: Vec<_> = scene.ledger(0);
        creations.retain(creation);
        let once = ["dev NS/api", "dev NS/job", "stage NS/api"]
            .map(|it| format!("{} CreateRepository", it.replace("NS", &namespace)));
        assert_eq!(creations, once, "killed after write {write}");
    }
    operator
}

/// Kills the operator as soon as it has made its write of this number for the namespace.
async fn strike(scene: &Scene, operator: Operator, namespace: &str, write: usize) -> Operator {
    let prefix = format!("{namespace}/");
    let mut last = 0;
    for number in 1..=write {
        let next = |it: &Entry| {
            it.sequence > last && is_done_by_us(it) && subject(it).starts_with(&prefix)
        };
        last = scene
            .heard(&format!("write {number} for {namespace}"), next)
            .await
            .sequence;
    }
    operator.kill().await.unwrap();
    scene.operator("crash").await
}

/// Two repositories are made, one is edited and the other deleted; gives what is in ECR at the end.
async fn play(scene: &Scene, namespace: &str) -> Value {
    let (api, job) = (format!("{namespace}/api"), format!("{namespace}/job"));
    scene.namespace(namespace).await;
    let spec = json!({
        "environments": ["dev", "stage"],
        "scanOnPush": true,
        "lifecyclePolicyRef": {"name": "keep-5"},
        "access": {"pull": ["444444444444"]},
        "tags": {"team": "crash"},
    });
    scene.repository(&api, spec).await;
    scene
        .repository(
            &job,
            json!({"environments": ["dev"], "deletionPolicy": "DeleteIfEmpty"}),
        )
        .await;
    scene.ready(&api).await;
    scene.ready(&job).await;
    scene
        .edit(&api, json!({"access": null, "tags": null}))
        .await;
    scene.ready(&api).await;
    scene.kubectl("delete", &job, &[]).await.unwrap();
    let mut end = serde_json::Map::new();
    for (environment, account) in ACCOUNTS {
        for (name, full) in [("api", &api), ("job", &job)] {
            let mut found = scene.in_ecr(account, full).await;
            if let Some(owner) = found.pointer_mut("/tags/ecr-operator.dev~1object") {
                *owner = json!(name);
            }
            end.insert(format!("{environment} {name}"), found);
        }
    }
    Value::Object(end)
}
