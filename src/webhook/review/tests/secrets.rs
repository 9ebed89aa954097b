//! Pods that bring their own credentials.

use super::*;

#[test]
fn pull_secrets_keep_what_only_they_may_open() {
    let secret = |name: &str, image: &str| {
        let mut pod = app(image);
        pod["spec"]["imagePullSecrets"] = json!([{"name": name}]);
        create(&pod)
    };
    let hosts = BTreeSet::from(["docker.io".to_owned()]);
    let known = BTreeMap::from([(("shop".to_owned(), "hub".to_owned()), hosts)]);
    let mut rules = rewriting();
    rules.pull_secrets = Arc::new(PullSecrets(known));
    // Known to be for the image's host; known not to be.
    check(
        &rules,
        &secret("hub", "nginx:1.27"),
        &expect![[r#"
        audit decisions: {"containers[app]":"nginx:1.27 kept [PullSecret]"}
    "#]],
    );
    check(
        &rules,
        &secret("hub", "ghcr.io/dexidp/dex:v2.45.1"),
        &expect![[r#"
            replace /spec/containers/0/image ECR/ghcr/dexidp/dex:v2.45.1
            add /metadata/annotations {"ecr-operator.dev/original-images":"{\"containers[app]\":\"ghcr.io/dexidp/dex:v2.45.1\"}"}
            audit decisions: {"containers[app]":"ghcr.io/dexidp/dex:v2.45.1 rewritten to ECR/ghcr/dexidp/dex:v2.45.1 [PullThrough]"}
        "#]],
    );
    // Not known: what was seen in ECR is rewritten, what would be on trust alone is not.
    check(
        &rules,
        &secret("other", "nginx:1.27"),
        &expect![[r#"
            replace /spec/containers/0/image ECR/docker-hub/library/nginx:1.27
            add /metadata/annotations {"ecr-operator.dev/original-images":"{\"containers[app]\":\"nginx:1.27\"}"}
            audit decisions: {"containers[app]":"nginx:1.27 rewritten to ECR/docker-hub/library/nginx:1.27 [PullThrough]"}
        "#]],
    );
    check(
        &rules,
        &secret("other", "quay.io/argoproj/argocd:latest"),
        &expect![[r#"
            audit decisions: {"containers[app]":"quay.io/argoproj/argocd:latest kept [PullSecret]"}
        "#]],
    );
    // An own repository took the name over: its images have moved.
    check(
        &rules,
        &secret("other", "harbor.corp.example/shop/checkout:1.42.0"),
        &expect![[r#"
            replace /spec/containers/0/image ECR/shop/checkout:1.42.0
            add /metadata/annotations {"ecr-operator.dev/original-images":"{\"containers[app]\":\"harbor.corp.example/shop/checkout:1.42.0\"}"}
            audit decisions: {"containers[app]":"harbor.corp.example/shop/checkout:1.42.0 rewritten to ECR/shop/checkout:1.42.0 [OwnRepository]"}
        "#]],
    );
}
