//! `ecr-operator explain`: what becomes of an image, by which rule and why. The same pure function
//! as the webhook's, with rules from files or from a cluster; no registry is asked, so images count
//! as being there.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::desired::{self, Subject};
use crate::domain::rewrite::{Compiled, Table};

use super::rules;

mod answer;

use answer::{Answer, Lens};

/// An API server takes no object of this size, so no image name is longer: the rest of a line is
/// passed over. <https://etcd.io/docs/latest/dev-guide/limit/>
const LONGEST_LINE: u64 = 2 << 20;

/// The arguments of `ecr-operator explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
No registry is asked: an image counts as being where its rule leads to, so this is what the policy \
would do once everything is pushed and cached.

A line of standard input ends with \\n or \\r\\n; nothing else is taken away. Every line gets one \
answer, in the same order. What is no image reference is answered so, and is no failure: the exit \
code is 0 unless the rules cannot be read.")]
pub struct Arguments {
    /// Image references; - reads them from standard input, one a line.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<OsString>,
    /// A folder of YAML files with EnvironmentAccounts, ImageAdmissionPolicies, ImageRepositories
    /// and PullThroughRules (other kinds are passed over), or one such file. By default the cluster
    /// that KUBECONFIG names is asked.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// The ImageAdmissionPolicy to decide by; by default the first in order of their names.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// The namespace of the pod that names the images.
    #[arg(long, short, default_value = "default")]
    namespace: String,
    /// How to print answers.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Output {
    /// A few lines for people.
    Text,
    /// One JSON object a line: image, registry, repository, tag, digest, decision, target, rule
    /// and reason, all text; or image and error, with the others empty.
    Json,
}

/// Answers every image in turn on standard output.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let world = match &arguments.rules {
        Some(path) => rules::from_files(path)?,
        None => rules::from_cluster().await?,
    };
    let rules = desired::rules(&world);
    for (subject, stopped) in &rules.stopped {
        let (kind, name) = match subject {
            Subject::Policy(name) => ("ImageAdmissionPolicy", name),
            Subject::Repository(name) => ("ImageRepository", name),
            Subject::Rule(name) => ("PullThroughRule", name),
        };
        eprintln!("warning: {kind} {name}: {stopped}");
    }
    let lens = Lens {
        policy: policy(&rules.table, arguments.policy.as_deref())?,
        namespace: &arguments.namespace,
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let written =
        answer_all(&arguments.images, &lens, arguments.output, &mut out).and_then(|()| out.flush());
    match written {
        // Whoever reads has seen enough: `explain - | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("answer"),
    }
}

fn policy<'t>(table: &'t Table, name: Option<&str>) -> anyhow::Result<Option<&'t Compiled>> {
    let Some(name) = name else {
        let first = table.policies().next();
        if first.is_none() {
            eprintln!("warning: no ImageAdmissionPolicy is in force, so nothing is rewritten");
        }
        return Ok(first);
    };
    match table.policy(name) {
        Some(policy) => Ok(Some(policy)),
        None => {
            let names = table.policies().map(|it| it.policy().name.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            bail!("no ImageAdmissionPolicy {name} is in force; there are: {names}")
        }
    }
}

fn answer_all(
    images: &[OsString],
    lens: &Lens<'_>,
    output: Output,
    out: &mut impl Write,
) -> io::Result<()> {
    if output == Output::Text {
        answer::write_heading(lens, out)?;
    }
    for image in images {
        if image == "-" {
            answer_lines(io::stdin().lock(), lens, output, out)?;
        } else {
            answer_one(image.as_bytes(), lens, output, out)?;
        }
    }
    Ok(())
}

/// Answers line by line; whoever waits for the answer before asking again is not kept waiting.
fn answer_lines(
    input: impl Read,
    lens: &Lens<'_>,
    output: Output,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if line.pop_if(|it| *it == b'\n').is_some() {
            line.pop_if(|it| *it == b'\r');
        } else if read as u64 == LONGEST_LINE {
            input.skip_until(b'\n')?;
        }
        answer_one(&line, lens, output, out)?;
        if input.buffer().is_empty() {
            out.flush()?;
        }
    }
}

fn answer_one(
    image: &[u8],
    lens: &Lens<'_>,
    output: Output,
    out: &mut impl Write,
) -> io::Result<()> {
    let lossy = String::from_utf8_lossy(image);
    let answer = match str::from_utf8(image) {
        Ok(image) => Answer::of(image, lens),
        Err(error) => Answer::not_text(&lossy, error),
    };
    match output {
        Output::Text => answer.write_text(lens, out),
        Output::Json => answer.write_json(out),
    }
}

#[cfg(test)]
mod tests;
