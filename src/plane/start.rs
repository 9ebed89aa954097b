//! Starting and stopping one control plane. Everything it writes is in one private folder, in memory
//! where the machine has room, and goes with it; its logs stay when something went wrong.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hyper::Request;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::config::Kubeconfig;
use kube::{Client, api::Api};
use tokio::time::{sleep, timeout};

use super::authority::{Authority, token_keys};
use super::binaries::{Binaries, acquire};
use super::error::{Doing, Error};
use super::guard::Guard;
use super::kubeconfig;
use super::process::Process;
use super::progress::{Progress, Step};

/// Two planes, a build and a test run on two cores are slow; a hang is a hang after this.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// How often a port that was free may be taken before the API server binds it.
const ATTEMPTS: usize = 5;

/// How a control plane is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where each process writes its log. `None`: a temporary folder that is removed when the plane
    /// stops in good order, and kept when it does not start or a test panics.
    pub logs: Option<PathBuf>,
    /// Users whose requests the API server writes to `audit.log` beside the logs, one event a line;
    /// empty: there is no such log.
    pub audited: Vec<String>,
}

/// A running control plane; dropping it stops its processes and removes its data. When this process
/// dies without dropping it, a guard process does the same.
pub struct Plane {
    /// Where the API server listens, on loopback.
    pub url: String,
    /// The certificate authority of the API server, PEM.
    pub authority: String,
    /// The programs it runs, `kubectl` among them.
    pub binaries: Binaries,
    /// The folder with one log file a process.
    pub logs: PathBuf,
    pub(super) kubeconfig: Kubeconfig,
    logs_are_ours: bool,
    // Dropped in this order: the processes, their guard, their data.
    _processes: Vec<Process>,
    _guard: Guard,
    _folder: Folder,
}

impl Plane {
    /// The administrator's kubeconfig, YAML.
    pub fn kubeconfig(&self) -> Result<String, Error> {
        kubeconfig::text(&self.kubeconfig)
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        if self.logs_are_ours && !std::thread::panicking() {
            remove(&self.logs);
        }
    }
}

/// Gets the binaries (see [`acquire`]), starts the processes and waits until Pods can be created.
pub async fn start(options: &Options, progress: &Progress) -> Result<Plane, Error> {
    let teller = progress.clone();
    let binaries = tokio::task::spawn_blocking(move || acquire(&teller))
        .await
        .expect("acquiring neither panics nor is cancelled")?;
    progress.tell(&Step::Starting);
    let began = Instant::now();
    let logs = match &options.logs {
        Some(logs) => logs.clone(),
        None => private_folder(&std::env::temp_dir(), "logs")?,
    };
    fs::create_dir_all(&logs).doing(|| format!("make the folder {}", logs.display()))?;
    let mut attempt = 1;
    let plane = loop {
        match launch(&binaries, &logs, options).await {
            Err(Error::Ended { tail, .. })
                if tail.contains("address already in use") && attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            other => break other?,
        }
    };
    progress.tell(&Step::Ready {
        url: plane.url.clone(),
        elapsed: began.elapsed(),
    });
    Ok(plane)
}

async fn launch(binaries: &Binaries, logs: &Path, options: &Options) -> Result<Plane, Error> {
    let folder = Folder(private_folder(&roomy_folder(), "data")?);
    let authority = Authority::new()?;
    let port = free_port()?;
    let url = format!("https://127.0.0.1:{port}");
    let admin = authority.client("ecr-operator:admin", Some("system:masters"))?;
    let admin = kubeconfig::with_certificate(&url, &authority.certificate, &admin);
    write_credentials(&folder, &authority, &url)?;

    let mut guard = Guard::of(&folder.0)?;
    let mut processes = Vec::new();
    let mut run = |program: &'static str, command: Command, processes: &mut Vec<Process>| {
        let process = Process::spawn(program, command, logs)?;
        guard.watch(process.id())?;
        processes.push(process);
        Ok::<(), Error>(())
    };
    run("etcd", etcd(binaries, &folder), &mut processes)?;
    let mut server = api_server(binaries, &folder, port);
    if !options.audited.is_empty() {
        audit(&mut server, (&folder, logs), &options.audited)?;
    }
    run("kube-apiserver", server, &mut processes)?;
    let client = kubeconfig::client(&admin).await?;
    until(
        logs,
        &mut processes,
        "API server that is ready",
        async || is_ready(&client).await,
    )
    .await?;
    // It gives up on an API server that does not answer within ten seconds, so it comes second.
    run(
        "kube-controller-manager",
        controller_manager(binaries, &folder),
        &mut processes,
    )?;
    until(
        logs,
        &mut processes,
        "default service account",
        async || has_service_account(&client).await,
    )
    .await?;
    Ok(Plane {
        url,
        authority: authority.certificate,
        binaries: binaries.clone(),
        logs: logs.to_owned(),
        kubeconfig: admin,
        logs_are_ours: options.logs.is_none(),
        _processes: processes,
        _guard: guard,
        _folder: folder,
    })
}

