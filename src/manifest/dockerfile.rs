//! Dockerfiles and Containerfiles: what stages begin with, what is copied or mounted from images, and
//! the arguments' defaults that say so. Only a file that begins as a build does is edited.
//! <https://docs.docker.com/reference/dockerfile/>

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::edit::Unproven;
use super::found::unreadable;
use super::left::{Left, Reason};
use super::lines;
use super::site::{Context, Scalar, Site, Stated, Written};
use super::splice::Splice;
use crate::domain::reference::Reference;
use instruction::{Instruction, Word, directives, instructions};
use part::{fields, flags, scalar};
use value::{Argument, Arguments, Unknown, Value, expanded, value};
use variable::{variables, version_of};

mod instruction;
mod part;
mod value;
mod variable;

/// A base that is no image.
const NOTHING: &str = "scratch";

/// Reads a Dockerfile: its sites and what is left, each in the order of the text.
pub(super) fn read(text: &str) -> (Vec<Site>, Vec<Left>) {
    let mut build = Build::default();
    for instruction in instructions(text) {
        build.instruction(&instruction);
    }
    build.settle();
    let Build {
        mut sites,
        mut left,
        bases,
        said,
        ..
    } = build;
    let syntax = directives(text).filter(|it| it.name.eq_ignore_ascii_case("syntax"));
    left.extend(syntax.map(|it| Left {
        line: it.line,
        text: it.value.to_owned(),
        reason: Reason::SourceText,
    }));
    sites.sort_by_key(|it| (it.start(), it.line));
    sites.dedup_by(|a, b| (a.start(), &a.image) == (b.start(), &b.image));
    let told = sites.iter().map(|it| (it.line, &*it.image));
    let told = told.chain(left.iter().map(|it| (it.line, &*it.text)));
    let told = told.chain(said.iter().map(|(line, text)| (*line, &**text)));
    let rest = rest(text, &bases, &told.collect());
    left.extend(rest);
    left.sort();
    left.dedup();
    (sites, left)
}

/// Fails unless both texts are the same words in the same places, but for the splices.
pub(super) fn same_but_for(
    (before, after): (&str, &str),
    splices: &[Splice],
) -> Result<(), Unproven> {
    let moved = |at: usize| {
        let passed = splices.iter().filter(|it| it.at.end <= at);
        passed.fold(at, |at, it| at + it.text.len() - it.at.len())
    };
    let words = |text: &str| -> Vec<Vec<(usize, Range<usize>)>> {
        let words =
            |it: Instruction<'_>| it.words.into_iter().map(|it| (it.line, it.span)).collect();
        instructions(text).into_iter().map(words).collect()
    };
    let mut expected = words(before);
    for (_, span) in expected.iter_mut().flatten() {
        *span = moved(span.start)..moved(span.end);
    }
    let found = words(after);
    let differs = expected.iter().zip(&found).find(|(a, b)| a != b);
    match differs.and_then(|(it, _)| it.first()) {
        Some((line, _)) => Err(Unproven { line: *line }),
        None if expected.len() != found.len() => Err(Unproven { line: 1 }),
        None => Ok(()),
    }
}

/// A build as far as it has been read.
#[derive(Debug, Default)]
struct Build {
    /// Whether it begins with what no build begins with: a template, or another language.
    is_strange: bool,
    begun: bool,
    arguments: Arguments,
    /// The arguments that bases begin with.
    named: BTreeSet<String>,
    /// The arguments whose values are parts of more than the names of bases.
    shared: BTreeSet<String>,
    /// The arguments that stages use for what is theirs.
    taken: BTreeSet<String>,
    stages: Vec<String>,
    /// The lines that say what stages begin with, of which all is said.
    bases: BTreeSet<usize>,
    /// The defaults of which all is said, and their lines.
    said: Vec<(usize, String)>,
    sites: Vec<Site>,
    left: Vec<Left>,
    /// The argument whose default a site is, by the site's place.
    owners: BTreeMap<usize, String>,
}

