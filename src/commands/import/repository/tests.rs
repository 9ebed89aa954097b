use std::collections::BTreeSet;

use super::*;

#[test]
fn settings_that_this_program_does_not_know_are_left_unmanaged() {
    let observed = Observed {
        arn: "arn:aws:ecr:eu-central-1:111111111111:repository/shop/cart".to_owned(),
        mutability: Mutability::Other("FROZEN".to_owned()),
        scan_on_push: true,
        encryption: domain::Encryption::Other("QUANTUM".to_owned()),
        tags: BTreeMap::from([
            ("team".to_owned(), "shop".to_owned()),
            ("aws:cloudformation:stack-name".to_owned(), "ecr".to_owned()),
            (owner::UID.to_owned(), "u1".to_owned()),
            ("Ecr-Operator.dev/cluster".to_owned(), "east".to_owned()),
        ]),
        created: None,
        policy: Reading::Foreign("{".to_owned()),
        lifecycle: Reading::Foreign("{".to_owned()),
    };
    let registry = Registry::new(
        "111111111111".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    );
    let mut lifecycles = Lifecycles::of(&[]);
    let (said, remarks) = settings(&observed, &registry, None, &mut lifecycles);
    let expected = Override {
        scan_on_push: Some(true),
        tags: BTreeMap::from([("team".to_owned(), "shop".to_owned())]),
        ..Override::default()
    };
    assert_eq!(said, expected);
    let fields: BTreeSet<&str> = remarks
        .iter()
        .filter_map(|it| it.split(' ').next())
        .collect();
    let unmanaged = [
        "access",
        "encryption",
        "imageTagMutability",
        "lifecyclePolicyRef",
    ];
    assert_eq!(fields, BTreeSet::from(unmanaged));
}

#[test]
fn one_environment_more_says_only_what_is_other_there() {
    let mut spec = ImageRepositorySpec {
        environments: vec!["dev".to_owned()],
        scan_on_push: Some(true),
        access: Some(Access {
            pull: vec!["444444444444".to_owned()],
            ..Access::default()
        }),
        ..ImageRepositorySpec::default()
    };
    let same = Override {
        environment: "stage".to_owned(),
        scan_on_push: Some(true),
        access: spec.access.clone(),
        ..Override::default()
    };
    add_to(&mut spec, same);
    let closed = Override {
        environment: "prod".to_owned(),
        scan_on_push: Some(false),
        ..Override::default()
    };
    add_to(&mut spec, closed);
    assert_eq!(spec.environments, ["dev", "stage", "prod"]);
    let expected = Override {
        environment: "prod".to_owned(),
        scan_on_push: Some(false),
        access: Some(Access::default()),
        ..Override::default()
    };
    assert_eq!(spec.overrides, [expected]);
}
