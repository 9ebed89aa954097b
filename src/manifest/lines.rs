//! Image references in text that is read line by line: comments, templates, scripts, documents that
//! are no YAML. What is found so is told, and never edited.

use std::ops::Range;

use super::left::{Left, Reason};
use crate::domain::reference::Reference;

/// Registries that are known by name: what names one of them and a path is taken for an image even
/// without a tag.
const HOSTS: [&str; 18] = [
    "docker.io",
    "index.docker.io",
    "quay.io",
    "ghcr.io",
    "gcr.io",
    "k8s.gcr.io",
    "registry.k8s.io",
    "public.ecr.aws",
    "mcr.microsoft.com",
    "nvcr.io",
    "cgr.dev",
    "icr.io",
    "cr.l5d.io",
    "lscr.io",
    "docker.elastic.co",
    "registry.gitlab.com",
    "registry.access.redhat.com",
    "registry.redhat.io",
];
const HOST_ENDINGS: [&str; 5] = [
    ".gcr.io",
    ".pkg.dev",
    ".azurecr.io",
    ".amazonaws.com",
    ".docker.io",
];
/// Hosts of source code and documents, whose paths with a colon are no tags.
const NO_REGISTRIES: [&str; 4] = ["github.com", "gitlab.com", "golang.org", "k8s.io"];
/// What ends a word of a line.
const ENDS: &[char] = &[
    ' ', '\t', '\r', '"', '\'', '`', ',', ';', '=', '(', ')', '[', ']', '{', '}', '<', '>', '|',
    '\\', '#',
];
/// As much of a line as is told.
const LONGEST_TEXT: usize = 200;

/// Tells every line that names an image, or says that it would if it were rendered.
pub(super) fn scan(text: &str, first_line: usize, reason: Reason) -> Vec<Left> {
    let lines = text.lines().enumerate();
    let found = lines.filter_map(|(i, line)| {
        named_in(line).map(|text| Left {
            line: first_line + i,
            text: shortened(text),
            reason,
        })
    });
    found.collect()
}

/// The image that a line names, or what stands where one would.
pub(super) fn named_in(line: &str) -> Option<&str> {
    if let Some(value) = after_key(line) {
        return Some(value);
    }
    if !line.contains('/') {
        return None;
    }
    line.split(ENDS).find_map(|word| {
        let word = word.strip_prefix("docker://").unwrap_or(word);
        let word = word.trim_end_matches(['.', ':']);
        is_qualified(word).then_some(word)
    })
}

/// The value of the first key of a line whose name ends with "image": `image: x`, `"image": "x"`,
/// `FOO_IMAGE=x`.
fn after_key(line: &str) -> Option<&str> {
    let mut from = 0;
    while let Some(found) = find_word(&line[from..]) {
        let end = from + found.end;
        let key = line[..from + found.start]
            .chars()
            .next_back()
            .is_none_or(|it| !it.is_alphanumeric() && !matches!(it, '_' | '-' | '.'));
        let rest = line[end..].trim_start_matches(['"', '\'', ' ', '\t']);
        if let Some(value) = rest.strip_prefix([':', '=']) {
            let value = value.trim_start_matches([':', '=', '>', ' ', '\t', '"', '\'', '`', '[']);
            if let Some(value) = value_at(value, key) {
                return Some(value);
            }
        }
        from = end;
    }
    None
}

fn find_word(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let at = bytes
        .windows(5)
        .position(|it| it.eq_ignore_ascii_case(b"image"))?;
    Some(at..at + 5)
}

/// What is written as a value, if it is an image's name or a template of one. A word of prose after
/// `someImage:` is none, so such a key needs a value with a path or a tag; `image` alone does not.
fn value_at(value: &str, is_image: bool) -> Option<&str> {
    if value.starts_with("{{") || value.starts_with("${") || value.starts_with("$(") {
        return Some(value.trim_end_matches(['"', '\'', ' ', '\t', '\r', ',']));
    }
    let end = value.find(ENDS).unwrap_or(value.len());
    let word = value[..end].trim_end_matches(['.', ':']);
    let templated = value[end..].starts_with('{') || word.ends_with('$');
    if templated {
        return Some(value.trim_end_matches(['"', '\'', ' ', '\t', '\r', ',']));
    }
    let image = Reference::parse(word).is_ok();
    let prose = value[end..].trim_start_matches(['"', '\'', ' ', '\t', '\r', ',', '}', ']', ')']);
    let alone = prose.is_empty() || prose.starts_with(['#', '}', '\\', ';', '|']);
    let shaped = word.contains(['/', ':']);
    (image && (shaped || (is_image && alone))).then_some(word)
}

/// Whether a word is an image with its registry: nothing else is written like that.
pub(super) fn is_qualified(word: &str) -> bool {
    let Some((host, _)) = word.split_once('/') else {
        return false;
    };
    if !host.contains('.') && !host.starts_with("localhost:") {
        return false;
    }
    let Ok(image) = Reference::parse(word) else {
        return false;
    };
    let host = image.domain();
    let known = HOSTS.contains(&host) || HOST_ENDINGS.iter().any(|it| host.ends_with(it));
    let versioned = image.tag().is_some() || image.digest().is_some();
    known || (versioned && !NO_REGISTRIES.contains(&host) && is_name(host))
}

/// Whether a host ends as names do, and not as a version or an address does.
fn is_name(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.len() > 1 && last.bytes().all(|it| it.is_ascii_alphabetic())
}

/// As much of a text as a report shows.
pub(super) fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim_end();
    match line.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