/// Every file that the processes read. The folder is ours alone (mode 0700).
fn write_credentials(folder: &Folder, authority: &Authority, url: &str) -> Result<(), Error> {
    let server = authority.server()?;
    let tokens = token_keys()?;
    let manager = authority.client("system:kube-controller-manager", None)?;
    let manager = kubeconfig::with_certificate(url, &authority.certificate, &manager);
    let files = [
        ("ca.crt", authority.certificate.clone()),
        ("server.crt", server.public),
        ("server.key", server.private),
        ("tokens.pub", tokens.public),
        ("tokens.key", tokens.private),
        ("controller-manager.kubeconfig", kubeconfig::text(&manager)?),
    ];
    for (name, content) in files {
        let path = folder.0.join(name);
        fs::write(&path, content).doing(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// etcd on Unix sockets: no port to race for, and no other user of the machine can read it. The
/// advertised URLs are required and never used by a member that is alone.
fn etcd(binaries: &Binaries, folder: &Folder) -> Command {
    let mut command = Command::new(&binaries.etcd);
    command
        .args(["--name=plane", "--unsafe-no-fsync", "--log-level=warn"])
        .arg(folder.flag("--data-dir=", "etcd"))
        .arg(folder.flag("--listen-client-urls=unix://", "etcd.sock"))
        .arg(folder.flag("--listen-peer-urls=unix://", "peer.sock"))
        .arg("--advertise-client-urls=http://127.0.0.1:1")
        .arg("--initial-advertise-peer-urls=http://127.0.0.1:1")
        .arg("--initial-cluster=plane=http://127.0.0.1:1");
    command
}

/// The API server with the admission plugins that are on by default, and the one that every
/// distribution adds.
fn api_server(binaries: &Binaries, folder: &Folder, port: u16) -> Command {
    let mut command = Command::new(&binaries.kube_apiserver);
    command
        .arg(folder.flag("--etcd-servers=unix://", "etcd.sock"))
        .arg(format!("--secure-port={port}"))
        .arg("--bind-address=127.0.0.1")
        // The `kubernetes` Service would need an address that is not loopback.
        .args([
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/24",
        ])
        .arg(folder.flag("--tls-cert-file=", "server.crt"))
        .arg(folder.flag("--tls-private-key-file=", "server.key"))
        .arg(folder.flag("--client-ca-file=", "ca.crt"))
        .arg(folder.flag("--service-account-key-file=", "tokens.pub"))
        .arg(folder.flag("--service-account-signing-key-file=", "tokens.key"))
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .args([
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
        ])
        .args(["--allow-privileged=true", "--profiling=false"]);
    command
}

/// Has the requests of `users` written down, without their bodies.
/// <https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/>
fn audit(
    server: &mut Command,
    (folder, logs): (&Folder, &Path),
    users: &[String],
) -> Result<(), Error> {
    let policy = serde_json::json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": users}, {"level": "None"}],
    });
    let path = folder.0.join("audit.json");
    fs::write(&path, policy.to_string()).doing(|| format!("write {}", path.display()))?;
    let log = logs.join("audit.log");
    if log.exists() {
        fs::remove_file(&log).doing(|| format!("remove {}", log.display()))?;
    }
    server
        .arg(folder.flag("--audit-policy-file=", "audit.json"))
        .arg(format!("--audit-log-path={}", log.display()));
    Ok(())
}

/// The controller manager, each controller with its own service account's rights.
fn controller_manager(binaries: &Binaries, folder: &Folder) -> Command {
    let mut command = Command::new(&binaries.kube_controller_manager);
    command
        .arg(folder.flag("--kubeconfig=", "controller-manager.kubeconfig"))
        .arg(folder.flag("--service-account-private-key-file=", "tokens.key"))
        .arg(folder.flag("--root-ca-file=", "ca.crt"))
        .args([
            "--use-service-account-credentials=true",
            "--leader-elect=false",
        ])
        // Nobody asks it anything, so it listens nowhere.
        .arg("--secure-port=0");
    command
}

async fn is_ready(client: &Client) -> bool {
    let request = Request::get("/readyz")
        .body(Vec::new())
        .expect("a constant path is a URL");
    client.request_text(request).await.is_ok()
}

/// A Pod needs its namespace's default service account, which the controller manager makes.
async fn has_service_account(client: &Client) -> bool {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    matches!(accounts.get_opt("default").await, Ok(Some(_)))
}

/// Asks until the answer is yes, a process ends, or patience does.
async fn until(
    logs: &Path,
    processes: &mut [Process],
    what: &'static str,
    ask: impl AsyncFn() -> bool,
) -> Result<(), Error> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        for process in &mut *processes {
            process.alive()?;
        }
        // An answer that hangs must not hide a process that ended.
        if let Ok(true) = timeout(Duration::from_secs(5), ask()).await {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err(Error::NotReady {
        what,
        seconds: PATIENCE.as_secs(),
        logs: logs.to_owned(),
    })
}

/// A port that was free a moment ago; whoever loses the race for it tries another.
fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let address = listener.and_then(|it| it.local_addr());
    Ok(address.doing(|| "find a free port".to_owned())?.port())
}

/// A folder that is removed when the value is dropped.
struct Folder(PathBuf);

impl Folder {
    fn flag(&self, flag: &str, file: &str) -> String {
        format!("{flag}{}", self.0.join(file).display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!(folder = %folder.display(), %error, "could not be removed");
    }
}

/// A new folder that only we may look into: it holds the keys of the cluster.
fn private_folder(parent: &Path, purpose: &str) -> Result<PathBuf, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ecr-operator-{}-{number}-{purpose}", std::process::id());
        let path = parent.join(name);
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            // Left by a process that had our id and no time to clean up.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => {
                return Err(Error::Io {
                    act: format!("make the folder {}", path.display()),
                    source,
                });
            }
        }
    }
}

/// Memory where it has a gibibyte to spare (containers often give /dev/shm 64 MiB, less than etcd's
/// first log segment), else the usual folder of temporary files.
fn roomy_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = Command::new("df").arg("-Pk").arg(memory).output().ok();
    let free = free.and_then(|it| kibibytes_free(&String::from_utf8_lossy(&it.stdout)));
    if free.is_some_and(|it| it >= 1024 * 1024) && memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// The fourth column of the second line, as POSIX has it.
pub(super) fn kibibytes_free(df: &str) -> Option<u64> {
    df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}
