//! The instructions of a Dockerfile as BuildKit takes them apart, each word with its bytes.
//! <https://github.com/moby/buildkit/blob/master/frontend/dockerfile/parser/parser.go>

use std::borrow::Cow;
use std::ops::Range;

/// An instruction: its keyword, its flags and all else, but not what a heredoc holds.
#[derive(Debug)]
pub(super) struct Instruction<'a> {
    /// Never empty.
    pub(super) words: Vec<Word<'a>>,
}

/// What stands between white space, with its quotes.
#[derive(Debug)]
pub(super) struct Word<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) span: Range<usize>,
    /// The line that it begins on, from 1.
    pub(super) line: usize,
}

impl Word<'_> {
    /// Whether it stands on one line, so that its bytes are its text.
    pub(super) fn is_whole(&self) -> bool {
        self.span.len() == self.text.len()
    }
}

/// A parser directive, `# name=value` before everything else.
#[derive(Debug)]
pub(super) struct Directive<'a> {
    pub(super) line: usize,
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// The parser directives of a text.
pub(super) fn directives(text: &str) -> impl Iterator<Item = Directive<'_>> {
    let lines = text.trim_start_matches('\u{feff}').lines();
    lines.enumerate().map_while(|(i, line)| {
        let (name, value) = line.trim_start().strip_prefix('#')?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_name = name.bytes().all(|it| it.is_ascii_alphanumeric());
        (is_name && !name.is_empty() && !value.is_empty()).then_some(Directive {
            line: i + 1,
            name,
            value,
        })
    })
}

/// The instructions of a text.
pub(super) fn instructions(text: &str) -> Vec<Instruction<'_>> {
    let escape = directives(text)
        .find(|it| it.name.eq_ignore_ascii_case("escape"))
        .map_or('\\', |it| if it.value == "`" { '`' } else { '\\' });
    let lines = lines(text);
    let passed_over = |it: &str| it.trim().is_empty() || it.trim_start().starts_with('#');
    let mut found = Vec::new();
    let mut next = 0;
    while next < lines.len() {
        let mut lexer = Lexer::new(text, escape);
        let mut continues = true;
        while continues && next < lines.len() {
            let (start, line) = lines[next];
            next += 1;
            if passed_over(line) {
                // Comments and empty lines within an instruction do not end it.
                continues = !lexer.words.is_empty();
                continue;
            }
            let content = without_continuation(line, escape);
            lexer.add(content.unwrap_or(line), start, next);
            continues = content.is_some();
        }
        for heredoc in heredocs(&lexer.words) {
            let end = lines[next..].iter().position(|it| heredoc.ends_at(it.1));
            next += end.map_or(0, |it| it + 1);
        }
        if !lexer.words.is_empty() {
            found.push(Instruction { words: lexer.words });
        }
    }
    found
}

/// Each line without its end, and where it begins.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut start = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        let mark = if start == 0 && line.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        };
        let at = start + mark;
        start += line.len();
        (at, line[mark..].trim_end_matches(['\r', '\n']))
    });
    lines.collect()
}

/// What an instruction has on a line, if it goes on in the next.
fn without_continuation(line: &str, escape: char) -> Option<&str> {
    let content = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!content.ends_with(escape)).then_some(content)
}

/// Takes words apart, over the lines of one instruction.
#[derive(Debug)]
struct Lexer<'a> {
    text: &'a str,
    words: Vec<Word<'a>>,
    escape: char,
    quote: Option<char>,
    /// Whether the last word may go on.
    open: bool,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str, escape: char) -> Self {
        Self {
            text,
            words: Vec::new(),
            escape,
            quote: None,
            open: false,
        }
    }

    fn add(&mut self, content: &str, start: usize, line: usize) {
        let mut letters = content.char_indices();
        while let Some((at, letter)) = letters.next() {
            match self.quote {
                None if letter.is_whitespace() => {
                    self.open = false;
                    continue;
                }
                None if matches!(letter, '"' | '\'') => self.quote = Some(letter),
                Some(quote) if quote == letter => self.quote = None,
                None | Some(_) => {}
            }
            self.push(letter, start + at, line);
            if letter == self.escape
                && self.quote != Some('\'')
                && let Some((at, escaped)) = letters.next()
            {
                self.push(escaped, start + at, line);
            }
        }
    }

    fn push(&mut self, letter: char, at: usize, line: usize) {
        if !self.open {
            self.open = true;
            self.words.push(Word {
                text: Cow::Borrowed(""),
                span: at..at,
                line,
            });
        }
        if let Some(word) = self.words.last_mut() {
            let end = at + letter.len_utf8();
            // What goes on in the next line is no part of the text as it is.
            match &mut word.text {
                Cow::Borrowed(text) if word.span.end == at => {
                    *text = &self.text[word.span.start..end];
                }
                text => text.to_mut().push(letter),
            }
            word.span.end = end;
        }
    }
}

/// Text below an instruction, up to a line that says a name.
#[derive(Debug)]
struct Heredoc {
    name: String,
    /// Whether tabs may stand before the name.
    indented: bool,
}

impl Heredoc {
    fn of(word: &str) -> Option<Self> {
        let rest = word.trim_start_matches(|it: char| it.is_ascii_digit());
        let rest = rest.strip_prefix("<<")?;
        let (rest, indented) = match rest.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let name = rest.replace(['"', '\'', '\\'], "");
        (!name.is_empty() && !rest.contains('<')).then_some(Self { name, indented })
    }

    fn ends_at(&self, line: &str) -> bool {
        let line = match self.indented {
            true => line.trim_start_matches('\t'),
            false => line,
        };
        line == self.name
    }
}

/// The heredocs that an instruction begins, if it is one that may.
fn heredocs(words: &[Word<'_>]) -> Vec<Heredoc> {
    let is = |word: &&Word<'_>, keyword: &str| word.text.eq_ignore_ascii_case(keyword);
    let mut keywords = words.iter().skip_while(|it| is(it, "ONBUILD"));
    let may = |it: &Word<'_>| {
        ["RUN", "COPY", "ADD"]
            .iter()
            .any(|keyword| is(&it, keyword))
    };
    if !keywords.next().is_some_and(may) {
        return Vec::new();
    }
    keywords.filter_map(|it| Heredoc::of(&it.text)).collect()
}
