//! Builds the control plane's programs from the published Go modules, once for all checkouts of a
//! user. Interrupted at any moment it goes on where it was; two processes never build at once.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::binaries::{Program, version as version_in};
use super::error::{Doing, Error};
use super::process::tail;
use super::progress::{Progress, Step};

/// The modules, every version pinned.
const GO_MOD: &str = include_str!("control-plane/go.mod");
const GO_SUM: &str = include_str!("control-plane/go.sum");

/// The first Go that fetches the version a module asks for by itself.
const OLDEST_GO: (u32, u32) = (1, 21);

/// The version of Kubernetes that is built, as in `v1.36.3`.
pub(super) fn version() -> &'static str {
    let mut words = GO_MOD
        .split_whitespace()
        .skip_while(|it| *it != "k8s.io/kubernetes");
    words
        .nth(1)
        .expect("the embedded go.mod requires k8s.io/kubernetes")
}

/// Where the programs are kept: outside any checkout, by version.
pub(super) fn folder() -> Result<PathBuf, Error> {
    Ok(cache()?.join("control-plane").join(version()))
}

/// The folder of ours in the user's cache (`$XDG_CACHE_HOME`, or `~/.cache`), which outlives any
/// checkout; it need not exist yet.
pub fn cache() -> Result<PathBuf, Error> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.filter(|it| it.is_absolute());
    let cache = cache.or_else(|| Some(env::home_dir()?.join(".cache")));
    let cache = cache.ok_or_else(|| Error::Missing {
        what: "a cache folder is needed, and there is no home folder".to_owned(),
        remedy: "set one with: export XDG_CACHE_HOME=/a/folder/that/stays".to_owned(),
    })?;
    Ok(cache.join("ecr-operator"))
}

/// Builds `programs` into `folder`. Each appears there whole or not at all.
pub(super) fn build(programs: &[Program], folder: &Path, progress: &Progress) -> Result<(), Error> {
    fs::create_dir_all(folder).doing(|| format!("make the folder {}", folder.display()))?;
    // The kernel releases the lock when its holder dies.
    let _lock = lock(&folder.with_added_extension("lock"), progress)?;
    let there = |it: &Program| folder.join(it.name()).is_file();
    let programs: Vec<Program> = programs.iter().copied().filter(|it| !there(it)).collect();
    if programs.is_empty() {
        return Ok(());
    }
    let go = Go::find(folder.with_added_extension("build"))?;
    let began = Instant::now();
    go.build(&programs, progress)?;
    for program in programs {
        let (from, to) = (
            go.output().join(program.name()),
            folder.join(program.name()),
        );
        fs::rename(&from, &to).doing(|| format!("put {} in place", to.display()))?;
    }
    // Gibibytes of compiled packages that only an interrupted build needs again.
    let workshop = &go.workshop;
    fs::remove_dir_all(workshop).doing(|| format!("remove {}", workshop.display()))?;
    progress.tell(&Step::Built {
        folder: folder.to_owned(),
        elapsed: began.elapsed(),
    });
    Ok(())
}

fn lock(path: &Path, progress: &Progress) -> Result<File, Error> {
    let locking = || format!("lock {}", path.display());
    let file = File::create(path).doing(locking)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress.tell(&Step::WaitingForOtherBuild);
            file.lock().doing(locking)?;
        }
        Err(TryLockError::Error(error)) => return Err(error).doing(locking),
    }
    Ok(file)
}

/// The `go` on `PATH` and the folder it works in, which holds the module files, what is compiled,
/// and the result.
struct Go {
    workshop: PathBuf,
}

impl Go {
    fn find(workshop: PathBuf) -> Result<Self, Error> {
        let go = Self { workshop };
        let making = || format!("make the folder {}", go.workshop.display());
        fs::create_dir_all(go.output()).doing(making)?;
        let said = Command::new("go")
            .arg("version")
            .current_dir(env::temp_dir())
            .output()
            .ok();
        let said = said.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
        if said
            .as_deref()
            .and_then(version_in)
            .is_some_and(|it| it >= OLDEST_GO)
        {
            for (name, text) in [("go.mod", GO_MOD), ("go.sum", GO_SUM)] {
                fs::write(go.workshop.join(name), text).doing(making)?;
            }
            return Ok(go);
        }
        let (major, minor) = OLDEST_GO;
        Err(Error::Missing {
            what: format!(
                "Go {major}.{minor} or newer is needed to build the control plane ({}), and {}",
                version(),
                said.map_or("there is none on PATH".to_owned(), |it| format!(
                    "this is {it}"
                )),
            ),
            remedy: format!("install it with: {}", how_to_install()),
        })
    }

    /// Where the programs come out.
    fn output(&self) -> PathBuf {
        self.workshop.join("bin")
    }

