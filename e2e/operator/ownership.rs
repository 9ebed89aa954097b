//! Whose a repository is: nothing is written to one that is not ours.

use serde_json::{Value, json};

use super::records::another_second;
use super::scene::Scene;
use super::{DEV, REGION, STAGE};

pub(super) async fn what_is_not_ours_is_left_alone(scene: &Scene) {
    scene.namespace("own").await;
    a_repository_that_nobody_owns_is_adopted_when_asked(scene).await;
    encryption_of_an_adopted_repository_is_shown_as_a_difference(scene).await;
    another_clusters_repository_is_a_conflict(scene).await;
    a_repository_whose_owner_tags_were_taken_off_is_not_written(scene).await;
    an_object_made_again_owns_its_repository_again(scene).await;
    the_older_of_two_objects_has_the_repository(scene).await;
    a_namespace_without_a_grant_gets_nothing(scene).await;
    access_is_granted_only_to_whom_the_environment_allows(scene).await;
    adoption_of_what_is_as_the_spec_asks_writes_the_owner_tags_alone(scene).await;
    scene.is_quiet().await;
}

async fn made_by_hand(scene: &Scene, account: &str, name: &str, tags: Value) {
    let parameters = json!({"repositoryName": name, "tags": tags});
    scene.by_hand(account, "CreateRepository", parameters).await;
    scene.hand(account).push(name, "1.0").await.unwrap();
}

async fn a_repository_that_nobody_owns_is_adopted_when_asked(scene: &Scene) {
    made_by_hand(
        scene,
        DEV,
        "own/legacy",
        json!([{"Key": "auditor", "Value": "jane"}]),
    )
    .await;
    let since = scene.now();
    scene
        .repository("own/legacy", json!({"environments": ["dev"]}))
        .await;
    scene.because("own/legacy", "NotAdopted").await;
    scene.settles("nothing is written to it", since, &[]).await;
    scene
        .edit("own/legacy", json!({"adoptionPolicy": "IfUnowned"}))
        .await;
    scene.ready("own/legacy").await;
    assert_eq!(
        scene.ledger(since),
        [
            "dev own/legacy PutImageTagMutability",
            "dev own/legacy PutLifecyclePolicy",
            "dev own/legacy TagResource",
        ]
    );
    let adopted = scene.in_ecr(DEV, "own/legacy").await;
    assert_eq!(adopted["tags"]["auditor"], "jane", "{adopted}");
}

async fn encryption_of_an_adopted_repository_is_shown_as_a_difference(scene: &Scene) {
    made_by_hand(scene, STAGE, "own/sealed", json!([])).await;
    let since = scene.now();
    let spec = json!({
        "environments": ["stage"],
        "adoptionPolicy": "IfUnowned",
        "encryption": {"type": "KMS"},
    });
    scene.repository("own/sealed", spec).await;
    scene.because("own/sealed", "Immutable").await;
    assert_eq!(scene.ledger(since), ["stage own/sealed TagResource"]);
    let differs = scene.target("own/sealed", "differences[*]").await;
    assert!(
        differs.contains("AES256") && differs.contains("encryption"),
        "{differs}"
    );
}

async fn another_clusters_repository_is_a_conflict(scene: &Scene) {
    let west = json!([
        {"Key": "ecr-operator.dev/cluster", "Value": "west"},
        {"Key": "ecr-operator.dev/object", "Value": "own/theirs"},
        {"Key": "ecr-operator.dev/uid", "Value": "2fb6a3a8-5a8e-4a4e-9d5e-000000000000"},
    ]);
    made_by_hand(scene, DEV, "own/theirs", west).await;
    let since = scene.now();
    let spec = json!({"environments": ["dev"], "adoptionPolicy": "IfUnowned"});
    scene.repository("own/theirs", spec).await;
    scene.because("own/theirs", "Conflict").await;
    let message = scene.message("own/theirs").await;
    assert!(message.contains("cluster west"), "{message}");
    scene.kubectl("delete", "own/theirs", &[]).await.unwrap();
    assert_eq!(
        scene.ledger(since),
        Vec::<String>::new(),
        "their repository"
    );
}

async fn a_repository_whose_owner_tags_were_taken_off_is_not_written(scene: &Scene) {
    scene
        .repository(
            "own/freed",
            json!({"environments": ["stage"], "scanOnPush": true}),
        )
        .await;
    scene.ready("own/freed").await;
    let since = scene.now();
    let keys = ["cluster", "object", "uid"].map(|it| format!("ecr-operator.dev/{it}"));
    let arn = format!("arn:aws:ecr:{REGION}:{STAGE}:repository/own/freed");
    let scanning = json!({"scanOnPush": false});
    scene
        .by_hand(
            STAGE,
            "UntagResource",
            json!({"resourceArn": arn, "tagKeys": keys}),
        )
        .await;
    scene
        .by_hand(
            STAGE,
            "PutImageScanningConfiguration",
            json!({"repositoryName": "own/freed", "imageScanningConfiguration": scanning}),
        )
        .await;
    scene.because("own/freed", "NotAdopted").await;
    assert_eq!(
        scene.ledger(since),
        Vec::<String>::new(),
        "it is nobody's now"
    );
}

