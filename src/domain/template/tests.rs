use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const ROLE: &str = "arn:aws:iam::333333333333:role/cache";

fn owner(uid: &str) -> Owner {
    Owner {
        cluster: "east".parse().unwrap(),
        object: "PullThroughRule/hub".to_owned(),
        uid: uid.to_owned(),
    }
}

fn desired(settings: Setting<Settings>) -> Desired {
    Desired {
        management: Management::Manage,
        prefix: "docker-hub".parse().unwrap(),
        owner: owner("u2"),
        settings,
        recorded: None,
    }
}

/// Settings that say everything.
fn full() -> Settings {
    let policy = r#"{"Statement":[{"Sid":"Ours","Effect":"Allow","Principal":{"AWS":"444444444444"},"Action":"ecr:BatchGetImage"}]}"#;
    let rules = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}]}"#;
    Settings {
        mutability: Some(Mutability::Immutable),
        encryption: Some(Encryption::Kms(None)),
        policy: Some(policy::Document::parse(policy).unwrap()),
        lifecycle: Some(lifecycle::Document::parse(rules).unwrap()),
        tags: [("team".to_owned(), "platform".to_owned())].into(),
        role: Some(ROLE.parse().unwrap()),
    }
}

/// The template that ECR has after it was sent one.
fn made(template: &Template) -> Observed {
    fn reading<T: Clone>(document: Option<&T>) -> Reading<T> {
        document.map_or(Reading::Absent, |it| Reading::Present(it.clone()))
    }
    let settings = &template.settings;
    Observed {
        prefix: template.prefix.clone(),
        description: template.description.clone(),
        applied_for: [APPLIED_FOR.to_owned()].into(),
        mutability: settings.mutability.clone().unwrap_or(Mutability::Mutable),
        encryption: settings.encryption.clone().unwrap_or(Encryption::Aes256),
        policy: reading(settings.policy.as_ref()),
        lifecycle: reading(settings.lifecycle.as_ref()),
        tags: settings.tags.clone(),
        role: settings.role.as_ref().map(ToString::to_string),
    }
}

/// What there is where this was made under that name.
fn there(settings: Settings, description: &str) -> Templates {
    let template = Template {
        prefix: "docker-hub".parse().unwrap(),
        description: description.to_owned(),
        settings,
    };
    [(template.prefix.clone(), made(&template))].into()
}

type Templates = BTreeMap<Prefix, Observed>;

/// What ECR does on a call, and what it must never be asked.
fn apply(templates: &mut Templates, change: &Change) {
    match change {
        Change::CreateRepositoryCreationTemplate(template) => {
            let before = templates.insert(template.prefix.clone(), made(template));
            assert_eq!(before, None, "TemplateAlreadyExistsException");
        }
        Change::UpdateRepositoryCreationTemplate(template) => {
            let before = templates.insert(template.prefix.clone(), made(template));
            assert!(before.is_some(), "TemplateNotFoundException");
        }
        Change::DeleteRepositoryCreationTemplate(prefix) => {
            assert!(
                templates.remove(prefix).is_some(),
                "TemplateNotFoundException"
            );
        }
    }
}

/// One line for each change, refusal and difference; what is changed settles.
fn check(desired: &Desired, observed: &Templates, expected: &Expect) {
    let Plan {
        changes,
        refusals,
        differences,
    } = plan(desired, observed);
    let lines = [
        changes
            .iter()
            .map(|it| it.operation().to_owned())
            .collect::<Vec<_>>(),
        refusals.iter().map(|it| format!("refused: {it}")).collect(),
        differences
            .iter()
            .map(|it| format!("{}: {} -> {}", it.field, it.observed, it.desired))
            .collect(),
    ];
    expected.assert_eq(&lines.concat().join("\n"));
    let mut after = observed.clone();
    for change in &changes {
        apply(&mut after, change);
        assert_eq!(plan(desired, &after), Plan::default());
    }
}

