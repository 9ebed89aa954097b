//! Pull-through caches and repositories of the same names: an image of an upstream is never that of
//! somebody who only has the name.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::lifecycle::push;
use super::reach::Way;
use super::records::another_second;
use super::scene::Scene;
use super::{PATIENCE, PROD, REGION};

const QUAY: &str = "pullthroughrules.ecr-operator.dev quay";
const ATTACK: &str = "quay/argocd";
const RELEASED_BY: &str = "ecr-operator.dev/released-by";
/// An object that is older than the caches, in another environment.
const OLD: &str = "quay/old";
const CACHED: &str = "quay/argoproj/argocd";
/// Between two looks at the same.
const A_MOMENT: Duration = Duration::from_millis(200);
/// What the upstream has, so that a rewrite shows that facts are as new as its import.
const CONTROL: &str = "argoproj/rollouts";

#[tokio::test(flavor = "multi_thread")]
async fn cache_leads_to_no_repository_that_it_has_not_made() {
    let scene = Scene::set("poisoning").await;
    let way = Way::open().await;
    let mut flags = way.flags();
    flags.push("--facts-period=1s".to_owned());
    // One that is older than the cache, and nobody's.
    let older = json!({"repositoryName": "quay/old/tool"});
    scene.by_hand(PROD, "CreateRepository", older).await;
    push(&scene, PROD, "quay/old/tool", 1).await;
    // Ages count by the second.
    let made = Timestamp::now().as_second();
    while Timestamp::now().as_second() <= made {
        sleep(A_MOMENT).await;
    }
    let mut operator = scene.operator_with("poisoning", flags).await;
    for namespace in ["quay", "shop"] {
        scene.namespace(namespace).await;
    }
    let old = json!({"environments": ["dev"], "repositoryName": "quay/first/tool"});
    scene.repository(OLD, old).await;
    scene.ready(OLD).await;
    another_second(&scene, OLD).await;
    caches(&scene).await;

    repository_below_an_older_cache_is_never_made(&scene).await;
    image_of_a_repository_older_than_the_cache_is_kept(&scene).await;
    image_of_a_repository_of_another_cluster_is_kept(&scene).await;
    image_beside_a_root_cache_is_kept_even_when_released(&scene).await;
    repository_that_a_cache_may_have_made_is_not_adopted(&scene).await;
    cache_above_an_older_repository_is_stopped(&scene).await;
    old_object_does_not_stop_a_cache_in_force(&scene).await;
    rule_created_again_keeps_what_it_has_cached(&scene).await;
    operator.alive().unwrap();
}

async fn caches(scene: &Scene) {
    let spec = json!({"upstreamRegistry": "quay", "environments": ["prod"]});
    scene.cache("quay", spec).await;
    let root = json!({
        "upstreamRegistry": "k8s", "environments": ["prod"], "ecrRepositoryPrefix": "ROOT",
    });
    scene.cache("root", root).await;
    scene.ready(QUAY).await;
    scene.ready("pullthroughrules.ecr-operator.dev root").await;
    let policy = json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "ImageAdmissionPolicy",
        "metadata": {"name": "prod"},
        "spec": {"environment": "prod", "mode": "Rewrite"},
    });
    scene.apply(&policy.to_string()).await;
}

/// The README's own grant, and a namespace that is called like an upstream.
async fn repository_below_an_older_cache_is_never_made(scene: &Scene) {
    another_second(scene, QUAY).await;
    let since = scene.now();
    let spec = json!({"environments": ["prod"], "repositoryName": CACHED});
    scene.repository(ATTACK, spec).await;
    scene.because(ATTACK, "Conflict").await;
    let message = scene.message(ATTACK).await;
    assert!(message.contains("PullThroughRule quay"), "{message}");
    says(scene, QUAY, ATTACK).await;
    scene.ready(QUAY).await;
    writes_nothing(scene, since).await;
    // The cache itself is not in the way of what it makes.
    import(scene, CACHED).await;
    let image = "quay.io/argoproj/argocd:v9";
    admitted_as(scene, image, &format!("{CACHED}:v9")).await;
    // Nor does the object get what the cache has made, when it asks for that.
    let adopt = json!({"adoptionPolicy": "IfUnowned"});
    scene.edit(ATTACK, adopt).await;
    writes_nothing(scene, since).await;
    scene.kubectl("delete", ATTACK, &[]).await.unwrap();
    scene.gone(ATTACK).await;
}

