use super::*;
use crate::manifest;

/// Checks which images of a tree keep their names.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let documents = || {
        files
            .iter()
            .map(|(path, text)| (*path, manifest::read(path, text.as_bytes())))
    };
    let overlays = documents()
        .flat_map(|(path, it)| it.overlays.into_iter().map(move |it| (path.to_owned(), it)));
    let mut paths: Vec<&str> = files.iter().map(|it| it.0).collect();
    paths.sort();
    let overrides = Overrides::new(&overlays.collect::<Vec<_>>(), &paths);
    let mut kept = Vec::new();
    for (path, document) in documents() {
        let sites = document
            .sites
            .iter()
            .filter(|it| overrides.hold_for(path, it));
        kept.extend(sites.map(|it| format!("{path}:{} {}", it.line, it.image)));
    }
    assert_eq!(kept, expected);
}

const POD: &str = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'web:1'}]}\n";
const OVERRIDE: &str = "resources: [../base]\nimages: [{name: web, newTag: '2'}]\n";

#[test]
fn only_what_an_overlay_is_made_of_keeps_its_name() {
    check(
        &[
            ("base/kustomization.yaml", "resources: [pod.yaml]\n"),
            ("base/pod.yaml", POD),
            ("other/pod.yaml", POD),
            ("prod/kustomization.yaml", OVERRIDE),
        ],
        &["base/pod.yaml:3 web:1"],
    );
}

#[test]
fn an_override_of_an_override_is_found_by_what_that_makes() {
    let inner = |image: &str| format!("resources: [pod.yaml]\nimages: [{image}]\n");
    let tree = |inner: &str, expected: &[&str]| {
        check(
            &[
                ("base/kustomization.yaml", inner),
                ("base/pod.yaml", POD),
                ("prod/kustomization.yaml", OVERRIDE),
            ],
            expected,
        );
    };
    tree(
        &inner("{name: web, newTag: '1.5'}"),
        &["base/kustomization.yaml:2 web:1.5", "base/pod.yaml:3 web:1"],
    );
    tree(
        &inner("{name: app, newName: web}"),
        &["base/kustomization.yaml:2 web", "base/pod.yaml:3 web:1"],
    );
    tree(
        &inner("{name: web, newName: quay.io/shop/web}"),
        &["base/pod.yaml:3 web:1"],
    );
}

#[test]
fn a_component_overrides_what_its_overlay_is_made_of() {
    check(
        &[
            ("base/pod.yaml", POD),
            (
                "parts/ecr/kustomization.yaml",
                "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nimages: [{name: web}]\n",
            ),
            (
                "prod/kustomization.yaml",
                "resources: [../base/pod.yaml]\ncomponents: [../parts/ecr]\n",
            ),
        ],
        &["base/pod.yaml:3 web:1"],
    );
}

#[test]
fn patches_come_before_the_overrides_beside_them() {
    check(
        &[
            (
                "kustomization.yaml",
                "patches:\n- path: patch.yaml\n- patch: |\n    kind: Pod\n    spec: {containers: [{image: 'web:3'}]}\nimages: [{name: web}]\n",
            ),
            ("patch.yaml", POD),
        ],
        &["kustomization.yaml:5 web:3", "patch.yaml:3 web:1"],
    );
}

#[test]
fn applications_override_below_the_path_that_they_name() {
    let application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: {path: base, kustomize: {images: ['web=quay.io/shop/web:2']}}}\n";
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: {path: ./plain, images: [{name: web, newTag: '2'}]}\n";
    check(
        &[
            ("apps/flux.yaml", flux),
            ("apps/shop.yaml", application),
            ("base/kustomization.yaml", "resources: [pod.yaml]\n"),
            ("base/pod.yaml", POD),
            ("other/pod.yaml", POD),
            ("plain/deep/pod.yaml", POD),
        ],
        &["base/pod.yaml:3 web:1", "plain/deep/pod.yaml:3 web:1"],
    );
}
