//! The arrows between modules, held by reading the sources: a module names only what the table in
//! `src/lib.rs` lets it name.

use std::fs;
use std::path::{Path, PathBuf};

/// A module, what of ours it may name, and which outside crates it may not.
const ROOMS: &[(&str, &[&str], &[&str])] = &[
    (
        "domain",
        &[],
        &["kube", "k8s_openapi", "aws_", "tokio", "tracing"],
    ),
    (
        "manifest",
        &["domain"],
        &["kube", "k8s_openapi", "aws_", "tokio", "tracing"],
    ),
    ("api", &[], &["aws_", "tokio"]),
    ("desired", &["domain", "api"], &["aws_", "tokio"]),
    ("ecr", &["domain"], &["kube", "k8s_openapi"]),
    (
        "controllers",
        &["domain", "api", "desired", "ecr"],
        &["aws_"],
    ),
    (
        "webhook",
        &["domain", "api", "desired", "server"],
        &["aws_"],
    ),
    ("server", &[], &["kube", "k8s_openapi", "aws_"]),
    ("emulator", &[], &["kube", "k8s_openapi", "aws_"]),
    ("plane", &[], &["aws_"]),
];

#[test]
fn no_module_names_one_that_it_may_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules: Vec<String> = fs::read_dir(&root)
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.is_dir())
        .map(|it| it.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut wrong = Vec::new();
    for (room, may_name, may_not_use) in ROOMS {
        for file in sources(&root.join(room)) {
            // The crypto library of rustls is AWS's too, and calls nobody.
            let text = code_of(&fs::read_to_string(&file).unwrap()).replace("aws_lc_rs", "crypto");
            let ours = modules
                .iter()
                .filter(|it| it != room && !may_name.contains(&it.as_str()));
            let arrows = ours.map(|it| format!("crate::{it}"));
            let crates = may_not_use
                .iter()
                .map(|it| format!("{it}{}", crate_boundary(it)));
            for name in arrows.chain(crates).filter(|it| names(&text, it)) {
                wrong.push(format!("{} names {name}", file.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "forbidden arrows (the table is in src/lib.rs):\n{}",
        wrong.join("\n")
    );
}

/// Prose may name anything: comments are not arrows.
fn code_of(text: &str) -> String {
    text.lines()
        .filter(|it| !it.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn crate_boundary(name: &str) -> &'static str {
    if name.ends_with('_') { "" } else { "::" }
}

fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        !text[..at]
            .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '/' | '.'))
    })
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
        if entry.is_dir() {
            files.extend(sources(&entry));
        } else if entry.extension().is_some_and(|it| it == "rs") {
            files.push(entry);
        }
    }
    files
}