    /// `go` with everything in the user's environment that could change the result put aside.
    fn command(&self, subcommand: &'static str) -> Command {
        let mut command = Command::new("go");
        command
            .arg(subcommand)
            .current_dir(&self.workshop)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "")
            .env("GOWORK", "off")
            .env("GOCACHE", self.workshop.join("compiled"));
        if env::var_os("GOTOOLCHAIN").is_none() {
            // An older Go fetches the one that go.mod names.
            command.env("GOTOOLCHAIN", "auto");
        }
        command.args(["-trimpath", "-ldflags", &linker_flags()]);
        command
    }

    fn build(&self, programs: &[Program], progress: &Progress) -> Result<(), Error> {
        progress.tell(&Step::FetchingModules);
        let total = self.packages_to_compile(programs)?;
        let mut count = Count {
            done: 0,
            total,
            told: None,
            began: Instant::now(),
        };
        count.tell(progress);
        let mut command = self.command("build");
        command.args(["-v", "-o"]).arg(self.output());
        command
            .args(programs.iter().map(|it| it.package()))
            .stdout(Stdio::null());
        run("build", &mut command, || {
            count.done += 1;
            count.tell(progress);
        })?;
        if programs.contains(&Program::Etcd) {
            // Go names a program by its folder, and etcd's is `server`.
            let (from, to) = (self.output().join("server"), self.output().join("etcd"));
            fs::rename(from, &to).doing(|| format!("put {} in place", to.display()))?;
        }
        Ok(())
    }

    /// How many packages are not compiled yet; fetches the modules on the way.
    fn packages_to_compile(&self, programs: &[Program]) -> Result<usize, Error> {
        let listing = self.workshop.join("packages");
        let reading = || format!("list packages in {}", listing.display());
        let mut command = self.command("list");
        command
            .args(["-deps", "-f", "{{if .Stale}}{{.StaleReason}}{{end}}"])
            .args(programs.iter().map(|it| it.package()))
            .stdout(File::create(&listing).doing(reading)?);
        run("list", &mut command, || {})?;
        let stale = fs::read_to_string(&listing).doing(reading)?;
        let compiled = |it: &&str| !it.is_empty() && !it.contains("available in build cache");
        Ok(stale.lines().filter(compiled).count())
    }
}

/// The server must say its version: without it, it calls itself v0.0.0-master, and charts with a
/// `kubeVersion` refuse it.
fn linker_flags() -> String {
    let version = version();
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    let package = "k8s.io/component-base/version";
    format!(
        "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} \
         -X {package}.gitMinor={minor}"
    )
}

/// Runs `go`, calling `compiled` for each package that `go build -v` names; what else it says is
/// the error if it fails.
fn run(
    subcommand: &'static str,
    command: &mut Command,
    mut compiled: impl FnMut(),
) -> Result<(), Error> {
    let running = || format!("run go {subcommand}");
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .doing(running)?;
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().expect("stderr is piped")).lines() {
        let line = line.doing(running)?;
        if !line.contains(char::is_whitespace) {
            compiled();
        } else if !line.starts_with("go: downloading ") {
            said.push_str(&line);
            said.push('\n');
        }
    }
    if child.wait().doing(running)?.success() {
        return Ok(());
    }
    Err(Error::Build {
        command: subcommand,
        output: tail(&said, 20),
    })
}

/// Progress is told each twentieth of the way, and at least every half minute something compiles.
struct Count {
    done: usize,
    total: usize,
    told: Option<(usize, Instant)>,
    began: Instant,
}

impl Count {
    fn tell(&mut self, progress: &Progress) {
        let twentieth = self.done * 20 / self.total.max(1);
        let quiet = self
            .told
            .is_some_and(|(last, at)| last == twentieth && at.elapsed() < Duration::from_secs(30));
        if quiet {
            return;
        }
        self.told = Some((twentieth, Instant::now()));
        progress.tell(&Step::Building {
            done: self.done.min(self.total),
            total: self.total,
            elapsed: self.began.elapsed(),
        });
    }
}

/// The line that installs Go here.
fn how_to_install() -> &'static str {
    match (env::consts::OS, env::consts::ARCH) {
        ("macos", _) => "brew install go",
        ("linux", "aarch64") => {
            "curl -fsSL https://go.dev/dl/go1.26.8.linux-arm64.tar.gz | sudo tar -C /usr/local -xz \
             && export PATH=$PATH:/usr/local/go/bin"
        }
        ("linux", "x86_64") => {
            "curl -fsSL https://go.dev/dl/go1.26.8.linux-amd64.tar.gz | sudo tar -C /usr/local -xz \
             && export PATH=$PATH:/usr/local/go/bin"
        }
        _ => "the package for this machine at https://go.dev/dl/",
    }
}
