//! The documents of a YAML stream, cut apart before any of them is parsed: what is none of ours may
//! be anything, such as a chart's template, which is no YAML at all.

/// One document of a stream, as text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Document<'a> {
    /// The line that it begins in, from 1.
    pub(super) line: usize,
    /// All of it.
    pub(super) text: &'a str,
}

/// Cuts a stream at its `---` lines, which nothing inside of a document can contain:
/// <https://yaml.org/spec/1.2.2/#document-markers>.
pub(super) fn split(stream: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let (mut begin, mut begin_line, mut at) = (0, 1, 0);
    for (i, line) in stream.split_inclusive('\n').enumerate() {
        if is_marker(line) && at > begin {
            documents.push(Document {
                line: begin_line,
                text: &stream[begin..at],
            });
            (begin, begin_line) = (at, i + 1);
        }
        at += line.len();
    }
    documents.push(Document {
        line: begin_line,
        text: &stream[begin..],
    });
    documents
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.trim_start() != rest || rest.is_empty())
}

impl Document<'_> {
    /// The document where it stands in its stream, so that a parser names the stream's lines.
    pub(super) fn in_place(&self) -> String {
        "\n".repeat(self.line - 1) + self.text
    }
}

#[cfg(test)]
mod tests;
