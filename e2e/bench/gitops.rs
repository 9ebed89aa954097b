//! What `ecr-operator rewrite --check` costs on a large GitOps repository, beside what people search
//! with: `grep -rE 'image:'`, and `yq` where it is installed. `cargo bench --bench gitops`; COUNT is
//! the number of files (50,000), RUNS how often each is run in turn (5, of which the median counts).
//!
//! grep finds lines and decides nothing; yq reads the YAML alone, without the templates that would
//! stop it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// How often the kernel is asked for the most memory that a process has had so far.
const LOOK: Duration = Duration::from_millis(2);
/// One environment, and caches of two registries.
const RULES: &str = include_str!("gitops/rules.yaml");
/// The files of one service: where they are, and what they say, `SERVICE` standing for its name.
const SERVICE: [(&str, &str); 20] = [
    (
        "base/deployment.yaml",
        include_str!("gitops/deployment.yaml"),
    ),
    ("base/migrate.yaml", include_str!("gitops/cronjob.yaml")),
    ("base/report.yaml", include_str!("gitops/cronjob.yaml")),
    ("base/cache.yaml", include_str!("gitops/statefulset.yaml")),
    ("base/service.yaml", include_str!("gitops/service.yaml")),
    ("base/settings.yaml", include_str!("gitops/configmap.yaml")),
    (
        "base/network.yaml",
        include_str!("gitops/networkpolicy.yaml"),
    ),
    ("base/kustomization.yaml", include_str!("gitops/base.yaml")),
    (
        "dev/kustomization.yaml",
        include_str!("gitops/overlay.yaml"),
    ),
    (
        "prod/kustomization.yaml",
        include_str!("gitops/overlay.yaml"),
    ),
    ("prod/settings.yaml", include_str!("gitops/configmap.yaml")),
    (
        "chart/Chart.yaml",
        "apiVersion: v2\nname: SERVICE\nversion: 1.4.2\n",
    ),
    ("chart/values.yaml", include_str!("gitops/values.yaml")),
    ("chart/values-prod.yaml", include_str!("gitops/values.yaml")),
    (
        "chart/templates/web.yaml",
        include_str!("gitops/template.yaml"),
    ),
    (
        "chart/templates/_names.tpl",
        "{{- define \"SERVICE.name\" -}}SERVICE{{- end }}\n",
    ),
    ("Dockerfile", include_str!("gitops/web.dockerfile")),
    (
        "README.md",
        "# SERVICE\n\nRun it with `docker run registry.corp.example/SERVICE:1`.\n",
    ),
    (
        "main.go",
        "package main\n\nfunc main() {\n\tprintln(\"SERVICE\")\n}\n",
    ),
    ("logo.png", "\u{0}PNG SERVICE\u{0}"),
];

fn main() -> anyhow::Result<()> {
    let count = setting("COUNT", 50_000)?;
    let runs = setting("RUNS", 5)?.max(1);
    let folder = tempfile::tempdir()?;
    let (tree, rules) = (folder.path().join("tree"), folder.path().join("rules.yaml"));
    fs::write(&rules, RULES)?;
    let size = plant(&tree, count)?;
    println!("{count} files, {:.1} MB", megabytes(size));
    let mut peers = peers(&tree, &rules);
    // Once before it counts, so that each finds the files in memory. Not every yq is the same program.
    measure(&peers[0])?;
    peers.retain(|peer| match measure(peer) {
        Ok(_) => true,
        Err(error) => {
            println!("{error:#}, and is not measured");
            false
        }
    });
    let mut taken: Vec<Vec<Taken>> = peers.iter().map(|_| Vec::new()).collect();
    for _ in 0..runs {
        for (peer, taken) in peers.iter().zip(&mut taken) {
            // Files that rested while a slower one ran take longer to read, so each reads them before.
            measure(peer)?;
            taken.push(measure(peer)?);
        }
    }
    println!(
        "{:<34}{:>9}{:>11}{:>9}{:>12}{:>12}",
        "", "seconds", "files/s", "MB/s", "first line", "most memory"
    );
    for (peer, mut taken) in peers.iter().zip(taken) {
        taken.sort_by_key(|it| it.all);
        print(peer, &taken[taken.len() / 2], count, size);
    }
    Ok(())
}

fn setting<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    name: &str,
    default: T,
) -> anyhow::Result<T> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("read {name}")),
        Err(_) => Ok(default),
    }
}

