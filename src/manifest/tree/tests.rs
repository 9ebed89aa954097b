use super::super::proof;
use super::super::splice::{self, Splice};
use super::*;

fn read(text: &str) -> Tree<'_> {
    Tree::read(text, |it| !it.contains("unwanted"))
}

#[test]
fn a_document_that_is_broken_costs_no_other() {
    let text = "a: 1\n---\nb: [1\n---\nc: 2\n";
    let tree = read(text);
    let [
        Document::Read(Some(a)),
        Document::Broken(b),
        Document::Read(Some(c)),
    ] = &tree.documents[..]
    else {
        panic!("{:?}", tree.documents);
    };
    assert_eq!(tree.at(*a).string("a"), Some("1"));
    assert_eq!(&text[b.clone()], "---\nb: [1\n");
    assert_eq!(tree.at(*c).string("c"), Some("2"));
}

#[test]
fn a_document_that_is_not_wanted_is_not_read() {
    let text = "a: 1\n---\nunwanted: [\n--- # c\nc: 2\n---d: 3\n";
    let tree = read(text);
    let [
        Document::Read(_),
        Document::Unread(b),
        Document::Read(Some(c)),
    ] = &tree.documents[..]
    else {
        panic!("{:?}", tree.documents);
    };
    assert_eq!(&text[b.clone()], "---\nunwanted: [\n");
    assert_eq!(tree.nodes[*c].line, 5);
    assert_eq!(tree.at(*c).string("---d"), Some("3"));
}

#[test]
fn merged_keys_are_found_after_the_mappings_own() {
    let tree = read("x: &x {a: 1, b: 1}\ny: &y {c: 3}\nz: {<<: [*x, *y], b: 2}\n");
    let Document::Read(Some(root)) = tree.documents[0] else {
        panic!("{:?}", tree.documents);
    };
    let z = tree.at(root).get("z").unwrap();
    let found = ["a", "b", "c", "d"].map(|it| z.string(it));
    assert_eq!(found, [Some("1"), Some("2"), Some("3"), None]);
}

#[test]
fn null_and_empty_are_no_strings() {
    let tree = read("{a: , b: ~, c: null, d: '', e: 'null'}");
    let at = tree.at(0);
    let found = ["a", "b", "c", "d", "e"].map(|it| at.string(it));
    assert_eq!(found, [None, None, None, None, Some("null")]);
}

#[test]
fn an_anchor_within_itself_ends() {
    let tree = read("a: &a {b: *a, <<: *a}");
    let mut at = tree.at(0).get("a").unwrap();
    for _ in 0..100 {
        at = at.get("b").unwrap_or(at);
    }
    assert!(at.get("missing").is_none());
}

#[test]
fn words_in_the_place_of_words_make_the_tree_that_reading_again_makes() {
    let texts = [
        "{registry: '', repository: OLD, tag: 1} # é OLD\n",
        "a: {é: OLD, b: \"OLD\", c: [OLD, x]}\nd: OLD\n",
        "a: &a OLD\nb: *a\nc: 'OLD'\r\nd: >\n  OLD\n",
        "a: OLD\n---\nunwanted: [\n---\nb: [1\n---\nc: OLD\n",
    ];
    for text in texts {
        let tree = read(text);
        let old = text.match_indices("OLD").map(|(at, it)| at..at + it.len());
        let empty = text.match_indices("''").map(|(at, _)| at + 1..at + 1);
        let mut splices: Vec<_> = old.chain(empty).map(|at| moved(at, "moved/new")).collect();
        splices.retain(|it| proof::is_evident(&tree, it));
        splices.sort_by_key(|it| it.at.start);
        let after = splice::apply(text, &splices);
        assert!(!splices.is_empty());
        assert_eq!(tree.spliced(&after, &splices), read(&after));
    }
}

fn moved(at: Range<usize>, text: &str) -> Splice {
    let text = text.to_owned();
    Splice { at, text }
}