impl Build {
    fn instruction(&mut self, instruction: &Instruction<'_>) {
        let mut words = instruction.words.as_slice();
        let keyword = |words: &[Word<'_>]| words.first().map(|it| it.text.to_ascii_uppercase());
        let triggered = keyword(words).is_some_and(|it| it == "ONBUILD");
        if triggered {
            words = &words[1..];
        }
        let Some(keyword) = keyword(words) else {
            return;
        };
        let words = &words[1..];
        self.is_strange |= !self.begun && !matches!(&*keyword, "ARG" | "FROM");
        match &*keyword {
            "ARG" if !self.begun => words.iter().for_each(|it| self.argument(it)),
            "ARG" => self
                .taken
                .extend(words.iter().map(|it| it.text.clone().into_owned())),
            "FROM" => self.from(words),
            "COPY" => {
                for (word, at) in flags(words, "--from=") {
                    self.source(word, at, triggered);
                }
            }
            "RUN" => {
                for (word, at) in flags(words, "--mount=") {
                    for at in fields(&word.text, at, "from") {
                        self.source(word, at, triggered);
                    }
                }
            }
            _ => {}
        }
    }

    fn argument(&mut self, word: &Word<'_>) {
        let Some((name, text)) = word.text.split_once('=') else {
            // Declared again without a default, it keeps the one that it has.
            return;
        };
        let default = scalar(word, name.len() + 1..word.text.len());
        let line = word.line;
        let mut names = variables(text).map(str::to_owned);
        let begins_with = names
            .next()
            .filter(|_| text.trim_matches(['"', '\'']).starts_with('$'));
        // What is not at its beginning cannot change without changing it.
        let parts = variables(text).skip(usize::from(begins_with.is_some()));
        self.shared.extend(parts.map(str::to_owned));
        let argument = Argument {
            line,
            text: default.as_ref().map_or(text, |it| &it.text).to_owned(),
            value: default.and_then(|it| value(&it, line, &self.arguments).map_err(|it| it.reason)),
            begins_with,
        };
        self.arguments.insert(name.to_owned(), argument);
    }

    /// `FROM [--platform=…] image [AS stage]`.
    fn from(&mut self, words: &[Word<'_>]) {
        self.begun = true;
        self.bases.extend(words.iter().map(|it| it.line));
        let flags = words.iter().take_while(|it| it.text.starts_with("--"));
        let words = &words[flags.count()..];
        let Some(word) = words.first() else {
            return;
        };
        let named = words.get(1);
        let named = named.is_some_and(|it| it.text.eq_ignore_ascii_case("as"));
        let stage = words.get(2).filter(|_| named);
        let stage = stage.map(|it| it.text.to_ascii_lowercase());
        let complete = words.len() == 1 || (words.len() == 3 && named);
        match scalar(word, 0..word.text.len()) {
            Ok(scalar) if complete => self.base(&scalar, word.line),
            Err(reason) if complete => self.leave(word.line, &word.text, reason),
            Ok(_) | Err(_) => {
                let text = words
                    .iter()
                    .map(|it| &*it.text)
                    .collect::<Vec<_>>()
                    .join(" ");
                self.leave(word.line, &text, unreadable(&text));
            }
        }
        self.stages.extend(stage);
    }

    /// What a stage begins with: a name, here or in an argument's default, and perhaps a version.
    fn base(&mut self, scalar: &Scalar, at: usize) {
        let all = &scalar.text;
        let whole = expanded(all, &self.arguments);
        if whole.is_some_and(|it| self.is_no_image(&it)) {
            return;
        }
        let (name, version) = all.split_at(version_of(all).unwrap_or(all.len()));
        let name = Scalar {
            span: scalar.span.start..scalar.span.start + name.len(),
            text: name.to_owned(),
            style: scalar.style,
        };
        let begins = name.text.starts_with('$');
        let parts = variables(all).skip(usize::from(begins));
        self.shared.extend(parts.map(str::to_owned));
        let found = match value(&name, at, &self.arguments) {
            Ok(found) => found,
            Err(Unknown { line, text, reason }) => {
                let text = if line == at { all } else { &text };
                return self.leave(line, text, reason);
            }
        };
        if begins {
            self.name(variables(all).next().unwrap_or_default());
        }
        if found.text().is_empty() {
            return self.leave(at, all, Reason::NoDefault);
        }
        // A mark with nothing after it is that of a version which the build gives.
        let said = expanded(version, &self.arguments);
        let said = said.filter(|it| version.is_empty() || it.len() > 1);
        self.add_value(found, said.as_deref());
    }

    /// Takes note of an argument that a base begins with, and of those that this begins with.
    fn name(&mut self, name: &str) {
        let mut next = Some(name.to_owned());
        while let Some(name) = next.filter(|it| self.named.insert(it.clone())) {
            let argument = self.arguments.get(&name);
            next = argument.and_then(|it| it.begins_with.clone());
        }
    }

    fn add_value(&mut self, found: Value, version: Option<&str>) {
        if let Some(owner) = &found.owner {
            self.owners.insert(found.head.span.start, owner.clone());
            let text = self.arguments.get(owner).map(|it| it.text.clone());
            self.said.extend(text.map(|it| (found.line, it)));
        }
        self.add(found, version);
    }

    /// What `COPY` and `RUN` take from a stage or an image; no variables are expanded there.
    fn source(&mut self, word: &Word<'_>, at: Range<usize>, triggered: bool) {
        let scalar = match scalar(word, at.clone()) {
            Ok(it) => it,
            Err(reason) => return self.leave(word.line, &word.text[at], reason),
        };
        let text = &scalar.text;
        if text.parse::<usize>().is_ok() || self.is_no_image(text) {
            return;
        }
        // A trigger runs in another build, which has stages of its own.
        if triggered && !text.contains(['/', ':', '$']) {
            return self.leave(word.line, text, Reason::UnknownField);
        }
        self.add(Value::of(scalar, word.line), Some(""));
    }

    fn is_no_image(&self, name: &str) -> bool {
        name == NOTHING || self.stages.iter().any(|it| it.eq_ignore_ascii_case(name))
    }

    /// A site of a name and a version, `None` if that is only known to the build.
    fn add(&mut self, name: Value, version: Option<&str>) {
        let rest = name.rest + version.unwrap_or_default();
        let image = format!("{}{rest}", name.head.text);
        if Reference::parse(&image).is_err() {
            return self.leave(name.line, &image, unreadable(&image));
        }
        let written = match version {
            Some(_) if rest.is_empty() => Written::Whole(name.head),
            _ => Written::Beginning {
                scalar: name.head,
                rest,
                varies: name.varies,
            },
        };
        self.sites.push(Site {
            line: name.line,
            image,
            registry: Stated::Here,
            tag: match version {
                Some(_) => Stated::Here,
                None => Stated::Elsewhere,
            },
            context: Context::default(),
            written,
        });
    }

    fn leave(&mut self, line: usize, text: &str, reason: Reason) {
        self.left.push(Left {
            line,
            text: lines::shortened(text),
            reason,
        });
    }

    /// Takes back the sites that are not to be edited after all.
    fn settle(&mut self) {
        let unnamed = self
            .arguments
            .iter()
            .filter(|it| !self.named.contains(it.0));
        let parts = unnamed.filter_map(|it| it.1.begins_with.clone());
        self.shared.extend(parts);
        for site in std::mem::take(&mut self.sites) {
            let owner = self.owners.get(&site.start());
            let is_part = matches!(&site.written, Written::Beginning { rest, .. }
                if !rest.is_empty() && !rest.starts_with([':', '@']));
            if self.is_strange {
                self.leave(site.line, &site.image, Reason::SourceText);
            } else if owner.is_some_and(|it| self.shared.contains(it)) {
                self.leave(site.line, &site.image, Reason::PartShared);
            } else if is_part && owner.is_some_and(|it| self.taken.contains(it)) {
                self.leave(site.line, &site.image, Reason::Variable);
            } else {
                self.sites.push(site);
            }
        }
    }
}

/// What lines name of which nothing has been said: comments, scripts, labels.
fn rest(text: &str, bases: &BTreeSet<usize>, told: &BTreeSet<(usize, &str)>) -> Vec<Left> {
    let mut rest = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let reason = match line.trim_start().strip_prefix('#') {
            Some(_) => Reason::Comment,
            None => Reason::SourceText,
        };
        let of_line = || told.range((i + 1, "")..(i + 2, ""));
        let new = |it: &Left| !of_line().any(|(_, told)| told.contains(&it.text));
        if bases.contains(&(i + 1)) {
            continue;
        }
        rest.extend(lines::scan(line, i + 1, reason).into_iter().filter(new));
    }
    rest
}

#[cfg(test)]
mod tests;
