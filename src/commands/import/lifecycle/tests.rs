use super::*;

fn document(rules: &str) -> Document {
    Document::parse(&format!(r#"{{"rules":[{rules}]}}"#)).unwrap()
}

#[test]
fn documents_of_one_meaning_have_one_object_under_a_name_that_says_it() {
    let keep = r#"{"rulePriority":2,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":30},"action":{"type":"expire"}}"#;
    let untagged = r#"{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}"#;
    let tagged = r#"{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPrefixList":["dev-"],"countType":"imageCountMoreThan","countNumber":5},"action":{"type":"expire"}}"#;
    let there = LifecyclePolicy::new("mine", spec(&document(tagged)).unwrap());
    let mut lifecycles = Lifecycles::of(&[Arc::new(there)]);
    let mut refer = |rules: &str| lifecycles.refer(&document(rules)).unwrap().name;
    assert_eq!(refer(keep), "keep-30");
    assert_eq!(refer(&format!("{keep},{untagged}")), "untagged-14d-keep-30");
    assert_eq!(refer(&format!("{untagged},{keep}")), "untagged-14d-keep-30");
    assert_eq!(refer(&keep.replace(":2", ":9")), "keep-30-2");
    assert_eq!(refer(tagged), "mine");
    assert!(refer(&tagged.replace("dev-", "pr-")).starts_with("lifecycle-"));
    assert_eq!(lifecycles.made.len(), 4);
}

#[test]
fn what_no_object_can_say_is_refused_with_the_reason() {
    let mut lifecycles = Lifecycles::of(&[]);
    for rule in [
        r#"{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"},"new":1}"#,
        r#"{"rulePriority":1,"selection":{"tagStatus":"odd","countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"}}"#,
        r#"{"rulePriority":1,"selection":{"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":3},"action":{"type":"expire"}}"#,
    ] {
        lifecycles.refer(&document(rule)).unwrap_err();
    }
    assert!(lifecycles.made.is_empty());
}
