use expect_test::expect;

use super::*;

#[test]
fn the_table_of_upstreams() {
    let lines = Upstream::ALL.map(|upstream| {
        assert_eq!(upstream.name().parse(), Ok(upstream));
        let rule = rule(upstream);
        format!(
            "{upstream}: {} as {} under {}, {:?}",
            rule.source.url(),
            rule.source.hosts().join(" "),
            rule.prefix,
            upstream.authentication(),
        )
    });
    expect![[r#"
        docker-hub: registry-1.docker.io as docker.io index.docker.io registry-1.docker.io under docker-hub, Secret
        github-container-registry: ghcr.io as ghcr.io under ghcr, Secret
        quay: quay.io as quay.io under quay, None
        k8s: registry.k8s.io as registry.k8s.io under k8s, None
        ecr-public: public.ecr.aws as public.ecr.aws under ecr-public, None
        gitlab-container-registry: registry.gitlab.com as registry.gitlab.com under gitlab, Secret
        azure-container-registry: example.azurecr.io as example.azurecr.io under azure, Secret
        ecr: 333333333333.dkr.ecr.eu-central-1.amazonaws.com as 333333333333.dkr.ecr.eu-central-1.amazonaws.com under ecr, Role
        chainguard: cgr.dev as cgr.dev under chainguard, Secret"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn what_ecr_would_refuse_is_said_before_it_is_asked() {
    let with = |upstream: Upstream, change: fn(&mut Rule)| {
        let mut rule = rule(upstream);
        change(&mut rule);
        match rule.check(&registry()) {
            Ok(()) => "fine".to_owned(),
            Err(invalid) => format!("{}: {invalid}", invalid.field()),
        }
    };
    let elsewhere = |it: &mut Rule| {
        it.credential = Some(ARN.replace("us-east-1", "us-west-2").parse().unwrap());
    };
    let role = |it: &mut Rule| it.role = Some("arn:aws:iam::333333333333:role/r".parse().unwrap());
    let foreign_role =
        |it: &mut Rule| it.role = Some("arn:aws:iam::444444444444:role/r".parse().unwrap());
    let other_account = |it: &mut Rule| {
        let url = "444444444444.dkr.ecr.us-east-1.amazonaws.com";
        it.source = Source::new(Upstream::Ecr, Some(url)).unwrap();
    };
    let said = [
        with(Upstream::DockerHub, |_| ()),
        with(Upstream::DockerHub, |it| it.credential = None),
        with(Upstream::DockerHub, elsewhere),
        with(Upstream::DockerHub, role),
        with(Upstream::Quay, |it| {
            it.credential = Some(ARN.parse().unwrap());
        }),
        with(Upstream::Quay, |it| {
            it.upstream_prefix = "team".parse().unwrap();
        }),
        with(Upstream::Quay, |it| {
            it.prefix = Prefix::Root;
            it.upstream_prefix = "team".parse().unwrap();
        }),
        with(Upstream::Ecr, |_| ()),
        with(Upstream::Ecr, role),
        with(Upstream::Ecr, foreign_role),
        with(Upstream::Ecr, other_account),
    ];
    expect![[r#"
        fine
        credentials: ECR pulls from docker-hub only with credentials: give a secret of 333333333333/us-east-1
        credentials: secret arn:aws:secretsmanager:us-west-2:333333333333:secret:ecr-pullthroughcache/hub is not in 333333333333/us-east-1, where the rule is, and ECR reads secrets of the rule's own account and region only: give one of them
        roles: ECR takes no role for docker-hub: take the entry out
        credentials: ECR takes no credentials for quay: take the entry out
        fine
        upstreamRepositoryPrefix: team needs an ecrRepositoryPrefix other than ROOT
        fine
        fine
        roles: role arn:aws:iam::444444444444:role/r is not of account 333333333333, where the rule is: give one that is
        roles: ECR reads 444444444444.dkr.ecr.us-east-1.amazonaws.com of another account only by a role: give one for the environment"#]].assert_eq(&said.join("\n"));
}

#[test]
fn prefixes_secrets_and_roles_have_a_grammar() {
    for good in [
        "ROOT",
        "a0",
        "docker-hub",
        "docker-hub/",
        "team/cache",
        "a.b_c-d",
    ] {
        assert!(good.parse::<Prefix>().is_ok(), "{good}");
    }
    let long = "a".repeat(31);
    for bad in [
        "", "a", "/ab", "ab//", "a--b", "Root", "ab/ROOT", "a_", &long,
    ] {
        assert!(bad.parse::<Prefix>().is_err(), "{bad}");
    }
    assert!(ARN.parse::<SecretArn>().is_ok());
    for bad in [
        ARN.replace("ecr-pullthroughcache", "other"),
        ARN.replace("333333333333", "3"),
        ARN.replace("secretsmanager", "ssm"),
        ARN.replace("/hub", "/"),
        format!("{ARN} "),
    ] {
        assert!(bad.parse::<SecretArn>().is_err(), "{bad}");
    }
    for bad in [
        "arn:aws:iam::333333333333:user/a",
        "arn:aws:iam::333333333333:role/",
        "arn:aws:iam::3:role/a",
        "role/a",
    ] {
        assert!(bad.parse::<RoleArn>().is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn prefixes_overlap_if_they_claim_one_repository(a in "[ab](/[ab]){0,3}", b in "[ab](/[ab]){0,3}") {
        let [a, b] = [a, b].map(|it| Prefix::observed(&format!("x{it}")));
        let claims = |it: &Prefix, name: &str| name.starts_with(&format!("{it}/"));
        let deepest = [&a, &b].map(|it| format!("{it}/image"));
        let both = deepest.iter().any(|it| claims(&a, it) && claims(&b, it));
        prop_assert_eq!(a.overlaps(&b), both);
        prop_assert_eq!(b.overlaps(&a), both);
    }
}
