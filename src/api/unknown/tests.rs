use serde_json::json;

use super::*;

#[test]
fn what_a_definition_does_not_have_is_named_by_its_path() {
    let object = json!({
        "kind": "ImageRepository",
        "metadata": {"name": "api"},
        "spec": {
            "environments": ["dev"],
            "migrateFrom": ["a/b"],
            "tags": {"any": "key"},
            "access": {"statements": [{"sid": "A"}, {"Sid": "B"}]},
            "overrides": [{"environment": "dev", "replicate": "Enabled"}],
        },
    });
    let unknown = [
        "spec.access.statements[1].Sid",
        "spec.migrateFrom",
        "spec.overrides[0].replicate",
    ];
    assert_eq!(unknown_fields(&object), unknown);
}

#[test]
fn another_kind_is_nobodys_business() {
    let object = json!({"kind": "Deployment", "spec": {"replicas": 1}});
    assert!(unknown_fields(&object).is_empty());
}
