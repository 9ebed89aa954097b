//! F25: an object is deleted whose repository has images, or gets one at the last moment.

use ecr_operator::emulator::{Effect, Garble, Outcome, Rule};
use serde_json::json;

use super::DEV;
use super::case::{Case, REPOSITORY, Sweeps, on};

async fn declare(case: &Case) {
    case.environment("dev", DEV, json!({"allowDelete": true}))
        .await;
    let spec = json!({"environments": ["CASE-dev"], "deletionPolicy": "DeleteIfEmpty"});
    case.repository("api", spec).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_a_repository_with_images_is_kept() {
    let case = Case::set("f25").await;
    declare(&case).await;
    let operator = case.operator(Sweeps::Never);
    case.ready(REPOSITORY, "api").await;
    let full = format!("{}/api", case.name);
    case.hand(DEV).push(&full, "1.0").await.unwrap();
    case.delete(REPOSITORY, "api").await;
    case.gone(REPOSITORY, "api").await;
    assert_eq!(case.calls(0, DEV, "DeleteRepository"), []);
    let images = json!({"repositoryName": full});
    let images = case.hand(DEV).ecr("ListImages", &images).await.unwrap();
    assert_eq!(images["imageIds"].as_array().unwrap().len(), 1, "{images}");
    operator.kill().await;
}

/// It is empty when the operator looks, and holds an image when ECR is asked to delete it.
#[tokio::test(flavor = "multi_thread")]
async fn f25_an_image_that_comes_at_the_last_moment_is_not_lost() {
    let case = Case::set("f25").await;
    declare(&case).await;
    let operator = case.operator(Sweeps::Never);
    case.ready(REPOSITORY, "api").await;
    let full = format!("{}/api", case.name);
    case.hand(DEV).push(&full, "1.0").await.unwrap();
    let body = json!({"imageIds": []}).to_string();
    case.fault(Rule {
        times: Some(1),
        ..on(
            "ListImages",
            Effect::Garble(Garble::Replace { status: 200, body }),
        )
    });
    case.delete(REPOSITORY, "api").await;
    case.gone(REPOSITORY, "api").await;
    let refused = Outcome::Refused("RepositoryNotEmptyException".to_owned());
    let asked: Vec<Outcome> = case
        .calls(0, DEV, "DeleteRepository")
        .into_iter()
        .map(|it| it.outcome)
        .collect();
    assert_eq!(asked, [refused], "asked once, never by force");
    let images = json!({"repositoryName": full});
    let images = case.hand(DEV).ecr("ListImages", &images).await.unwrap();
    assert_eq!(images["imageIds"].as_array().unwrap().len(), 1, "{images}");
    operator.kill().await;
}
