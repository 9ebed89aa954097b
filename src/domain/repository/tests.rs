use std::fmt::Debug;

use expect_test::{Expect, expect};

use super::model::{
    STATES, found, keep, keys, listed, observed, ours, owner, policy, settle, tags,
};
use super::*;
use crate::domain::owner::UID;

mod tags;

fn desired() -> Desired {
    Desired {
        name: "payments/api".parse().unwrap(),
        owner: owner(),
        management: Management::Manage,
        adoption: Adoption::Never,
        mutability: Some(Mutability::Immutable),
        scan_on_push: None,
        encryption: None,
        policy: Setting::Unmanaged,
        lifecycle: Setting::Unmanaged,
        safety: lifecycle::Safety::default(),
        tags: BTreeMap::new(),
        retired_tags: BTreeSet::new(),
    }
}

/// One line for each change, refusal and difference. What was changed is as desired afterwards.
fn check(desired: &Desired, observed: Option<&Observed>, expected: &Expect) {
    let Plan {
        changes,
        held,
        refusals,
        differences,
    } = plan(desired, observed);
    let lines = [
        changes.iter().map(words).collect::<Vec<_>>(),
        held.iter()
            .map(|it| format!("held: {} {:?}", words(&it.change), it.because))
            .collect(),
        refusals
            .iter()
            .map(|it| format!("refused: {it:?}"))
            .collect(),
        differences
            .iter()
            .map(|it| format!("{}: {} -> {}", it.field, it.observed, it.desired))
            .collect(),
    ];
    expected.assert_eq(&lines.concat().join("\n"));
    if refusals.is_empty() && !changes.is_empty() {
        let settled = settle(desired, observed.cloned());
        assert_eq!(plan(desired, settled.as_ref()), Plan::default());
    }
}

/// A change as one reads it, documents by their summary.
fn words(change: &Change) -> String {
    let given: &dyn Debug = match change {
        Change::CreateRepository(create) => create,
        Change::PutImageTagMutability(mutability) => mutability,
        Change::PutImageScanningConfiguration(on) => on,
        Change::SetRepositoryPolicy(document) => {
            return format!("SetRepositoryPolicy({})", document.summary());
        }
        Change::PutLifecyclePolicy(document) => {
            return format!("PutLifecyclePolicy({})", document.summary());
        }
        Change::TagResource(tags) => tags,
        Change::UntagResource(keys) => keys,
        Change::DeleteRepositoryPolicy
        | Change::DeleteLifecyclePolicy
        | Change::DeleteRepository
        | Change::BatchDeleteImage(_) => {
            return change.operation().to_owned();
        }
    };
    format!("{}({given:?})", change.operation())
}

