use super::super::AccessKey;
use super::*;

#[test]
fn a_session_is_named_within_the_grammar_of_sts() {
    for cluster in ["a", "east-1.prod_x", &"c".repeat(63)] {
        let name = session_name(&cluster.parse().unwrap());
        let allowed = |it: char| it.is_ascii_alphanumeric() || "_+=,.@-".contains(it);
        assert!((2..=64).contains(&name.len()), "{name}");
        assert!(name.chars().all(allowed), "{name}");
    }
}

#[test]
fn an_access_key_does_not_print_its_secret() {
    let key = AccessKey {
        id: "111111111111".to_owned(),
        secret: "hush".to_owned(),
    };
    assert!(!format!("{key:?}").contains("hush"));
}
