//! Reads any text as a file of any format, moves its images, and reads it again: nothing stops, and
//! what is handed out names exactly the images that were asked for.

#![no_main]

use ecr_operator::manifest;
use libfuzzer_sys::fuzz_target;

const PATHS: [&str; 8] = [
    "a.yaml",
    "values.yaml",
    "kustomization.yaml",
    "compose.yaml",
    ".gitlab-ci.yml",
    ".github/workflows/a.yml",
    "templates/a.yaml",
    "Dockerfile",
];

fuzz_target!(|input: &[u8]| {
    let Some((first, text)) = input.split_first() else {
        return;
    };
    let path = PATHS[usize::from(*first) % PATHS.len()];
    let document = manifest::read(path, text);
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let moved = |it: &manifest::Site| {
        let image = it.reference();
        let tag = image.tag().map(|it| format!(":{it}")).unwrap_or_default();
        let digest = image.digest().map(|it| format!("@{it}")).unwrap_or_default();
        format!("moved.example/{}{tag}{digest}", image.repository().written)
    };
    let targets: Vec<String> = document.sites.iter().map(moved).collect();
    let targets: Vec<Option<&str>> = targets.iter().map(|it| Some(it.as_str())).collect();
    if let Ok(edited) = manifest::edit(path, text, &document, &targets) {
        let again = manifest::read(path, edited.text.as_bytes());
        assert_eq!(again.sites.len(), document.sites.len());
    }
});
