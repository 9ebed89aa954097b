use super::*;

const TWO: &str = "\
global: {imageRegistry: harbor.example}
web: {image: {repository: a/web, tag: 1}}
db: {image: {repository: a/db, tag: 2}}
";

/// What becomes of values where each site has this target.
fn edited(text: &str, targets: &[Option<&str>]) -> Edited {
    let document = read("values.yaml", text.as_bytes());
    edit("values.yaml", text, &document, targets).unwrap()
}

#[test]
fn what_images_share_changes_if_all_of_them_agree() {
    let edited = edited(
        TWO,
        &[Some("ecr.example/a/web:1"), Some("ecr.example/x/db:2")],
    );
    assert_eq!(edited.refused, []);
    let expected = TWO.replace("harbor", "ecr").replace("a/db", "x/db");
    assert_eq!(edited.text, expected);
}

#[test]
fn what_images_share_stays_if_one_of_them_does() {
    for other in [None, Some("else.example/a/db:2")] {
        let edited = edited(TWO, &[Some("ecr.example/a/web:1"), other]);
        assert_eq!(edited.text, TWO);
        assert_eq!(edited.refused[0].reason, Reason::PartShared);
        assert_eq!(edited.refused.len(), 1 + usize::from(other.is_some()));
    }
}

#[test]
fn an_image_of_parts_keeps_its_tag() {
    let text = "image: {repository: quay.io/a/b, tag: 1}\n";
    let edited = edited(text, &[Some("ecr.example/a/b:2")]);
    assert_eq!(edited.text, text);
    assert_eq!(edited.refused[0].reason, Reason::NotEditable);
}

#[test]
fn what_is_no_reference_is_never_written() {
    let text = "image: quay.io/a/b:1\n";
    let edited = edited(text, &[Some("x: [y")]);
    assert_eq!(edited.text, text);
    assert_eq!(edited.refused[0].reason, Reason::NotAReference);
}

#[test]
fn targets_that_are_there_already_change_nothing() {
    let edited = edited(
        TWO,
        &[
            Some("harbor.example/a/web:1"),
            Some("harbor.example/a/db:2"),
        ],
    );
    assert_eq!((edited.text.as_str(), edited.refused.len()), (TWO, 0));
}
