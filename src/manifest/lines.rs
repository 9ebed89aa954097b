//! Image references in text that is read line by line: comments, templates, scripts, documents that
//! are no YAML. What is found so is told, and never edited.

use super::left::{Left, Reason};
use crate::domain::reference::Reference;
use crate::domain::rewrite::registry_host;

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
const HOST_ENDINGS: [&str; 4] = [".gcr.io", ".pkg.dev", ".azurecr.io", ".docker.io"];
/// Hosts of source code and documents, whose paths with a colon are no tags.
const NO_REGISTRIES: [&str; 4] = ["github.com", "gitlab.com", "golang.org", "k8s.io"];
/// What the key of an image ends with, in some case.
const IMAGE: &str = "image";
/// What stands before an image in a workflow, or where a copy comes from.
const SCHEME: &str = "docker://";
/// Programs that are given an image to run or to pull, among other words.
const RUNNERS: [&str; 3] = ["docker", "podman", "nerdctl"];
/// Options of theirs without a value, after which the next word may be the image.
const SWITCHES: [&str; 10] = [
    "--rm",
    "--privileged",
    "--read-only",
    "--detach",
    "--interactive",
    "--tty",
    "--init",
    "--quiet",
    "-P",
    "-q",
];
/// As much of a line as is told.
const LONGEST_TEXT: usize = 200;

/// Whether a word of a line ends here.
fn ends_word(letter: char) -> bool {
    matches!(
        letter,
        ' ' | '\t'
            | '\r'
            | '"'
            | '\''
            | '`'
            | ','
            | ';'
            | '='
            | '('
            | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '<'
            | '>'
            | '|'
            | '\\'
            | '#'
    )
}

/// Tells every line that names an image, or says that it would if it were rendered.
pub(super) fn scan(text: &str, first_line: usize, reason: Reason) -> Vec<Left> {
    let lines = text.lines().enumerate().filter(|(_, it)| may_name(it));
    let found = lines.flat_map(|(i, line)| {
        named_in(line).into_iter().map(move |text| Left {
            line: first_line + i,
            text: shortened(text),
            reason,
        })
    });
    found.collect()
}

/// Whether a line has something by which it may name an image: a path, a key's mark, or a tag's.
pub(super) fn may_name(line: &str) -> bool {
    let is_mark = |it: u8| matches!(it, b'/' | b':' | b'=');
    line.bytes().any(is_mark) && (line.contains('/') || has_key(line) || has_runner(line))
}

/// Whether a key of a line may end with "image".
fn has_key(line: &str) -> bool {
    ["mage", "MAGE"].iter().any(|it| line.contains(it))
}

fn has_runner(line: &str) -> bool {
    RUNNERS.iter().any(|it| line.contains(it))
}

/// The images that a line names, and what stands where one would.
pub(super) fn named_in(line: &str) -> Vec<&str> {
    let mut found = after_keys(line);
    if let Some(image) = run_by(line).filter(|it| !is_qualified(it)) {
        found.push(image);
    }
    if line.contains('/') {
        for word in line.split(ends_word) {
            let by_scheme = word.strip_prefix(SCHEME);
            let word = by_scheme.unwrap_or(word);
            let word = word.trim_end_matches(['.', ':', '$', '-', '_', '/']);
            let word = without_placeholder(word);
            let is_image = is_qualified(word) || (by_scheme.is_some() && is_versioned(word));
            // Of what is long, the end is not told.
            if is_image && !found.iter().any(|it| shown(it).contains(word)) {
                found.push(word);
            }
        }
    }
    found
}

/// A word without a digest that is none, such as a placeholder.
fn without_placeholder(word: &str) -> &str {
    match word.split_once('@') {
        Some((name, _)) if Reference::parse(word).is_err() => name,
        Some(_) | None => word,
    }
}

/// Whether a word is an image with its tag or digest.
fn is_versioned(word: &str) -> bool {
    let image = Reference::parse(word);
    image.is_ok_and(|it| it.tag().is_some() || it.digest().is_some())
}

/// The image of `docker run`, `podman pull` and the like, if it has a tag: a word without one may be
/// the value of any option.
fn run_by(line: &str) -> Option<&str> {
    if !has_runner(line) {
        return None;
    }
    let mut words = line.split_whitespace();
    loop {
        words.find(|it| RUNNERS.iter().any(|runner| bare(it).ends_with(runner)))?;
        if matches!(bare(words.next()?), "run" | "pull") {
            break;
        }
    }
    let mut may_follow = true;
    for whole in words {
        let word = bare(whole);
        let named = Reference::parse(word).is_ok_and(|it| {
            it.tag().is_some() && word.starts_with(|it: char| it.is_ascii_alphabetic())
        });
        if named && may_follow {
            return Some(word);
        }
        // `-it` and what else takes no value; any other option may take the next word for its own,
        // unless it is another program's: `-u $(id -u)`.
        may_follow = !word.starts_with('-')
            || whole.trim_end_matches(['"', '\'']).ends_with(')')
            || word.contains('=')
            || SWITCHES.contains(&word)
            || word[1..].bytes().all(|it| matches!(it, b'd' | b'i' | b't'));
    }
    None
}

