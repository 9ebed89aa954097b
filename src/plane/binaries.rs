//! Where the control plane's programs come from: what the machine has, if it is new enough, then our
//! own cache, then `setup-envtest`, and at last a build from the published Go modules.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build;
use super::error::Error;
use super::progress::{Progress, Step};

/// The programs of a control plane, and the one that people use it with.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The store.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// The controllers: Deployments make Pods, namespaces get service accounts.
    pub kube_controller_manager: PathBuf,
    /// The command line of Kubernetes.
    pub kubectl: PathBuf,
}

/// One program that is needed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Program {
    Etcd,
    KubeApiserver,
    KubeControllerManager,
    Kubectl,
}

impl Program {
    pub(super) const ALL: [Self; 4] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::Kubectl,
    ];

    /// The name of its file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
        }
    }

    /// The Go package it is built from.
    pub(super) fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
        }
    }

    /// The oldest version that serves: `MutatingAdmissionPolicy` is stable in Kubernetes 1.36, which
    /// wants etcd 3.6 and a kubectl at most one minor version away.
    fn oldest(self) -> (u32, u32) {
        match self {
            Self::Etcd => (3, 6),
            Self::KubeApiserver | Self::KubeControllerManager => (1, 36),
            Self::Kubectl => (1, 35),
        }
    }

    /// This program in `folder`, if it is there and new enough.
    fn in_folder(self, folder: &Path) -> Option<PathBuf> {
        let path = folder.join(self.name());
        if !path.is_file() {
            return None;
        }
        let mut command = Command::new(&path);
        match self {
            Self::Kubectl => command.args(["version", "--client"]),
            Self::Etcd | Self::KubeApiserver | Self::KubeControllerManager => {
                command.arg("--version")
            }
        };
        let said = command.output().ok()?;
        self.serves(&String::from_utf8_lossy(&said.stdout))
            .then_some(path)
    }

    /// Whether a program that says this of itself is new enough.
    pub(super) fn serves(self, said: &str) -> bool {
        version(said).is_some_and(|it| it >= self.oldest())
    }
}

/// The programs of a control plane, got in this order, each from the first place that has it new
/// enough: the folder `KUBEBUILDER_ASSETS` (the convention of envtest), `PATH`, our cache,
/// `setup-envtest` where that is installed, and a build with `go` into the cache
/// (`$XDG_CACHE_HOME/ecr-operator/control-plane/VERSION`), which takes minutes and is done once.
///
/// Blocks until they are there.
pub fn acquire(progress: &Progress) -> Result<Binaries, Error> {
    let mut found = BTreeMap::new();
    let path = env::var_os("PATH").unwrap_or_default();
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    for folder in assets.into_iter().chain(env::split_paths(&path)) {
        look(&folder, &mut found);
    }
    let cache = build::folder()?;
    take(&cache, &mut found);
    if !missing(&found).is_empty()
        && let Some(folder) = setup_envtest(progress)
    {
        look(&folder, &mut found);
    }
    let missing = missing(&found);
    if !missing.is_empty() {
        build::build(&missing, &cache, progress)?;
        take(&cache, &mut found);
    }
    let mut path = |program: Program| {
        found
            .remove(&program)
            .expect("a build that succeeds puts every missing program in the cache")
    };
    Ok(Binaries {
        etcd: path(Program::Etcd),
        kube_apiserver: path(Program::KubeApiserver),
        kube_controller_manager: path(Program::KubeControllerManager),
        kubectl: path(Program::Kubectl),
    })
}

fn missing(found: &BTreeMap<Program, PathBuf>) -> Vec<Program> {
    Program::ALL
        .into_iter()
        .filter(|it| !found.contains_key(it))
        .collect()
}

/// Adds what a folder of somebody else's has, version by version.
fn look(folder: &Path, found: &mut BTreeMap<Program, PathBuf>) {
    for program in missing(found) {
        if let Some(path) = program.in_folder(folder) {
            found.insert(program, path);
        }
    }
}

/// Adds what our cache has; its name is the version.
fn take(cache: &Path, found: &mut BTreeMap<Program, PathBuf>) {
    for program in missing(found) {
        let path = cache.join(program.name());
        if path.is_file() {
            found.insert(program, path);
        }
    }
}

/// The folder that `setup-envtest` has or fetches our minor version to; `None` without it, or
/// without the network. It has no controller manager: that one is built.
fn setup_envtest(progress: &Progress) -> Option<PathBuf> {
    let minor = build::version().trim_start_matches('v').rsplit_once('.')?.0;
    let mut command = Command::new("setup-envtest");
    command.args(["use", &format!("{minor}.x"), "--print=path"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().ok()?;
    progress.tell(&Step::AskingSetupEnvtest);
    let mut said = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut()?, &mut said).ok()?;
    child
        .wait()
        .ok()?
        .success()
        .then(|| PathBuf::from(said.trim()))
}

/// The first `MAJOR.MINOR` in what a program says of itself.
pub(super) fn version(said: &str) -> Option<(u32, u32)> {
    let numbers = said.split(|c: char| !c.is_ascii_digit() && c != '.');
    numbers.filter(|it| it.contains('.')).find_map(|it| {
        let mut parts = it.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}
