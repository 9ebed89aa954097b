//! Which environment reads what: by path, by namespace, or by the cluster that an Argo CD application
//! goes to. Never guessed.

use std::io;
use std::path::Path;

use anyhow::{Context as _, bail};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::Deserialize;

use crate::commands::contents::{self, Contents};
use crate::manifest::Context;

/// The file that says it, in the repository's root.
pub(super) const FILE: &str = ".ecr-operator.yaml";

/// What was said, the weakest first.
#[derive(Debug, Default)]
pub(super) struct Environments(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    of: Of,
    environment: String,
}

#[derive(Debug)]
enum Of {
    Path(Gitignore),
    Namespace(String),
    Cluster(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(default)]
    environments: Vec<SaidEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidEntry {
    path: Option<String>,
    namespace: Option<String>,
    cluster: Option<String>,
    environment: String,
}

impl Environments {
    /// What the repository's own file says, and over it what `arguments` say.
    pub(super) fn read(root: &Path, arguments: &[String]) -> anyhow::Result<Self> {
        let mut entries = of_file(root)?;
        for argument in arguments {
            let (glob, environment) = argument.rsplit_once('=').unwrap_or(("**", argument));
            entries.push(Entry {
                of: Of::Path(glob_of(glob).with_context(|| format!("--environment {argument}"))?),
                environment: environment.to_owned(),
            });
        }
        Ok(Self(entries))
    }

    /// The environments that are named.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|it| it.environment.as_str())
    }

    /// The environment that reads this place of the file at `path`; the last entry that fits.
    pub(super) fn of(&self, path: &str, context: &Context) -> Option<&str> {
        let fits = |it: &&Entry| match &it.of {
            Of::Path(glob) => glob.matched_path_or_any_parents(path, false).is_ignore(),
            Of::Namespace(name) => context.namespace.as_ref() == Some(name),
            Of::Cluster(name) => context.cluster.as_ref() == Some(name),
        };
        let last = self.0.iter().rev().find(fits);
        last.map(|it| it.environment.as_str())
    }
}

fn of_file(root: &Path) -> anyhow::Result<Vec<Entry>> {
    let path = root.join(FILE);
    let bytes = match contents::read(&path) {
        Ok(Contents::Bytes(bytes)) => bytes,
        Ok(Contents::TooLarge) => bail!("read {}: the file is too large", path.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let said: Said =
        serde_saphyr::from_slice(&bytes).with_context(|| format!("read {}", path.display()))?;
    let entries = said.environments.into_iter().enumerate().map(|(i, it)| {
        let at = || format!("{}: environments[{i}]", path.display());
        let of = match (it.path, it.namespace, it.cluster) {
            (Some(glob), None, None) => Of::Path(glob_of(&glob).with_context(at)?),
            (None, Some(namespace), None) => Of::Namespace(namespace),
            (None, None, Some(cluster)) => Of::Cluster(cluster),
            _ => bail!("{}: give one of path, namespace and cluster", at()),
        };
        let environment = it.environment;
        Ok(Entry { of, environment })
    });
    entries.collect()
}

/// A pattern as `.gitignore` has them.
fn glob_of(pattern: &str) -> anyhow::Result<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    builder
        .add_line(None, pattern)
        .with_context(|| format!("{pattern:?} is no pattern of paths"))?;
    Ok(builder.build()?)
}