#[test]
fn who_manages_and_who_owns_decides_what_is_written() {
    let mut rows = Vec::new();
    for management in [Management::Manage, Management::Observe] {
        for adoption in [Adoption::Never, Adoption::IfUnowned] {
            for state in STATES {
                let desired = Desired {
                    management,
                    adoption,
                    ..desired()
                };
                let Plan {
                    changes, refusals, ..
                } = plan(&desired, found(state).as_ref());
                let calls = changes.iter().map(|it| it.operation().to_owned());
                let said = refusals.iter().map(|it| format!("refused: {it:?}"));
                let mut ends: Vec<_> = calls.chain(said).collect();
                if ends.is_empty() {
                    ends.push("looks".to_owned());
                }
                let (asked, adopt) = (format!("{management:?}"), format!("{adoption:?}"));
                let end = ends.join(", ");
                rows.push(format!("{asked:7} {adopt:9} {state:18} | {end}"));
            }
        }
    }
    expect![[r#"
        Manage  Never     absent             | CreateRepository
        Manage  Never     unowned            | refused: NotAdopted
        Manage  Never     ours               | PutImageTagMutability
        Manage  Never     dead uid           | TagResource, PutImageTagMutability
        Manage  Never     released           | TagResource, UntagResource, PutImageTagMutability
        Manage  Never     released elsewhere | refused: NotAdopted
        Manage  Never     foreign            | refused: OwnedByAnother(Foreign { cluster: "west", object: "payments/api" })
        Manage  IfUnowned absent             | CreateRepository
        Manage  IfUnowned unowned            | TagResource, PutImageTagMutability
        Manage  IfUnowned ours               | PutImageTagMutability
        Manage  IfUnowned dead uid           | TagResource, PutImageTagMutability
        Manage  IfUnowned released           | TagResource, UntagResource, PutImageTagMutability
        Manage  IfUnowned released elsewhere | TagResource, UntagResource, PutImageTagMutability
        Manage  IfUnowned foreign            | refused: OwnedByAnother(Foreign { cluster: "west", object: "payments/api" })
        Observe Never     absent             | refused: Missing
        Observe Never     unowned            | looks
        Observe Never     ours               | looks
        Observe Never     dead uid           | looks
        Observe Never     released           | looks
        Observe Never     released elsewhere | looks
        Observe Never     foreign            | looks
        Observe IfUnowned absent             | refused: Missing
        Observe IfUnowned unowned            | looks
        Observe IfUnowned ours               | looks
        Observe IfUnowned dead uid           | looks
        Observe IfUnowned released           | looks
        Observe IfUnowned released elsewhere | looks
        Observe IfUnowned foreign            | looks"#]].assert_eq(&rows.join("\n"));
}

#[test]
fn a_missing_repository_is_made_with_all_that_the_call_takes() {
    let desired = Desired {
        scan_on_push: Some(true),
        encryption: Some(Encryption::Kms(None)),
        policy: Setting::Present(policy("444444444444")),
        lifecycle: Setting::Present(keep(30)),
        tags: tags([("team", "payments")]),
        ..desired()
    };
    check(
        &desired,
        None,
        &expect![[r#"
        CreateRepository(Create { mutability: Some(Immutable), scan_on_push: Some(true), encryption: Some(Kms(None)), tags: {"ecr-operator.dev/cluster": "east", "ecr-operator.dev/object": "payments/api", "ecr-operator.dev/uid": "u2", "team": "payments"} })
        SetRepositoryPolicy(Ours sha256:4e23ec22)
        PutLifecyclePolicy(rules 1 sha256:5485bc83)
        repositoryName: absent -> payments/api"#]],
    );
}

#[test]
fn every_field_that_differs_is_put_in_one_call_each() {
    let desired = Desired {
        mutability: Some(Mutability::ImmutableExcept(keys(["latest", "dev-*"]))),
        scan_on_push: Some(true),
        policy: Setting::Present(policy("444444444444")),
        lifecycle: Setting::Present(keep(30)),
        tags: tags([("team", "payments"), ("tier", "1")]),
        retired_tags: keys(["old", "gone", "team", UID]),
        ..desired()
    };
    let mut observed = ours();
    observed
        .tags
        .extend(tags([("tier", "2"), ("old", "x"), ("theirs", "y")]));
    observed.policy = Reading::Present(policy("555555555555"));
    observed.lifecycle = Reading::Foreign("???".to_owned());
    check(
        &desired,
        Some(&observed),
        &expect![[r#"
            TagResource({"team": "payments", "tier": "1"})
            UntagResource({"old"})
            PutImageTagMutability(ImmutableExcept({"dev-*", "latest"}))
            PutImageScanningConfiguration(true)
            SetRepositoryPolicy(Ours sha256:4e23ec22)
            held: PutLifecyclePolicy(rules 1 sha256:5485bc83) NotPreviewed
            tags: team absent -> team=payments
            tags: tier=2 -> tier=1
            tags: old=x -> old absent
            imageTagMutability: MUTABLE -> IMMUTABLE_WITH_EXCLUSION (dev-*, latest)
            scanOnPush: false -> true
            access: Ours sha256:72ba6581 -> Ours sha256:4e23ec22
            lifecyclePolicyRef: 3 characters, not understood -> rules 1 sha256:5485bc83"#]],
    );
}

#[test]
fn a_document_that_is_no_longer_wanted_is_taken_off_and_an_unread_one_is_left() {
    let desired = Desired {
        mutability: None,
        policy: Setting::Absent,
        lifecycle: Setting::Absent,
        ..desired()
    };
    let observed = Observed {
        policy: Reading::Present(policy("444444444444")),
        lifecycle: Reading::Present(keep(30)),
        ..ours()
    };
    check(
        &desired,
        Some(&observed),
        &expect![[r#"
        DeleteRepositoryPolicy
        DeleteLifecyclePolicy
        access: Ours sha256:4e23ec22 -> absent
        lifecyclePolicyRef: rules 1 sha256:5485bc83 -> absent"#]],
    );
    let listed = listed(&Some(observed.clone())).unwrap();
    check(&desired, Some(&listed), &expect![""]);
    assert!(desired.manages_documents());
    assert!(desired.needs_reading(&listed) && !desired.needs_reading(&observed));
}

#[test]
fn a_field_that_is_not_managed_is_left_as_it_is() {
    let desired = Desired {
        mutability: None,
        ..desired()
    };
    let observed = Observed {
        mutability: Mutability::Other("SOMETHING_NEW".to_owned()),
        encryption: Encryption::Other("QUANTUM".to_owned()),
        scan_on_push: true,
        policy: Reading::Present(policy("444444444444")),
        ..ours()
    };
    check(&desired, Some(&observed), &expect![""]);
    assert!(!desired.manages_documents() && !desired.needs_reading(&observed));
}

#[test]
fn encryption_set_at_creation_is_refused_not_replaced() {
    let desired = Desired {
        encryption: Some(Encryption::Kms(None)),
        ..desired()
    };
    check(
        &desired,
        Some(&ours()),
        &expect![[r#"
        PutImageTagMutability(Immutable)
        refused: EncryptionImmutable
        encryption: AES256 -> KMS
        imageTagMutability: MUTABLE -> IMMUTABLE"#]],
    );
    let watching = Desired {
        management: Management::Observe,
        ..desired
    };
    check(
        &watching,
        Some(&ours()),
        &expect![[r#"
        encryption: AES256 -> KMS
        imageTagMutability: MUTABLE -> IMMUTABLE"#]],
    );
}

#[test]
fn encryption_with_no_key_named_is_met_by_the_default_one_and_a_key_by_itself() {
    let is_met = |asked: Option<&str>| {
        let desired = Desired {
            mutability: None,
            encryption: Some(Encryption::Kms(asked.map(str::to_owned))),
            ..desired()
        };
        let observed = Observed {
            encryption: Encryption::Kms(Some("arn:aws:kms:eu-central-1:3:key/1".to_owned())),
            ..ours()
        };
        plan(&desired, Some(&observed)) == Plan::default()
    };
    assert!(is_met(None) && is_met(Some("arn:aws:kms:eu-central-1:3:key/1")));
    assert!(!is_met(Some("arn:aws:kms:eu-central-1:3:key/2")));
}

#[test]
fn adoption_takes_the_repository_over_before_it_changes_anything() {
    let adopting = Desired {
        adoption: Adoption::IfUnowned,
        tags: tags([("team", "payments")]),
        ..desired()
    };
    check(
        &adopting,
        found("unowned").as_ref(),
        &expect![[r#"
        TagResource({"ecr-operator.dev/cluster": "east", "ecr-operator.dev/object": "payments/api", "ecr-operator.dev/uid": "u2", "team": "payments"})
        PutImageTagMutability(Immutable)
        owner: nobody -> cluster east, object payments/api, uid u2
        tags: team absent -> team=payments
        imageTagMutability: MUTABLE -> IMMUTABLE"#]],
    );
    check(
        &adopting,
        found("dead uid").as_ref(),
        &expect![[r#"
        TagResource({"ecr-operator.dev/uid": "u2", "team": "payments"})
        PutImageTagMutability(Immutable)
        owner: cluster east, object payments/api, uid u1 -> cluster east, object payments/api, uid u2
        tags: team absent -> team=payments
        imageTagMutability: MUTABLE -> IMMUTABLE"#]],
    );
}

#[test]
fn a_refused_repository_shows_how_it_differs_but_not_whose_it_is() {
    check(
        &desired(),
        found("unowned").as_ref(),
        &expect![[r#"
        refused: NotAdopted
        imageTagMutability: MUTABLE -> IMMUTABLE"#]],
    );
    check(
        &desired(),
        found("foreign").as_ref(),
        &expect![[r#"
        refused: OwnedByAnother(Foreign { cluster: "west", object: "payments/api" })
        imageTagMutability: MUTABLE -> IMMUTABLE"#]],
    );
}

#[test]
fn adoption_of_what_is_as_desired_already_writes_the_owner_tags_and_nothing_else() {
    let adopting = Desired {
        adoption: Adoption::IfUnowned,
        mutability: Some(Mutability::Mutable),
        scan_on_push: Some(false),
        encryption: Some(Encryption::Aes256),
        policy: Setting::Present(policy("444444444444")),
        lifecycle: Setting::Present(keep(30)),
        tags: tags([("team", "payments")]),
        ..desired()
    };
    let as_desired = Observed {
        policy: Reading::Present(policy("444444444444")),
        lifecycle: Reading::Present(keep(30)),
        ..observed(tags([("team", "payments")]))
    };
    check(
        &adopting,
        Some(&as_desired),
        &expect![[r#"
        TagResource({"ecr-operator.dev/cluster": "east", "ecr-operator.dev/object": "payments/api", "ecr-operator.dev/uid": "u2"})
        owner: nobody -> cluster east, object payments/api, uid u2"#]],
    );
}
