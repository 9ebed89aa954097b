//! What holds for every reference.

use proptest::prelude::*;

use super::*;

fn references() -> impl Strategy<Value = String> {
    let hosts =
        "(quay\\.io/|docker\\.io/|index\\.docker\\.io/|cgr\\.dev/|old\\.example:5000/|ghcr\\.io/|)";
    let paths =
        "(nginx|shop/api|acme/[a-c]|argoproj/[a-c]|library/[a-c]{1,3}|[a-c]([._/-]?[a-c]){0,6})";
    let suffix = "(:[A-Za-z0-9_][A-Za-z0-9._-]{0,8})?(@sha256:[0-9a-f]{64})?";
    proptest::string::string_regex(&format!("{hosts}{paths}{suffix}")).unwrap()
}

proptest! {
    #[test]
    fn a_rewritten_image_is_left_alone_and_keeps_its_tag_and_digest(image in references()) {
        let compiled = compiled();
        let facts = Facts::assuming(Presence::Active);
        if let Decision::Rewrite { target, .. } = decide(&compiled, &facts, &asked(&image)) {
            let before = Reference::parse(&image).unwrap();
            let after = Reference::parse(&target).unwrap();
            prop_assert_eq!((before.tag(), before.digest()), (after.tag(), after.digest()));
            prop_assert_eq!(after.domain(), HOST);
            let name = after.repository().to_string();
            prop_assert!(name.parse::<RepositoryName>().is_ok(), "{}", name);
            let again = decide(&compiled, &facts, &asked(&target));
            prop_assert_eq!(again, Decision::Keep { reason: Reason::AlreadyEcr, rule: None });
        }
    }

    #[test]
    fn a_host_that_only_looks_like_one_of_a_rule_is_never_matched(
        host in "(quay\\.io|docker\\.io|ghcr\\.io|old\\.example:5000)",
        before in "([a-z0-9]{1,3}[.-]|)",
        after in "([.-][a-z]{1,3}|:[0-9]{1,4}|[0-9a-z]{1,2}|)",
        path in "[a-c]{1,3}/[a-c]{1,3}",
    ) {
        let known = host.clone();
        let host = format!("{before}{host}{after}");
        // The port of HTTPS is no other host.
        prop_assume!(host != known && host != format!("{known}:443"));
        let told = decide(&compiled(), &Facts::assuming(Presence::Active), &asked(&format!("{host}/{path}"))).reason();
        prop_assert!(matches!(told, Reason::NoRule | Reason::NotAReference), "{} {}", host, told);
    }

    #[test]
    fn any_text_is_decided(image in "(\\PC|[a-c0/:@._A-]){0,40}", namespace in "[a-z-]{0,9}") {
        let asked = Asked { namespace: &namespace, ..asked(&image) };
        let compiled = compiled();
        let told = decide(&compiled, &Facts::default(), &asked);
        prop_assert!(told.target().is_none() || told.rule().is_some());
    }
}
