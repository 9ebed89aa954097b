use super::*;
use crate::commands::rules;
use crate::desired::Objects;
use crate::manifest;

/// Checks whether a policy with these selectors is asked about the first image of a file.
#[track_caller]
fn check(
    selectors: &str,
    (path, text): (&str, &str),
    namespace: Option<&str>,
    expected: Selection,
) {
    let policy = format!(
        "{{apiVersion: ecr-operator.dev/v1alpha1, kind: ImageAdmissionPolicy, metadata: {{name: p}}, \
         spec: {{environment: prod, {selectors}}}}}"
    );
    let policy: ImageAdmissionPolicy = serde_saphyr::from_str(&policy).unwrap();
    let team = BTreeMap::from([("team".to_owned(), "shop".to_owned())]);
    let out = BTreeMap::from([(REWRITE.to_owned(), OPTED_OUT.to_owned())]);
    let namespaces = [("shop".to_owned(), team), ("out".to_owned(), out)];
    let world = rules::nameless(Objects {
        namespaces: namespaces.into(),
        ..Objects::default()
    });
    let document = manifest::read(path, text.as_bytes());
    let context = &document.sites[0].context;
    let namespace = context.namespace.as_deref().or(namespace);
    let found = selection(&policy, &world, (document.format, context), namespace);
    assert_eq!(found, expected, "{selectors}\n{text}");
}

/// A Deployment of this namespace, whose pods have these labels.
fn deployment(namespace: &str, labels: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{namespace: {namespace}, labels: {{its: own}}}}\nspec:\n  template:\n    metadata: {{labels: {{{labels}}}}}\n    spec: {{containers: [{{image: redis}}]}}\n"
    )
}

#[test]
fn a_policy_is_asked_about_the_namespaces_that_it_selects() {
    use Selection::{NotSelected, Selected, Unknown};
    let by_team = "namespaceSelector: {matchLabels: {team: shop}}";
    let by_name = "namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [data]}]}";
    for (selectors, namespace, expected) in [
        ("", "any", Selected),
        ("", "kube-system", NotSelected),
        ("", "out", NotSelected),
        (by_team, "shop", Selected),
        (by_team, "data", NotSelected),
        (by_team, "null", Unknown),
        (by_name, "data", Selected),
        (by_name, "other", NotSelected),
    ] {
        let text = deployment(namespace, "");
        check(selectors, ("a.yaml", &text), None, expected);
    }
    let nameless = deployment("null", "");
    check(by_team, ("a.yaml", &nameless), Some("shop"), Selected);
}

#[test]
fn a_policy_is_asked_about_the_pods_that_it_selects() {
    use Selection::{NotSelected, Selected, Unknown};
    let web = "objectSelector: {matchLabels: {app: web}}";
    for (labels, expected) in [
        ("app: web", Selected),
        ("app: data", NotSelected),
        ("its: own", NotSelected),
        ("app: web, ecr-operator.dev/rewrite: 'false'", NotSelected),
    ] {
        check(web, ("a.yaml", &deployment("shop", labels)), None, expected);
    }
    let values = ("values.yaml", "image: redis:7\n");
    check(web, values, None, Unknown);
    let patch = "patches: [{patch: {kind: Deployment, spec: {template: {spec: {containers: [{image: redis}]}}}}}]\n";
    check(web, ("kustomization.yaml", patch), None, Unknown);
}

#[test]
fn what_makes_no_pods_is_nothing_that_a_policy_could_leave_out() {
    let nobody = "namespaceSelector: {matchLabels: {nobody: has}}";
    let build = ("Dockerfile", "FROM redis:7\n");
    check(nobody, build, None, Selection::Selected);
}
