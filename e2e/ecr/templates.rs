//! Repository creation templates as the SDK writes them and ECR has them.

use ecr_operator::domain::pull_through::{self, Prefix, Rule, Source, Upstream};
use ecr_operator::domain::repository::{Encryption, Mutability, Reading};
use ecr_operator::domain::template::{Change, Settings, Template};
use ecr_operator::domain::{lifecycle, policy};
use ecr_operator::ecr::Prewarm;

use super::*;

fn full() -> Settings {
    let policy = r#"{"Statement":[{"Sid":"Ours","Effect":"Allow","Principal":{"AWS":"444444444444"},"Action":"ecr:BatchGetImage"}]}"#;
    let rules = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}]}"#;
    Settings {
        mutability: Some(Mutability::MutableExcept(["v*".to_owned()].into())),
        encryption: Some(Encryption::Kms(None)),
        policy: Some(policy::Document::parse(policy).unwrap()),
        lifecycle: Some(lifecycle::Document::parse(rules).unwrap()),
        tags: tags(&[("team", "platform")]),
        role: Some("arn:aws:iam::333333333333:role/cache".parse().unwrap()),
    }
}

fn template(settings: Settings) -> Template {
    Template {
        prefix: "quay".parse().unwrap(),
        description: "ours".to_owned(),
        settings,
    }
}

#[tokio::test]
async fn a_template_is_made_given_all_its_settings_anew_and_taken_away() {
    let emulator = emulator("").await;
    let registry = registry(&emulator, HERE).await;
    assert!(registry.templates().await.unwrap().is_empty());
    let quay: Prefix = "quay".parse().unwrap();

    let create = Change::CreateRepositoryCreationTemplate(template(full()));
    registry.apply_template(&create).await.unwrap();
    let templates = registry.templates().await.unwrap();
    let made = &templates[&quay];
    let Settings {
        mutability,
        encryption,
        policy,
        lifecycle,
        tags,
        role,
    } = full();
    assert_eq!(made.description, "ours");
    assert_eq!(Vec::from_iter(&made.applied_for), ["PULL_THROUGH_CACHE"]);
    assert_eq!(Some(&made.mutability), mutability.as_ref());
    assert_eq!(Some(&made.encryption), encryption.as_ref());
    assert_eq!(made.policy, Reading::Present(policy.unwrap()));
    assert_eq!(made.lifecycle, Reading::Present(lifecycle.unwrap()));
    assert_eq!(made.tags, tags);
    assert_eq!(made.role, role.map(|it| it.to_string()));

    // What is not asked for any more is taken off, though ECR keeps what an update leaves out.
    let update = Change::UpdateRepositoryCreationTemplate(template(Settings::default()));
    registry.apply_template(&update).await.unwrap();
    let templates = registry.templates().await.unwrap();
    let plain = &templates[&quay];
    assert_eq!(plain.mutability, Mutability::Mutable);
    assert_eq!(plain.encryption, Encryption::Aes256);
    assert_eq!(plain.policy, Reading::Absent);
    assert_eq!(plain.lifecycle, Reading::Absent);
    assert!(plain.tags.is_empty());
    assert_eq!(plain.role, None);

    let delete = Change::DeleteRepositoryCreationTemplate(quay);
    for _ in 0..2 {
        registry.apply_template(&delete).await.unwrap(); // gone already is success
    }
    assert!(registry.templates().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_cache_makes_repositories_with_the_settings_of_the_template() {
    let emulator = emulator("upstreams: {quay.io: {images: ['prometheus/*']}}").await;
    let registry = registry(&emulator, HERE).await;
    let create = Change::CreateRepositoryCreationTemplate(template(full()));
    registry.apply_template(&create).await.unwrap();
    let rule = Rule {
        prefix: "quay".parse().unwrap(),
        source: Source::new(Upstream::Quay, None).unwrap(),
        upstream_prefix: Prefix::Root,
        credential: None,
        role: None,
    };
    let create = pull_through::Change::CreatePullThroughCacheRule(rule);
    registry.apply_rule(&create).await.unwrap();
    let cached = name("quay/prometheus/node-exporter");
    let prewarm = registry.prewarm(&cached, "v1").await.unwrap();
    assert!(matches!(prewarm, Prewarm::Imported { .. }), "{prewarm:?}");
    let made = registry.observe(&cached).await.unwrap().unwrap();
    assert_eq!(Some(made.mutability), full().mutability);
    assert_eq!(made.lifecycle, Reading::Present(full().lifecycle.unwrap()));
    assert_eq!(made.policy, Reading::Present(full().policy.unwrap()));
    assert_eq!(made.tags, full().tags);
    assert!(matches!(made.encryption, Encryption::Kms(Some(_))));
}
