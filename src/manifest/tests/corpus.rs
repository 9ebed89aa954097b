//! Files that people run, as their projects publish them.

use expect_test::expect;

use super::*;

/// `manifests/namespace-install.yaml` of <https://github.com/argoproj/argo-cd>.
const ARGO_CD: &str = include_str!("../../commands/demo/gitops/argo-cd.yaml");

#[test]
fn argo_cd_names_its_images_and_nothing_else_of_it_changes() {
    check(
        "argo-cd.yaml",
        ARGO_CD,
        &expect![[r#"
        1014: quay.io/argoproj/argocd:latest
        1156: ghcr.io/dexidp/dex:v2.45.1
        1186: quay.io/argoproj/argocd:latest
        1306: quay.io/argoproj/argocd:latest
        1405: public.ecr.aws/docker/library/redis:8.10.1-alpine
        1421: quay.io/argoproj/argocd:latest
        1760: quay.io/argoproj/argocd:latest
        1817: quay.io/argoproj/argocd:latest
        2311: quay.io/argoproj/argocd:latest
        2822: quay.io/argoproj/argocd:latest
        +         image: moved.example/argoproj/argocd:latest
        +         image: moved.example/dexidp/dex:v2.45.1
        +         image: moved.example/argoproj/argocd:latest
        +         image: moved.example/argoproj/argocd:latest
        +         image: moved.example/docker/library/redis:8.10.1-alpine
        +         image: moved.example/argoproj/argocd:latest
        +         image: moved.example/argoproj/argocd:latest
        +         image: moved.example/argoproj/argocd:latest
        +         image: moved.example/argoproj/argocd:latest
        +         image: moved.example/argoproj/argocd:latest
    "#]],
    );
}
