//! What is known, what the pod says and what the words mean.

use super::*;

#[test]
fn a_rewrite_leads_only_to_what_is_known_to_be_pullable() {
    let hub = "docker-hub/library/nginx:1.27";
    let hub_latest = "docker-hub/library/nginx:latest";
    let own = "shop/api:1";
    let digest = format!("nginx@{CACHED}");
    let both = format!("nginx:9@{CACHED}");
    let absent = format!("nginx:1.27@{OTHER}");
    let own_absent = format!("old.example:5000/shop/api@{OTHER}");
    for (listed, image, reason) in [
        (vec![hub], "nginx:1.27", Reason::PullThrough),
        (vec![hub], "nginx:1.28", Reason::NotCached),
        (vec![hub], "nginx", Reason::NotCached),
        (vec![hub_latest], "nginx", Reason::PullThrough),
        (vec![], "nginx:1.27", Reason::NotKnown),
        (vec![hub], &digest, Reason::PullThrough),
        (vec![hub], &both, Reason::PullThrough),
        (vec![hub], &absent, Reason::DigestNotCached),
        (vec![], &digest, Reason::DigestNotCached),
        (
            vec![own],
            "old.example:5000/shop/api:1",
            Reason::OwnRepository,
        ),
        (vec![own], "old.example:5000/shop/api:2", Reason::NotPushed),
        (vec![own], &own_absent, Reason::NotPushed),
        (vec![], "old.example:5000/shop/api:1", Reason::NotKnown),
        (vec![], "cgr.dev/chainguard/static:1", Reason::PullThrough),
        (
            vec!["chainguard/chainguard/static:1"],
            "cgr.dev/chainguard/static:2",
            Reason::PullThrough,
        ),
    ] {
        let compiled = compiled();
        let told = decide(&compiled, &facts(&listed), &asked(image)).reason();
        assert_eq!(told, reason, "{listed:?} {image}");
    }
    let trusted = format!("cgr.dev/chainguard/static@{OTHER}");
    let told = decide(&compiled(), &Facts::default(), &asked(&trusted)).reason();
    assert_eq!(told, Reason::DigestNotCached);
}

#[test]
fn what_is_not_known_is_rewritten_where_the_policy_says_so() {
    let policy = Policy {
        on_unknown: OnUnknown::Rewrite,
        ..policy()
    };
    let compiled = Compiled::new(policy, claims(), caches());
    for (image, reason) in [
        ("nginx:1.27", Reason::PullThrough),
        ("old.example:5000/shop/api:1", Reason::OwnRepository),
        ("quay.io/new/one:1", Reason::NotCached),
    ] {
        let facts = facts(&["quay/new/one:0"]);
        assert_eq!(
            decide(&compiled, &facts, &asked(image)).reason(),
            reason,
            "{image}"
        );
    }
}

#[test]
fn what_the_pod_says_is_respected() {
    let compiled = compiled();
    let facts = Facts::assuming(Presence::Active);
    let never = Asked {
        pull_policy: PullPolicy::Never,
        ..asked("nginx")
    };
    assert_eq!(
        decide(&compiled, &facts, &never).reason(),
        Reason::PullPolicyNever
    );
    let secret = |image| Asked {
        credentials: Credentials::Covered,
        ..asked(image)
    };
    let told = |image| decide(&compiled, &facts, &secret(image)).reason();
    assert_eq!(told("nginx"), Reason::PullSecret);
    assert_eq!(told("old.example:5000/shop/api"), Reason::OwnRepository);
}

#[test]
fn audit_decides_as_rewrite_would() {
    let facts = Facts::assuming(Presence::Active);
    let audit = Compiled::new(
        Policy {
            mode: Mode::Audit,
            ..policy()
        },
        claims(),
        caches(),
    );
    for image in [
        "nginx",
        "old.example/both",
        "quay.io/prometheus/x",
        "Not/A/Reference",
    ] {
        let told = decide(&audit, &facts, &asked(image));
        assert_eq!(told, decide(&compiled(), &facts, &asked(image)), "{image}");
    }
}

#[test]
fn a_name_that_ecr_does_not_allow_is_not_made() {
    let long = format!("quay.io/{}", "a".repeat(252));
    let longest = format!("quay.io/{}", "a".repeat(251));
    let hub = format!("registry-1.docker.io/{}", "a".repeat(255));
    let facts = Facts::assuming(Presence::Active);
    let compiled = compiled();
    for (image, reason) in [
        (long.as_str(), Reason::NameNotAllowed),
        (&longest, Reason::PullThrough),
        (&hub, Reason::NameNotAllowed),
        ("registry.k8s.io/a", Reason::NameNotAllowed),
    ] {
        assert_eq!(
            decide(&compiled, &facts, &asked(image)).reason(),
            reason,
            "{image}"
        );
    }
}

#[test]
fn patterns_and_sources_that_cannot_be_meant_are_refused() {
    for text in [
        "quay.io",
        "quay.io/a*",
        "*",
        "*/x",
        "quay.io/*/x",
        "quay.io/a@sha256:00",
        "a b",
        "",
    ] {
        let error = text.parse::<Pattern>().unwrap_err();
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
    let digest = format!("quay.io/a@{CACHED}");
    assert_eq!(
        digest.parse::<Pattern>(),
        Err(InvalidPattern::Digest(digest.clone()))
    );
    for text in [
        "quay.io",
        "quay.io/a:1",
        "a_b.c/x",
        "111111111111.dkr.ecr.eu-west-1.amazonaws.com/a",
    ] {
        let error = text.parse::<Source>().unwrap_err();
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
    for (text, spelt_out) in [
        ("quay.io/*", "quay.io/*"),
        ("prometheus/*", "docker.io/prometheus/*"),
        ("docker.io/*", "docker.io/*"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("localhost:5000/a", "localhost:5000/a"),
    ] {
        assert_eq!(text.parse::<Pattern>().unwrap().to_string(), spelt_out);
    }
}

#[test]
fn every_reason_has_its_word_and_its_sentence() {
    let words: BTreeSet<_> = Reason::ALL.iter().map(|it| it.as_str()).collect();
    let sentences: BTreeSet<_> = Reason::ALL.iter().map(|it| it.explanation()).collect();
    assert_eq!(
        (words.len(), sentences.len()),
        (Reason::ALL.len(), Reason::ALL.len())
    );
    for reason in Reason::ALL {
        assert_eq!(reason.as_str(), format!("{reason:?}"));
    }
}
