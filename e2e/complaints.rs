//! The table of complaints, held to the truth: every test that it names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const COMPLAINTS: &str = include_str!("../docs/complaints.md");

#[test]
fn every_test_that_the_table_of_complaints_names_is_there() {
    let mut sources = String::new();
    for folder in ["src", "e2e"] {
        read(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            &mut sources,
        );
    }
    let shown = COMPLAINTS.lines().filter_map(|it| it.rsplit_once(" | `"));
    let shown = shown.map(|(_, it)| it.trim_end_matches("` |"));
    let shown: BTreeSet<&str> = shown.collect();
    assert!(shown.len() >= 40, "this reads the table wrongly: {shown:?}");
    let is_missing = |it: &&&str| !sources.contains(&format!("fn {it}("));
    let missing: Vec<_> = shown.iter().filter(is_missing).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}

fn read(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, sources);
        } else if path.extension().is_some_and(|it| it == "rs") {
            *sources += &fs::read_to_string(path).unwrap();
        }
    }
}
