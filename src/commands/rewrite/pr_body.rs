//! The text of the pull request, in Markdown.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::finding::{File, Outcome, Rule, Why};
use super::summary::Summary;

/// What the text tells.
#[derive(Default)]
pub(super) struct Body {
    moved: BTreeMap<(Rule, String, String), Vec<String>>,
    left: BTreeMap<Why, Vec<(String, String)>>,
}

impl Body {
    /// Takes in a file.
    pub(super) fn add(&mut self, file: &File) {
        for finding in &file.findings {
            let (image, at) = (
                finding.text.trim(),
                format!("{}:{}", file.path, finding.line),
            );
            match &finding.outcome {
                Outcome::Rewritten { target, rule, .. } => {
                    let key = (rule.clone(), image.to_owned(), target.clone());
                    self.moved.entry(key).or_default().push(at);
                }
                Outcome::Left(why) => {
                    let left = self.left.entry(*why).or_default();
                    left.push((at, image.to_owned()));
                }
                Outcome::InStep => {}
            }
        }
    }

    /// Prints the text.
    pub(super) fn end(&self, summary: &Summary, out: &mut impl Write) -> io::Result<()> {
        let total = summary.total();
        writeln!(out, "## Pull images from Amazon ECR\n")?;
        writeln!(
            out,
            "{} references now name ECR, {} did already, {} are left as they are. Nothing but \
             registry and repository of images has changed.\n",
            total.rewritten, total.in_step, total.left
        )?;
        if !self.moved.is_empty() {
            writeln!(out, "| Image | From ECR | By | Where |\n|---|---|---|---|")?;
        }
        for ((rule, image, target), places) in &self.moved {
            let places = places.join("`, `");
            writeln!(
                out,
                "| `{}` | `{}` | {rule} | `{places}` |",
                cell(image),
                cell(target)
            )?;
        }
        for (why, places) in &self.left {
            let (word, count) = (why.as_str(), places.len());
            writeln!(
                out,
                "\n<details><summary>Left: {word} ({count})</summary>\n"
            )?;
            writeln!(out, "{}.\n", why.explanation())?;
            for (at, image) in places {
                writeln!(out, "- `{at}` `{}`", cell(image))?;
            }
            writeln!(out, "\n</details>")?;
        }
        Ok(())
    }
}

/// Text that ends neither a cell nor a code span.
fn cell(text: &str) -> String {
    text.replace('`', "'").replace('|', "\\|")
}