/// Writes so many files, the same in each run, and says how large they are together.
fn plant(tree: &Path, count: usize) -> anyhow::Result<usize> {
    let mut size = 0;
    for i in 0..count {
        let service = i / SERVICE.len();
        let (path, text) = SERVICE[i % SERVICE.len()];
        let name = format!("service-{service}");
        let path = tree
            .join(format!("team-{}", service % 50))
            .join(&name)
            .join(path);
        let text = text.replace("SERVICE", &name);
        fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        fs::write(&path, &text)?;
        size += text.len();
    }
    Ok(size)
}

/// A program that looks at the tree.
struct Peer {
    name: &'static str,
    command: Vec<String>,
    /// What the first line that counts begins with.
    first: &'static str,
}

fn peers(tree: &Path, rules: &Path) -> Vec<Peer> {
    let (tree, rules) = (tree.to_string_lossy(), rules.to_string_lossy());
    let words = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect();
    let operator = env!("CARGO_BIN_EXE_ecr-operator");
    let mut peers = vec![
        Peer {
            name: "ecr-operator rewrite --check",
            command: words(&[operator, "rewrite", "--check", "--rules", &rules, &tree]),
            first: "--- a/",
        },
        Peer {
            name: "grep -rE 'image:'",
            command: words(&["grep", "-rE", "image:", &tree]),
            first: "",
        },
    ];
    match program("yq") {
        Some(yq) => peers.push(Peer {
            name: "yq '.. | select(has(\"image\"))'",
            command: words(&[
                "sh",
                "-c",
                "find \"$1\" -name templates -prune -o -name '*.yaml' -print0 \
                 | xargs -0 \"$2\" '.. | select(has(\"image\")) | .image'",
                "sh",
                &tree,
                &yq.to_string_lossy(),
            ]),
            first: "",
        }),
        None => println!("yq is not installed, and not measured"),
    }
    peers
}

fn program(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&paths).map(|it| it.join(name));
    found.find(|it| it.is_file())
}

/// What one run took.
struct Taken {
    all: Duration,
    first: Option<Duration>,
    /// In kB; of a pipeline, its shell's, which says nothing.
    memory: Option<u64>,
}

fn measure(peer: &Peer) -> anyhow::Result<Taken> {
    let began = Instant::now();
    let mut child = Command::new(&peer.command[0])
        .args(&peer.command[1..])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("start {}", peer.name))?;
    let id = child.id();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let memory = scope.spawn(|| most_memory(id, &ended));
        let told = first_line(&mut child, peer.first, began);
        let status = child.wait();
        let all = began.elapsed();
        ended.store(true, Ordering::Relaxed);
        let code = status?.code().context("it was stopped")?;
        // 2 is the word of --check for "something to do", and of grep for a mistake.
        anyhow::ensure!(
            code == 0 || peer.first == "--- a/" && code == 2,
            "{} ended with {code}",
            peer.name
        );
        let memory = memory.join().ok().flatten();
        let first = told?;
        Ok(Taken { all, first, memory })
    })
}

/// Reads all that a program says; when the first line came that begins so.
fn first_line(child: &mut Child, prefix: &str, began: Instant) -> anyhow::Result<Option<Duration>> {
    let mut out = BufReader::new(child.stdout.take().context("it has an output")?);
    let (mut line, mut first) = (Vec::new(), None);
    while first.is_none() && out.read_until(b'\n', &mut line)? > 0 {
        first = line.starts_with(prefix.as_bytes()).then(|| began.elapsed());
        line.clear();
    }
    let mut block = vec![0; 1 << 16];
    while out.read(&mut block)? > 0 {}
    Ok(first)
}

/// The most memory that a process has had when it was last seen; the kernel forgets it at the end.
fn most_memory(id: u32, ended: &AtomicBool) -> Option<u64> {
    let mut most = None;
    while !ended.load(Ordering::Relaxed) {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let peak = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|it| it.trim().trim_end_matches(" kB").parse().ok());
        most = peak.or(most);
        thread::sleep(LOOK);
    }
    most
}

fn print(peer: &Peer, taken: &Taken, count: usize, size: usize) {
    let seconds = taken.all.as_secs_f64();
    let first = taken
        .first
        .map(|it| format!("{:.0} ms", it.as_secs_f64() * 1e3));
    let memory = taken.memory.filter(|_| peer.command[0] != "sh");
    let memory = memory.map(|it| format!("{} MB", it / 1024));
    println!(
        "{:<34}{seconds:>9.2}{:>11.0}{:>9.1}{:>12}{:>12}",
        peer.name,
        f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds,
        megabytes(size) / seconds,
        first.as_deref().unwrap_or("-"),
        memory.as_deref().unwrap_or("-"),
    );
}

fn megabytes(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX)) / 1000.0
}