/// A word of a shell without its quotes and what else clings to it.
fn bare(word: &str) -> &str {
    word.trim_matches(['"', '\'', '`', '(', ')', ';', ',', '[', ']'])
}

/// The values of the keys of a line whose names end with "image": `image: x`, `"image": "x"`,
/// `FOO_IMAGE=x`.
fn after_keys(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    if !has_key(line) {
        return found;
    }
    let mut from = 0;
    while let Some(start) = find_image(&line[from..]) {
        let start = from + start;
        let end = start + IMAGE.len();
        let before = line[..start].chars().next_back();
        let whole = before.is_none_or(|it| !it.is_alphanumeric() && !matches!(it, '_' | '-' | '.'));
        if let Some(value) = line[end..]
            .strip_prefix('=')
            .filter(|_| line[..start].ends_with("--"))
        {
            // `--image=busybox`, as kubectl has it.
            let word = value.split(ends_word).next().unwrap_or_default();
            let said = word.split('$').next().unwrap_or(word);
            let said = said.trim_end_matches([':', '-', '.']);
            found.extend(Some(word).filter(|_| Reference::parse(said).is_ok()));
            from = end;
            continue;
        }
        let rest = line[end..].trim_start_matches(['"', '\'', ' ', '\t']);
        if let Some(value) = rest.strip_prefix([':', '=']) {
            let value = value.trim_start_matches([':', '=', '>', ' ', '\t', '`', '[']);
            found.extend(value_at(value, whole));
        }
        from = end;
    }
    found
}

/// The first `image`, `Image` or `IMAGE` of a text.
fn find_image(text: &str) -> Option<usize> {
    let ends = ["mage", "MAGE"].map(|it| text.match_indices(it).map(|(at, _)| at));
    let starts = ends.into_iter().filter_map(|mut it| {
        it.find(|at| text[..*at].ends_with(['i', 'I']))
            .map(|at| at - 1)
    });
    starts.min()
}

/// What is written as a value, if it is an image's name or a template of one. A word of prose after
/// `someImage:` is none, so such a key needs a value with a path or a tag; `image` alone does not.
fn value_at(value: &str, is_image: bool) -> Option<&str> {
    let unquoted = value.trim_start_matches(['"', '\'']);
    let quote = value.strip_suffix(unquoted).unwrap_or_default();
    let end = unquoted.find(ends_word).unwrap_or(unquoted.len());
    let (word, rest) = unquoted.split_at(end);
    let variable = word.contains('$') || rest.starts_with('{');
    if variable && (word.is_empty() || word.contains(['/', ':', '$'])) {
        return Some(unquoted.trim_end_matches(['"', '\'', ' ', '\t', '\r', ',']));
    }
    let word = without_placeholder(word.trim_end_matches(['.', ':']));
    if Reference::parse(word).is_err() {
        return None;
    }
    let closed = !quote.is_empty() && rest.starts_with(quote);
    let after = rest.trim_start_matches(['"', '\'', ' ', '\t', '\r', ',', '}', ']', ')']);
    let alone = closed || after.is_empty() || after.starts_with(['#', '}', '\\', ';', '|']);
    let shaped = word.contains(['/', ':']);
    (shaped || (is_image && alone)).then_some(word)
}

/// Whether a word is an image with its registry: nothing else is written like that. What follows a
/// variable or a wildcard may be anything.
pub(super) fn is_qualified(word: &str) -> bool {
    let word = match word.find(['$', '*']) {
        Some(end) => word[..end].trim_end_matches(['/', ':', '-', '.', '_']),
        None => word,
    };
    let Some((host, _)) = word.split_once('/') else {
        return false;
    };
    if !host.contains('.') && !host.starts_with("localhost:") {
        return false;
    }
    let Ok(image) = Reference::parse(word) else {
        return false;
    };
    let host = &*registry_host(&image);
    let known = HOSTS.contains(&host)
        || HOST_ENDINGS.iter().any(|it| host.ends_with(it))
        || host.contains(".dkr.ecr.");
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
    match shown(line) {
        all if all.len() == line.len() => line.to_owned(),
        first => format!("{first}…"),
    }
}

fn shown(line: &str) -> &str {
    let end = line.char_indices().nth(LONGEST_TEXT);
    end.map_or(line, |(end, _)| &line[..end])
}

#[cfg(test)]
mod tests;
