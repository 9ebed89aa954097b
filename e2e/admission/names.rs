//! Names of images as a real API server sends them: odd spellings, and names of any length.

use ecr_operator::domain::rewrite::Mode;
use serde_json::json;

use super::called::{Called, short};

#[tokio::test]
async fn a_name_of_a_megabyte_hides_no_other_image() {
    let Some(called) = Called::start("admission-megabyte", Mode::Rewrite).await else {
        return;
    };
    let name = format!("registry.example/{}", "a".repeat(1 << 20));
    let spec = json!({"containers": [
        {"name": "huge", "image": name},
        {"name": "web", "image": "nginx:1.27"},
    ]});
    let spec = called.admitted("web", spec).await;
    assert_eq!(spec["containers"][0]["image"], name.as_str());
    let web = short(&spec["containers"][1]["image"]);
    assert_eq!(web, "ECR/docker-hub/library/nginx:1.27");
    called.end().await;
}

#[tokio::test]
async fn a_registry_is_known_however_it_is_spelt() {
    let Some(called) = Called::start("admission-spelling", Mode::Rewrite).await else {
        return;
    };
    for (image, expected) in [
        ("QUAY.IO/argoproj/argocd:v3", "ECR/quay/argoproj/argocd:v3"),
        (
            "quay.io:443/argoproj/argocd:v3",
            "ECR/quay/argoproj/argocd:v3",
        ),
        (
            "INDEX.DOCKER.IO/nginx:1.27",
            "ECR/docker-hub/library/nginx:1.27",
        ),
        (
            "quay.io:80/argoproj/argocd:v3",
            "quay.io:80/argoproj/argocd:v3",
        ),
    ] {
        let spec = json!({"containers": [{"name": "web", "image": image}]});
        let spec = called.admitted("web", spec).await;
        assert_eq!(short(&spec["containers"][0]["image"]), expected, "{image}");
    }
    called.end().await;
}
