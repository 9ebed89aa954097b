use super::*;

fn repository(yaml: &str) -> Arc<ImageRepository> {
    let object = format!("apiVersion: ecr-operator.dev/v1alpha1\nkind: ImageRepository\n{yaml}");
    Arc::new(serde_saphyr::from_str(&object).unwrap())
}

#[test]
fn a_file_brings_the_spec_and_the_cluster_what_it_knows_of_the_object() {
    let file = "
metadata: {name: cart, namespace: shop, labels: {from: file}}
spec: {environments: [dev], scanOnPush: true}";
    let live = "
metadata: {name: cart, namespace: shop, uid: u1, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {environments: [dev, prod]}
status: {repositoryName: shop/cart}";
    let other = "
metadata: {name: other, namespace: shop, uid: u2}
spec: {environments: [dev]}";
    let above = Objects {
        repositories: vec![repository(file)],
        ..Objects::default()
    };
    let below = Objects {
        repositories: vec![repository(live), repository(other)],
        ..Objects::default()
    };
    let laid = lay(above, below).repositories;
    let [cart, other] = &laid[..] else {
        panic!("{laid:?}");
    };
    assert_eq!(other.uid().as_deref(), Some("u2"));
    assert_eq!(cart.uid().as_deref(), Some("u1"));
    assert!(cart.creation_timestamp().is_some());
    assert_eq!(cart.labels()["from"], "file");
    assert_eq!(cart.spec.environments, ["dev"]);
    let status = cart.status.as_ref().unwrap();
    assert_eq!(status.repository_name.as_deref(), Some("shop/cart"));
}