async fn image_of_a_repository_older_than_the_cache_is_kept(scene: &Scene) {
    kept(scene, "quay.io/old/tool:v1").await;
}

async fn image_of_a_repository_of_another_cluster_is_kept(scene: &Scene) {
    let name = "quay/theirs/tool";
    let theirs = json!([{"Key": "ecr-operator.dev/cluster", "Value": "west"}]);
    let create = json!({"repositoryName": name, "tags": theirs});
    scene.by_hand(PROD, "CreateRepository", create).await;
    push(scene, PROD, name, 1).await;
    kept(scene, "quay.io/theirs/tool:v1").await;
}

/// `ROOT` covers every name, so there a repository is made, and the cache never leads to it.
async fn image_beside_a_root_cache_is_kept_even_when_released(scene: &Scene) {
    let object = "shop/api";
    let spec = json!({"environments": ["prod"]});
    scene.repository(object, spec).await;
    scene.ready(object).await;
    push(scene, PROD, object, 1).await;
    kept(scene, "registry.k8s.io/shop/api:v1").await;
    scene.kubectl("delete", object, &[]).await.unwrap();
    scene.gone(object).await;
    let tags = &scene.in_ecr(PROD, object).await["tags"];
    assert_eq!(*tags, json!({RELEASED_BY: "east/shop/api"}));
    kept(scene, "registry.k8s.io/shop/api:v1").await;
}

/// Pods may pull from it already, and whoever gets it decides what they pull next.
async fn repository_that_a_cache_may_have_made_is_not_adopted(scene: &Scene) {
    let (object, image) = ("shop/cached", "registry.k8s.io/shop/cached:v9");
    import(scene, object).await;
    admitted_as(scene, image, "shop/cached:v9").await;
    let since = scene.now();
    let spec = json!({"environments": ["prod"], "adoptionPolicy": "IfUnowned"});
    scene.repository(object, spec).await;
    scene.because(object, "Conflict").await;
    writes_nothing(scene, since).await;
    let message = scene.message(object).await;
    let mark = format!("{RELEASED_BY}=east/{object}");
    assert!(message.contains(&mark), "{message}");
    kept(scene, image).await;
    // Somebody who knows better says so.
    let tag = json!({
        "resourceArn": format!("arn:aws:ecr:{REGION}:{PROD}:repository/{object}"),
        "tags": [{"Key": RELEASED_BY, "Value": format!("east/{object}")}],
    });
    scene.by_hand(PROD, "TagResource", tag).await;
    scene.ready(object).await;
    kept(scene, image).await;
}

async fn cache_above_an_older_repository_is_stopped(scene: &Scene) {
    let (object, rule) = ("shop/first", "pullthroughrules.ecr-operator.dev late");
    let spec = json!({"environments": ["prod"], "repositoryName": "shop/late/first"});
    scene.repository(object, spec).await;
    scene.ready(object).await;
    another_second(scene, object).await;
    let since = scene.now();
    let late = json!({
        "upstreamRegistry": "ecr-public", "environments": ["prod"], "ecrRepositoryPrefix": "shop/late",
    });
    scene.cache("late", late).await;
    scene.because(rule, "Conflict").await;
    let message = scene.message(rule).await;
    assert!(message.contains("ImageRepository shop/first"), "{message}");
    says(scene, object, "PullThroughRule late").await;
    scene.ready(object).await;
    writes_nothing(scene, since).await;
    // When the repository's object goes, the rule comes; what was released stays somebody's.
    push(scene, PROD, "shop/late/first", 1).await;
    scene.kubectl("delete", object, &[]).await.unwrap();
    scene.ready(rule).await;
    kept(scene, "public.ecr.aws/first:v1").await;
}

