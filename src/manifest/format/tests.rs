use super::*;
use crate::manifest::read;

#[test]
fn paths_say_what_a_file_is() {
    for (path, format) in [
        ("base/kustomization.yaml", Format::Kustomize),
        ("Kustomization", Format::Kustomize),
        ("charts/a/values.yaml", Format::HelmValues),
        ("envs/values-prod.yml", Format::HelmValues),
        ("envs/values/prod.yaml", Format::HelmValues),
        ("charts/a/templates/_helpers.tpl", Format::HelmTemplate),
        ("docker-compose.prod.yml", Format::Compose),
        ("compose.yaml", Format::Compose),
        (".github/workflows/ci.yml", Format::GitHubWorkflow),
        ("actions/build/action.yml", Format::GitHubWorkflow),
        (".gitlab-ci.yml", Format::GitLabCi),
        ("ci/build.gitlab-ci.yml", Format::GitLabCi),
        ("Dockerfile", Format::Dockerfile),
        ("build/Dockerfile.web", Format::Dockerfile),
        ("web.dockerfile", Format::Dockerfile),
        ("Containerfile", Format::Dockerfile),
        ("main.tf", Format::Terraform),
        ("run.sh", Format::Shell),
        (".env", Format::Shell),
        ("demo/.env.override", Format::Shell),
        ("apps/web/.argocd-source-web.yaml", Format::ArgoCd),
        ("a.yaml", Format::Yaml),
        ("a.json", Format::Yaml),
        ("package-lock.json", Format::Other),
        ("Dockerfile.md", Format::Other),
        ("README.md", Format::Other),
    ] {
        assert_eq!(Format::of_path(path), format, "{path}");
    }
}

#[test]
fn documents_say_more_than_their_paths() {
    for (text, format) in [
        ("{apiVersion: v1, kind: Pod, image: x}", Format::Kubernetes),
        (
            "{apiVersion: argoproj.io/v1alpha1, kind: Application, image: x}",
            Format::ArgoCd,
        ),
        (
            "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, image: x}",
            Format::Kubernetes,
        ),
        (
            "{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, image: x}",
            Format::Flux,
        ),
        (
            "{apiVersion: kustomize.config.k8s.io/v1alpha1, kind: Component, image: x}",
            Format::Kustomize,
        ),
        ("{services: {web: {image: x}}}", Format::Compose),
        (
            "{family: web, containerDefinitions: [{image: x}]}",
            Format::EcsTask,
        ),
        ("[{image: x, essential: true}]", Format::EcsTask),
        ("{apiVersion: v2, name: chart, image: x}", Format::Yaml),
    ] {
        assert_eq!(read("a.yaml", text.as_bytes()).format, format, "{text}");
    }
}