/// As after a restore of the cluster: the uid on the repository is of an object that is no more.
async fn an_object_made_again_owns_its_repository_again(scene: &Scene) {
    let spec = json!({"environments": ["dev"]});
    scene.repository("own/again", spec.clone()).await;
    scene.ready("own/again").await;
    let since = scene.now();
    scene
        .kubectl("annotate", "own/again", &["ecr-operator.dev/orphan=true"])
        .await
        .unwrap();
    scene.kubectl("delete", "own/again", &[]).await.unwrap();
    assert_eq!(
        scene.ledger(since),
        Vec::<String>::new(),
        "an orphan's repository"
    );
    scene.repository("own/again", spec).await;
    scene.ready("own/again").await;
    assert_eq!(scene.ledger(since), ["dev own/again TagResource"]);
}

async fn the_older_of_two_objects_has_the_repository(scene: &Scene) {
    let spec = json!({
        "environments": ["dev"],
        "repositoryName": "own/one",
        "adoptionPolicy": "IfUnowned",
    });
    scene.repository("own/a-first", spec.clone()).await;
    scene.ready("own/a-first").await;
    another_second(scene, "own/a-first").await;
    let since = scene.now();
    scene.repository("own/b-second", spec).await;
    scene.because("own/b-second", "Conflict").await;
    let message = scene.message("own/b-second").await;
    assert!(message.contains("own/a-first"), "{message}");
    scene.kubectl("delete", "own/a-first", &[]).await.unwrap();
    scene.ready("own/b-second").await;
    assert_eq!(
        scene.ledger(since),
        [
            "dev own/one TagResource",
            "dev own/one TagResource",
            "dev own/one UntagResource",
            "dev own/one UntagResource",
        ],
        "the one releases it, and the other takes it back"
    );
}

async fn a_namespace_without_a_grant_gets_nothing(scene: &Scene) {
    scene
        .stage
        .cluster
        .create_namespace("stranger", &[])
        .await
        .unwrap();
    let since = scene.now();
    scene
        .repository("stranger/api", json!({"environments": ["dev"]}))
        .await;
    scene.because("stranger/api", "NotGranted").await;
    // Nor does a team get a name that is granted to no one.
    let spec = json!({"environments": ["dev"], "repositoryName": "shared/base"});
    scene.repository("own/greedy", spec).await;
    scene.because("own/greedy", "NotGranted").await;
    assert_eq!(scene.ledger(since), Vec::<String>::new());
    for entry in scene.stage.emulator.journal().since(since) {
        assert_ne!(entry.service, "sts", "nobody signs in for a stranger");
        let asked = entry.parameters.to_string();
        assert!(
            !asked.contains("stranger/api") && !asked.contains("shared/base"),
            "{asked}"
        );
    }
    // The label is what the grant asks for.
    let label = ["example.com/team=true"];
    scene
        .kubectl("label", "namespace stranger", &label)
        .await
        .unwrap();
    scene.ready("stranger/api").await;
}

async fn access_is_granted_only_to_whom_the_environment_allows(scene: &Scene) {
    let since = scene.now();
    let stranger = "666666666666";
    let spec = json!({"environments": ["stage"], "access": {"pull": [stranger]}});
    scene.repository("own/open", spec).await;
    scene.because("own/open", "NotGranted").await;
    let message = scene.message("own/open").await;
    assert!(
        message.contains("spec.access") && message.contains("allowedPrincipals"),
        "{message}"
    );
    assert_eq!(scene.ledger(since), Vec::<String>::new());
    scene
        .edit("own/open", json!({"access": {"pull": ["444444444444"]}}))
        .await;
    scene.ready("own/open").await;
    // An edit that is refused changes nothing of what was granted before.
    let since = scene.now();
    scene
        .edit(
            "own/open",
            json!({"access": {"pull": ["444444444444", stranger]}}),
        )
        .await;
    scene.because("own/open", "NotGranted").await;
    assert_eq!(scene.ledger(since), Vec::<String>::new());
    let policy = scene.in_ecr(STAGE, "own/open").await["policy"].to_string();
    assert!(!policy.contains(stranger), "{policy}");
    scene.kubectl("delete", "own/open", &[]).await.unwrap();
}

async fn adoption_of_what_is_as_the_spec_asks_writes_the_owner_tags_alone(scene: &Scene) {
    made_by_hand(
        scene,
        STAGE,
        "own/asis",
        json!([{"Key": "team", "Value": "own"}]),
    )
    .await;
    let since = scene.now();
    let spec = json!({
        "environments": ["stage"],
        "adoptionPolicy": "IfUnowned",
        "imageTagMutability": {"mode": "MUTABLE"},
        "scanOnPush": false,
        "encryption": {"type": "AES256"},
        "tags": {"team": "own"},
    });
    scene.repository("own/asis", spec).await;
    scene.ready("own/asis").await;
    assert_eq!(scene.ledger(since), ["stage own/asis TagResource"]);
    let entry = &scene.writes(since)[0];
    assert!(
        !entry.parameters["tags"].to_string().contains("team"),
        "{entry:?}"
    );
}