/// The object is older than the cache, and asks for the environment only now.
async fn old_object_does_not_stop_a_cache_in_force(scene: &Scene) {
    let since = scene.now();
    let both = json!({"environments": ["dev", "prod"]});
    scene.edit(OLD, both).await;
    says(scene, OLD, "lies below the prefix").await;
    says(scene, QUAY, OLD).await;
    scene.ready(QUAY).await;
    writes_nothing(scene, since).await;
}

/// A rule that is deleted by hand is repaired, and what it had made is still its own.
async fn rule_created_again_keeps_what_it_has_cached(scene: &Scene) {
    let since = scene.now();
    let rule = json!({"ecrRepositoryPrefix": "quay"});
    scene
        .by_hand(PROD, "DeletePullThroughCacheRule", rule)
        .await;
    scene.wrote(since, PROD, "CreatePullThroughCacheRule").await;
    import(scene, &format!("quay/{CONTROL}")).await;
    let image = "quay.io/argoproj/argocd:v9";
    admitted_as(scene, image, &format!("{CACHED}:v9")).await;
}

/// Sees that nothing is written in prod, by the end of two further sweeps.
async fn writes_nothing(scene: &Scene, since: u64) {
    scene.account_swept_twice(scene.now(), PROD).await;
    assert_eq!(scene.ledger(since), Vec::<String>::new());
}

/// Has the cache import a tag.
async fn import(scene: &Scene, name: &str) {
    let pull = json!({"repositoryName": name, "imageIds": [{"imageTag": "v9"}]});
    let pulled = scene.by_hand(PROD, "BatchGetImage", pull).await;
    assert_eq!(pulled["failures"], json!([]), "{pulled}");
}

/// Sees that an image is admitted as it is, with facts that are newer than this call.
async fn kept(scene: &Scene, image: &str) {
    let control = format!("{CONTROL}-{}", scene.now());
    import(scene, &format!("quay/{control}")).await;
    let target = format!("quay/{control}:v9");
    admitted_as(scene, &format!("quay.io/{control}:v9"), &target).await;
    assert_eq!(admitted(scene, image).await, image);
}

/// Waits until an image is admitted as that of a repository.
async fn admitted_as(scene: &Scene, image: &str, target: &str) {
    let expected = format!("{PROD}.dkr.ecr.{REGION}.amazonaws.com/{target}");
    let rewritten = async {
        while admitted(scene, image).await != expected {
            sleep(A_MOMENT).await;
        }
    };
    let waited = timeout(PATIENCE, rewritten).await;
    waited.unwrap_or_else(|_| panic!("{image} is not rewritten to {target}"));
}

/// The image of a pod as the API server would admit it.
async fn admitted(scene: &Scene, image: &str) -> String {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "victim", "namespace": "default"},
        "spec": {"containers": [{"name": "app", "image": image}]},
    });
    let args = [
        "create",
        "--dry-run=server",
        "--output=json",
        "--filename=-",
    ];
    let admitted = scene.stage.kubectl(&args, Some(&pod.to_string())).await;
    let admitted: Value = serde_json::from_str(&admitted.unwrap()).unwrap();
    let image = &admitted["spec"]["containers"][0]["image"];
    image.as_str().unwrap().to_owned()
}

/// Waits until an object's message has this.
async fn says(scene: &Scene, object: &str, part: &str) {
    let said = async {
        while !scene.message(object).await.contains(part) {
            sleep(A_MOMENT).await;
        }
    };
    let waited = timeout(PATIENCE, said).await;
    if waited.is_err() {
        panic!(
            "{object} does not say {part}: {}",
            scene.message(object).await
        );
    }
}
