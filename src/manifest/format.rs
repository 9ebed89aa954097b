//! Which format a text has, by its path and by what stands in it.

use std::fmt;

use super::tree::{Cursor, Wanted};

/// What a file is, in the words of the summary.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Format {
    /// Kubernetes objects.
    Kubernetes,
    /// Values of a Helm chart.
    HelmValues,
    /// A template of a Helm chart.
    HelmTemplate,
    /// A `kustomization.yaml`, or a component.
    Kustomize,
    /// An Argo CD Application or ApplicationSet.
    ArgoCd,
    /// A HelmRelease or Kustomization of Flux.
    Flux,
    /// A Compose file.
    Compose,
    /// A workflow or an action of GitHub.
    GitHubWorkflow,
    /// A pipeline of GitLab.
    GitLabCi,
    /// An ECS task definition.
    EcsTask,
    /// A Dockerfile or Containerfile.
    Dockerfile,
    /// Terraform.
    Terraform,
    /// A shell script, a Makefile, or variables of an environment.
    Shell,
    /// Other YAML or JSON.
    Yaml,
    /// Nothing that names images.
    Other,
}

impl Format {
    /// The word of the summary.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kubernetes => "Kubernetes",
            Self::HelmValues => "Helm values",
            Self::HelmTemplate => "Helm templates",
            Self::Kustomize => "Kustomize",
            Self::ArgoCd => "Argo CD",
            Self::Flux => "Flux",
            Self::Compose => "Compose",
            Self::GitHubWorkflow => "GitHub workflows",
            Self::GitLabCi => "GitLab CI",
            Self::EcsTask => "ECS tasks",
            Self::Dockerfile => "Dockerfiles",
            Self::Terraform => "Terraform",
            Self::Shell => "Shell",
            Self::Yaml => "Other YAML",
            Self::Other => "Other",
        }
    }

    /// What the path says; documents of YAML say more.
    pub(super) fn of_path(path: &str) -> Self {
        let (folders, name) = path.rsplit_once(['/', '\\']).unwrap_or(("", path));
        let name = name.to_ascii_lowercase();
        let within = |folder| is_within(folders, folder);
        let extension = name.rsplit_once('.').map_or("", |it| it.1);
        let yaml = matches!(extension, "yaml" | "yml" | "json");
        match (&*name, extension) {
            ("kustomization.yaml" | "kustomization.yml" | "kustomization", _) => Self::Kustomize,
            (_, "tpl" | "gotmpl") => Self::HelmTemplate,
            (_, "tf" | "hcl" | "tfvars") => Self::Terraform,
            (_, "sh" | "bash" | "mk" | "env") | ("makefile" | "justfile", _) => Self::Shell,
            _ if name.starts_with(".env.") => Self::Shell,
            _ if is_dockerfile(&name, extension) => Self::Dockerfile,
            _ if !yaml => Self::Other,
            // Long, in every repository of a web application, and about packages.
            ("package-lock.json" | "package.json" | "pnpm-lock.yaml", _) => Self::Other,
            _ if name.ends_with(".schema.json") => Self::Other,
            // What Argo CD's image updater writes beside an application's manifests.
            _ if name.starts_with(".argocd-source") => Self::ArgoCd,
            _ if within("workflows") && within(".github") => Self::GitHubWorkflow,
            ("action.yml" | "action.yaml", _) => Self::GitHubWorkflow,
            _ if name.ends_with(".gitlab-ci.yml") || within(".gitlab") => Self::GitLabCi,
            _ if name.starts_with("docker-compose") || name.starts_with("compose.") => {
                Self::Compose
            }
            _ if name.contains("values") && extension != "json" => Self::HelmValues,
            _ if within("values") => Self::HelmValues,
            _ => Self::Yaml,
        }
    }

    /// Which documents of a file are read: a schema names no image, however long it is.
    pub(super) fn wanted(self) -> Wanted {
        match self {
            Self::Kustomize => |_| true,
            _ => |it| super::may_name_images(it) && !is_schema(it),
        }
    }

    /// What a document is in a file whose path says `self`.
    pub(super) fn of_document(self, document: Cursor<'_>) -> Self {
        let Some(version) = document.string("apiVersion") else {
            return match self {
                Self::Yaml => of_shape(document),
                _ => self,
            };
        };
        let kind = document.string("kind").unwrap_or_default();
        let group = version.split_once('/').map_or("", |it| it.0);
        match (group, kind) {
            ("kustomize.config.k8s.io", _) => Self::Kustomize,
            ("argoproj.io", "Application" | "ApplicationSet") => Self::ArgoCd,
            ("helm.toolkit.fluxcd.io", "HelmRelease") => Self::Flux,
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => Self::Flux,
            _ if kind.is_empty() => self,
            _ => Self::Kubernetes,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a document is the schema of custom resources.
fn is_schema(document: &str) -> bool {
    document.contains("\nkind: CustomResourceDefinition\n")
}

/// Whether a file is where Helm keeps templates.
pub(super) fn is_template(path: &str) -> bool {
    let folders = path.rsplit_once(['/', '\\']).map_or("", |it| it.0);
    is_within(folders, "templates")
}

fn is_within(folders: &str, folder: &str) -> bool {
    folders.contains(folder) && folders.split(['/', '\\']).any(|it| it == folder)
}

fn is_dockerfile(name: &str, extension: &str) -> bool {
    const OTHERS: [&str; 10] = [
        "md", "yaml", "yml", "json", "txt", "go", "py", "rs", "js", "ts",
    ];
    let named = |it: &str| it.starts_with("dockerfile") || it.starts_with("containerfile");
    named(name) && !OTHERS.contains(&extension)
        || matches!(extension, "dockerfile" | "containerfile")
}

/// What a document is by its keys alone.
fn of_shape(document: Cursor<'_>) -> Format {
    let tasks = ["containerDefinitions", "Resources", "taskDefinition"];
    if tasks.iter().any(|it| document.get(it).is_some()) {
        return Format::EcsTask;
    }
    let definition = |it: Cursor<'_>| it.get("image").is_some() && it.get("essential").is_some();
    if document.items().next().is_some_and(definition) {
        return Format::EcsTask;
    }
    let service = |it: Cursor<'_>| it.get("image").is_some() || it.get("build").is_some();
    let services = document.get("services");
    if services.is_some_and(|it| it.is_mapping() && it.children().any(service)) {
        return Format::Compose;
    }
    Format::Yaml
}

#[cfg(test)]
mod tests;
