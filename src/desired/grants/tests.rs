use expect_test::expect;

use super::*;
use crate::desired::fixture::{BASE, world};
use crate::desired::repository as desired_of;

#[test]
fn a_prefix_covers_whole_components_and_with_a_slash_only_what_is_below() {
    let cases = [
        ("payments", "payments"),
        ("payments", "payments/api"),
        ("payments", "payments-old/api"),
        ("payments/", "payments"),
        ("payments/", "payments/api"),
        ("payments/", "payments/api/v2"),
        ("payments/api", "payments/api2"),
        ("", "anything"),
    ];
    let lines = cases.map(|(prefix, name)| format!("{prefix:?} {name}: {}", begins(name, prefix)));
    expect![[r#"
        "payments" payments: true
        "payments" payments/api: true
        "payments" payments-old/api: false
        "payments/" payments: false
        "payments/" payments/api: true
        "payments/" payments/api/v2: true
        "payments/api" payments/api2: false
        "" anything: true"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn old_names_are_compared_as_references_are_read() {
    let cases = [
        ("docker.io/library", "nginx"),
        ("docker.io/library/", "index.docker.io/library/nginx"),
        ("docker.io/", "acme/app"),
        ("Quay.IO/org", "quay.io:443/org/app"),
        ("docker.io", "docker.io.evil.example/acme/app"),
        (
            "registry.old.example:5000/payments/",
            "registry.old.example:5000/payments/api",
        ),
        (
            "registry.old.example:5000/payments/",
            "registry.old.example/payments/api",
        ),
        (
            "registry.old.example/payments",
            "registry.old.example/payments-old/api",
        ),
        ("quay.io", "quay.io/org/app"),
    ];
    let lines = cases.map(|(prefix, name)| {
        let (host, path) = place(prefix).unwrap();
        let source: Source = name.parse().unwrap();
        let covered = host == source.host() && begins(source.path(), &path);
        format!("{prefix} {name}: {covered}")
    });
    expect![[r#"
        docker.io/library nginx: true
        docker.io/library/ index.docker.io/library/nginx: true
        docker.io/ acme/app: true
        Quay.IO/org quay.io:443/org/app: true
        docker.io docker.io.evil.example/acme/app: false
        registry.old.example:5000/payments/ registry.old.example:5000/payments/api: true
        registry.old.example:5000/payments/ registry.old.example/payments/api: false
        registry.old.example/payments registry.old.example/payments-old/api: false
        quay.io quay.io/org/app: true"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn selectors_select_as_kubernetes_does() {
    let labels = BTreeMap::from([("team".to_owned(), "payments".to_owned())]);
    let cases = [
        "{}",
        "{matchLabels: {team: payments}}",
        "{matchLabels: {team: web}}",
        "{matchLabels: {team: payments, tier: '1'}}",
        "{matchExpressions: [{key: team, operator: In, values: [web, payments]}]}",
        "{matchExpressions: [{key: tier, operator: In, values: ['1']}]}",
        "{matchExpressions: [{key: team, operator: NotIn, values: [web]}]}",
        "{matchExpressions: [{key: tier, operator: NotIn, values: ['1']}]}",
        "{matchExpressions: [{key: team, operator: NotIn, values: [payments]}]}",
        "{matchExpressions: [{key: team, operator: Exists}]}",
        "{matchExpressions: [{key: tier, operator: Exists}]}",
        "{matchExpressions: [{key: tier, operator: DoesNotExist}]}",
        "{matchLabels: {team: payments}, matchExpressions: [{key: team, operator: DoesNotExist}]}",
    ];
    let lines = cases.map(|text| {
        let selector: Selector = serde_saphyr::from_str(text).unwrap();
        format!("{text} {}", selects(&selector, &labels))
    });
    expect![[r#"
        {} true
        {matchLabels: {team: payments}} true
        {matchLabels: {team: web}} false
        {matchLabels: {team: payments, tier: '1'}} false
        {matchExpressions: [{key: team, operator: In, values: [web, payments]}]} true
        {matchExpressions: [{key: tier, operator: In, values: ['1']}]} false
        {matchExpressions: [{key: team, operator: NotIn, values: [web]}]} true
        {matchExpressions: [{key: tier, operator: NotIn, values: ['1']}]} true
        {matchExpressions: [{key: team, operator: NotIn, values: [payments]}]} false
        {matchExpressions: [{key: team, operator: Exists}]} true
        {matchExpressions: [{key: tier, operator: Exists}]} false
        {matchExpressions: [{key: tier, operator: DoesNotExist}]} true
        {matchLabels: {team: payments}, matchExpressions: [{key: team, operator: DoesNotExist}]} false"#]].assert_eq(&lines.join("\n"));
}

/// S2, S3: a tenant gets names under its own prefixes in environments that admit it, and nothing
/// else, whoever else is there and whichever way the object asks.
#[test]
fn two_tenants_never_cross() {
    let ask = |namespace: &str, environment: &str, name: &str| {
        let object = format!(
            r#"
kind: ImageRepository
metadata: {{name: asks, namespace: {namespace}, uid: r1, creationTimestamp: "2026-01-03T00:00:00Z"}}
spec: {{environments: [{environment}], repositoryName: {name}, adoptionPolicy: IfUnowned}}
"#
        );
        let world = world(&[BASE, &object]);
        let object = world.repository(namespace, "asks").unwrap();
        match &desired_of(object, &world)[0] {
            Ok(target) => format!("gets it in {}", target.registry),
            Err(stopped) => format!("{:?}", stopped.reason),
        }
    };
    let mut lines = Vec::new();
    for namespace in ["payments", "web", "unknown"] {
        for environment in ["dev", "prod"] {
            for name in ["payments/api", "web/api", "shared/base", "payments-old/api"] {
                let end = ask(namespace, environment, name);
                lines.push(format!("{namespace:8} {environment:4} {name:16} | {end}"));
            }
        }
    }
    expect![[r#"
        payments dev  payments/api     | gets it in 111111111111/eu-central-1
        payments dev  web/api          | NotGranted
        payments dev  shared/base      | NotGranted
        payments dev  payments-old/api | NotGranted
        payments prod payments/api     | gets it in 333333333333/us-east-1
        payments prod web/api          | NotGranted
        payments prod shared/base      | gets it in 333333333333/us-east-1
        payments prod payments-old/api | NotGranted
        web      dev  payments/api     | NotGranted
        web      dev  web/api          | gets it in 111111111111/eu-central-1
        web      dev  shared/base      | NotGranted
        web      dev  payments-old/api | NotGranted
        web      prod payments/api     | NotGranted
        web      prod web/api          | NotGranted
        web      prod shared/base      | NotGranted
        web      prod payments-old/api | NotGranted
        unknown  dev  payments/api     | NotGranted
        unknown  dev  web/api          | NotGranted
        unknown  dev  shared/base      | NotGranted
        unknown  dev  payments-old/api | NotGranted
        unknown  prod payments/api     | NotGranted
        unknown  prod web/api          | NotGranted
        unknown  prod shared/base      | NotGranted
        unknown  prod payments-old/api | NotGranted"#]]
    .assert_eq(&lines.join("\n"));
}