#[test]
fn a_missing_template_is_made() {
    check(
        &desired(Setting::Present(Settings::default())),
        &Templates::new(),
        &expect![[r#"
            CreateRepositoryCreationTemplate
            repositoryTemplate: absent -> present"#]],
    );
}

#[test]
fn ours_is_given_all_its_settings_anew_and_none_that_is_not_asked_for() {
    let ours = description(&owner("u2"));
    check(
        &desired(Setting::Present(full())),
        &there(Settings::default(), &ours),
        &expect![[r#"
            UpdateRepositoryCreationTemplate
            repositoryTemplate.imageTagMutability: MUTABLE -> IMMUTABLE
            repositoryTemplate.encryption: AES256 -> KMS
            repositoryTemplate.access: absent -> Ours sha256:cf691bbd
            repositoryTemplate.lifecyclePolicyRef: absent -> rules 1 sha256:e5ab9b6a
            repositoryTemplate.tags: none -> team=platform
            roles: absent -> arn:aws:iam::333333333333:role/cache"#]],
    );
    check(
        &desired(Setting::Present(Settings::default())),
        &there(full(), &ours),
        &expect![[r#"
            UpdateRepositoryCreationTemplate
            repositoryTemplate.imageTagMutability: IMMUTABLE -> MUTABLE
            repositoryTemplate.encryption: KMS -> AES256
            repositoryTemplate.access: Ours sha256:cf691bbd -> absent
            repositoryTemplate.lifecyclePolicyRef: rules 1 sha256:e5ab9b6a -> absent
            repositoryTemplate.tags: team=platform -> none
            roles: arn:aws:iam::333333333333:role/cache -> absent"#]],
    );
    let mut other_purpose = there(full(), &ours);
    for it in other_purpose.values_mut() {
        it.applied_for.insert("REPLICATION".to_owned());
        it.encryption = Encryption::Kms(Some("arn:aws:kms:us-east-1:3:key/default".to_owned()));
    }
    check(
        &desired(Setting::Present(full())),
        &other_purpose,
        &expect![[r#"
            UpdateRepositoryCreationTemplate
            repositoryTemplate.appliedFor: PULL_THROUGH_CACHE, REPLICATION -> PULL_THROUGH_CACHE"#]],
    );
}

#[test]
fn ours_under_a_dead_uid_is_taken_up() {
    check(
        &desired(Setting::Present(full())),
        &there(full(), &description(&owner("u1"))),
        &expect![[r#"
            UpdateRepositoryCreationTemplate
            owner: managed by ecr-operator.dev: cluster east, object PullThroughRule/hub, uid u1 -> managed by ecr-operator.dev: cluster east, object PullThroughRule/hub, uid u2"#]],
    );
}

#[test]
fn anothers_is_a_conflict_and_untouched_where_it_differs() {
    let immutable = Settings {
        mutability: Some(Mutability::Immutable),
        ..Settings::default()
    };
    check(
        &desired(Setting::Present(Settings::default())),
        &there(immutable, "by terraform"),
        &expect![[r#"
            refused: the registry has a repository creation template for docker-hub that this object did not make (its description: "by terraform"): say the same once to take it over, delete it, or take repositoryTemplate out of the spec
            repositoryTemplate.imageTagMutability: IMMUTABLE -> MUTABLE"#]],
    );
    check(
        &desired(Setting::Absent),
        &there(full(), "by terraform"),
        &expect![""],
    );
}

#[test]
fn one_that_another_object_manages_is_a_conflict_equal_or_not() {
    let sibling = Owner {
        object: "PullThroughRule/hub2".to_owned(),
        ..owner("u2")
    };
    check(
        &desired(Setting::Present(full())),
        &there(full(), &description(&sibling)),
        &expect![
            "refused: the registry has a repository creation template for docker-hub that is managed by ecr-operator.dev: cluster east, object PullThroughRule/hub2, uid u2: remove one of the two objects, or take repositoryTemplate out of one"
        ],
    );
}

#[test]
fn who_says_the_same_takes_it_over_without_a_write_and_may_change_it_then() {
    let theirs = there(full(), "by terraform");
    let mut desired = desired(Setting::Present(full()));
    check(&desired, &theirs, &expect![""]);
    desired.recorded = Some(full().hash()); // as status says from then on
    check(&desired, &theirs, &expect![""]);
    desired.settings = Setting::Present(Settings {
        mutability: None,
        ..full()
    });
    check(
        &desired,
        &theirs,
        &expect![[r#"
            UpdateRepositoryCreationTemplate
            repositoryTemplate.imageTagMutability: IMMUTABLE -> MUTABLE"#]],
    );
}

#[test]
fn what_status_says_that_we_put_is_ours_though_its_description_was_changed() {
    let mut desired = desired(Setting::Absent);
    desired.recorded = Some(full().hash());
    check(
        &desired,
        &there(full(), "edited by hand"),
        &expect![[r#"
            DeleteRepositoryCreationTemplate
            repositoryTemplate: present -> absent"#]],
    );
    check(
        &desired,
        &there(Settings::default(), "edited by hand"),
        &expect![""],
    );
}

#[test]
fn ours_goes_when_nobody_asks_for_it_and_nothing_else_does() {
    let ours = there(full(), &description(&owner("u1")));
    check(
        &desired(Setting::Absent),
        &ours,
        &expect![[r#"
            DeleteRepositoryCreationTemplate
            repositoryTemplate: present -> absent"#]],
    );
    check(&desired(Setting::Unmanaged), &ours, &expect![""]);
    check(&desired(Setting::Absent), &Templates::new(), &expect![""]);
}

#[test]
fn an_observing_cluster_writes_nothing_and_says_what_differs() {
    let observing = |settings| Desired {
        management: Management::Observe,
        ..desired(settings)
    };
    check(
        &observing(Setting::Present(Settings::default())),
        &Templates::new(),
        &expect![[r#"
            refused: there is no repository creation template for docker-hub, and this cluster only observes
            repositoryTemplate: absent -> present"#]],
    );
    let west = description(&Owner {
        cluster: "west".parse().unwrap(),
        ..owner("u2")
    });
    let immutable = Settings {
        mutability: Some(Mutability::Immutable),
        ..Settings::default()
    };
    check(
        &observing(Setting::Present(Settings::default())),
        &there(immutable, &west),
        &expect!["repositoryTemplate.imageTagMutability: IMMUTABLE -> MUTABLE"],
    );
    check(
        &observing(Setting::Absent),
        &there(full(), &description(&owner("u2"))),
        &expect![""],
    );
}

#[test]
fn tags_and_keys_need_a_role_and_immutable_tags_stop_refreshes() {
    let needs = |settings: Settings| (settings.needs_role(), settings.stops_refreshes());
    assert_eq!(needs(Settings::default()), (None, false));
    assert_eq!(needs(full()), (Some("encryption"), true));
    let tagged = Settings {
        tags: full().tags,
        ..Settings::default()
    };
    assert_eq!(needs(tagged), (Some("tags"), false));
}

proptest! {
    #[test]
    fn a_description_fits_and_names_one_object(object in "[a-z0-9.-]{1,253}", other in "[a-z0-9.-]{1,253}") {
        let of = |name: &str| Owner {
            cluster: "c".repeat(63).parse().unwrap(),
            object: format!("PullThroughRule/{name}"),
            uid: "12345678-1234-1234-1234-123456789012".to_owned(),
        };
        let text = description(&of(&object));
        prop_assert!(text.len() <= LONGEST_DESCRIPTION, "{}", text.len());
        prop_assert_eq!(text.starts_with(&signature(&of(&other))), object == other);
    }
}
