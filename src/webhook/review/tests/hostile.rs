//! What no API server sends, and what holds for whatever it sends.

use proptest::prelude::*;

use super::*;

#[test]
fn a_policy_that_is_not_known_changes_nothing_and_says_so() {
    let review = create(&app("nginx:1.27"));
    let answer = answer(&rewriting(), "gone", review.to_string().as_bytes());
    expect![[r#"
        warning: ecr-operator knows no ImageAdmissionPolicy gone (yet)
    "#]]
    .assert_eq(&show(&answer));
}

#[test]
fn garbage_is_allowed_where_it_has_a_uid() {
    let good = create(&app("nginx:1.27"));
    let mut wrong = good.clone();
    wrong["request"]["object"]["spec"]["containers"] = json!("none");
    let text = good.to_string();
    let cut = &text[..text.find("705ab").unwrap() + 40];
    for body in [
        wrong.to_string().as_bytes(),
        cut.as_bytes(),
        &[text.as_bytes(), b"\xff}"].concat(),
    ] {
        let answer = answer(&rewriting(), "prod", body);
        assert!(show(&answer).starts_with("warning: ecr-operator could not read this review"));
    }
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "{\"request\":{}}",
        "\u{0}",
        "{\"request\":{\"uid\":7}}",
    ] {
        let reviewed = review(&rewriting(), "prod", body.as_bytes());
        assert_eq!(
            (reviewed.answer, reviewed.outcome),
            (None, Outcome::Malformed),
            "{body}"
        );
    }
}

#[test]
fn a_huge_name_is_not_repeated_and_hides_no_other() {
    for name in [
        format!("registry.example/{}", "a".repeat(1 << 20)),
        format!("{}/app", "a.".repeat(1 << 19) + "example"),
        format!("quay.io:{}443/app", "0".repeat(1 << 20)),
        "é".repeat(1 << 19),
    ] {
        let containers = json!([
            {"name": "huge", "image": name},
            {"name": "app", "image": "nginx:1.27"},
        ]);
        let review = create(&pod(&containers)).to_string();
        let answer = answer(&rewriting(), "prod", review.as_bytes());
        let shown = show(&answer);
        assert!(shown.len() < 2048, "{} bytes", shown.len());
        assert!(
            shown.contains("replace /spec/containers/1/image"),
            "{shown}"
        );
    }
}

#[test]
fn depth_costs_no_stack() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = create(&app("nginx:1.27")).to_string();
    // Where nothing is read it is skipped, where something is it is refused.
    let skipped = text.replacen("\"options\":", &format!("\"deep\":{deep},\"options\":"), 1);
    assert!(!patch(&answer(&rewriting(), "prod", skipped.as_bytes())).is_null());
    let refused = text.replacen("\"IfNotPresent\"", &deep, 1);
    assert!(patch(&answer(&rewriting(), "prod", refused.as_bytes())).is_null());
}

proptest! {
    #[test]
    fn what_was_rewritten_once_is_left_alone(
        images in prop::collection::vec(prop::sample::select(vec![
            "nginx:1.27", "busybox:1.36", "redis", "ghcr.io/dexidp/dex:v2.45.1", "quay.io/a/b",
            "harbor.corp.example/shop/checkout:1.42.0", "example.com/x", "%",
        ]), 1..6),
    ) {
        let containers: Vec<_> = images.iter().enumerate()
            .map(|(at, image)| json!({"name": format!("c{at}"), "image": image}))
            .collect();
        let rules = rewriting();
        let once = create(&pod(&json!(containers)));
        let once = patched(&once, &answer(&rules, "prod", once.to_string().as_bytes()));
        let twice = create(&once);
        let answer = answer(&rules, "prod", twice.to_string().as_bytes());
        prop_assert_eq!(patch(&answer), Value::Null);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..900_usize) {
        let mut body = create(&app("nginx:1.27")).to_string().into_bytes();
        let end = (at + bytes.len()).min(body.len());
        body.splice(at.min(end)..end, bytes);
        review(&rewriting(), "prod", &body);
    }
}
