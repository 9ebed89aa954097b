//! The stage that the demo and the end-to-end tests play on: a cluster, an emulator of ECR, and the
//! operator as one process or two, each with its own ServiceAccount's rights and no others.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use clap::ValueEnum as _;

use crate::commands::plane::write_privately;
use crate::commands::run::ProcessRole;
use crate::commands::{crds, rights};
use crate::emulator::Emulator;
use crate::plane::Cluster;

/// The namespace that the operator lives in.
pub const NAMESPACE: &str = "ecr-system";
/// The account of the operator's own credentials, which only assume roles elsewhere.
const HUB_ACCOUNT: &str = "999999999999";
/// The access key of a process that only serves: a user that the emulator's seed declares.
pub const WEBHOOK_KEY: &str = "AKIAWEBHOOK";
/// The secret of these credentials, which must show nowhere.
pub const HUB_SECRET: &str = "emulated/secret+never=shown";

/// A cluster with our kinds and the operator's account in it, and an emulator beside it.
pub struct Stage {
    /// The cluster.
    pub cluster: Cluster,
    /// AWS, which other stages may share.
    pub emulator: Arc<Emulator>,
    folder: PathBuf,
    admin: PathBuf,
}

/// One operator process; killed when this is dropped.
pub struct Operator {
    process: Child,
    /// Where it answers `/readyz`.
    pub health: String,
    /// What it said.
    pub log: PathBuf,
}

/// An operator of two processes, as the chart installs it.
pub struct Pair {
    /// What serves admission.
    pub webhook: Operator,
    /// What leads.
    pub controller: Operator,
}

/// How one operator differs from another.
#[derive(Clone, Debug)]
pub struct Role {
    /// The program.
    pub program: PathBuf,
    /// Its `--cluster-id`.
    pub cluster_id: String,
    /// Its `--identity`.
    pub identity: String,
    /// Further flags.
    pub flags: Vec<String>,
    /// What it logs, as `RUST_LOG` has it; `None`: as here.
    pub log: Option<String>,
}

impl Stage {
    /// Prepares `cluster`: kinds, namespace, ServiceAccount and rights. Files go to `folder`.
    ///
    /// # Errors
    /// When the cluster refuses, or does not know our kinds in time.
    pub async fn set(
        cluster: Cluster,
        emulator: impl Into<Arc<Emulator>>,
        folder: PathBuf,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let admin = folder.join("kubeconfig");
        write_privately(&admin, &cluster.kubeconfig()?)?;
        let stage = Self {
            cluster,
            emulator: emulator.into(),
            folder,
            admin,
        };
        let mut definitions = Vec::new();
        crds::run(&mut definitions)?;
        stage.apply(&String::from_utf8(definitions)?).await?;
        stage.cluster.create_namespace(NAMESPACE, &[]).await?;
        let client = stage.cluster.client().await?;
        rights::grant(&client, NAMESPACE).await?;
        rights::install(&client, NAMESPACE).await?;
        rights::install_configuration(&client).await?;
        // Whatever port an operator listens on. The API server allows no user in the URL of a webhook.
        let url = stage
            .cluster
            .callback_host()
            .map(|it| format!("https://{it}:"));
        rights::restrict(&client, NAMESPACE, url.as_deref()).await?;
        stage
            .kubectl(
                &[
                    "wait",
                    "--for=condition=Established",
                    "--timeout=60s",
                    "crd",
                    "--all",
                ],
                None,
            )
            .await?;
        Ok(stage)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.admin
    }

    /// The folder that the demo's GitOps repository is written to.
    pub fn gitops(&self) -> PathBuf {
        self.folder.join("gitops")
    }

    /// `kubectl apply` of these manifests, as a GitOps tool applies them.
    ///
    /// # Errors
    /// What kubectl says.
    pub async fn apply(&self, manifests: &str) -> anyhow::Result<String> {
        self.kubectl(&["apply", "--server-side", "-f", "-"], Some(manifests))
            .await
    }

    /// Runs kubectl as the administrator; gives what it prints.
    ///
    /// # Errors
    /// When it exits with anything but 0: what it said.
    pub async fn kubectl(&self, args: &[&str], input: Option<&str>) -> anyhow::Result<String> {
        let program = match self.cluster.plane() {
            Some(plane) => plane.binaries.kubectl.as_os_str().to_owned(),
            None => "kubectl".into(),
        };
        let mut command = Command::new(program);
        command
            .arg("--kubeconfig")
            .arg(&self.admin)
            .args(args)
            .stdin(if input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().context("run kubectl")?;
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
            pipe.write_all(input.as_bytes())
                .await
                .context("write to kubectl")?;
        }
        let output = child.wait_with_output().await.context("wait for kubectl")?;
        ensure!(
            output.status.success(),
            "kubectl {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts an operator of one process. It runs with the rights of its ServiceAccount, and finds AWS
    /// in the emulator.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub async fn operator(&self, role: &Role) -> anyhow::Result<Operator> {
        self.process(role, ProcessRole::All).await
    }

    /// Starts one more process of an operator, whose admission has an address of its own.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub async fn process(&self, role: &Role, process: ProcessRole) -> anyhow::Result<Operator> {
        let webhook = free_port()?;
        self.start(role, Place { process, webhook }).await
    }

    /// Starts an operator of two processes, each with the rights of its own ServiceAccount.
    ///
    /// # Errors
    /// When a process cannot be started.
    pub async fn pair(&self, role: &Role) -> anyhow::Result<Pair> {
        let webhook = free_port()?;
        let start = async |process: ProcessRole| {
            let role = Role {
                identity: format!("{}-{}", role.identity, word(process)),
                ..role.clone()
            };
            self.start(&role, Place { process, webhook }).await
        };
        Ok(Pair {
            webhook: start(ProcessRole::Webhook).await?,
            controller: start(ProcessRole::Controller).await?,
        })
    }

    async fn start(&self, role: &Role, place: Place) -> anyhow::Result<Operator> {
        let Place { process, webhook } = place;
        let account = match process {
            ProcessRole::All | ProcessRole::Controller => rights::NAME,
            ProcessRole::Webhook => rights::WEBHOOK,
        };
        let kubeconfig = self.folder.join(format!("{}.kubeconfig", role.identity));
        write_privately(
            &kubeconfig,
            &self.cluster.kubeconfig_of(NAMESPACE, account).await?,
        )?;
        let callback = self.cluster.callback_host().context(
            "the cluster's API server cannot reach this machine: set ECR_OPERATOR_CALLBACK_HOST",
        )?;
        let listen = if callback == "127.0.0.1" {
            "127.0.0.1"
        } else {
            "0.0.0.0"
        };
        let health = free_port()?;
        let log = self.folder.join(format!("{}.log", role.identity));
        let file = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(&role.program)
            .arg("run")
            .arg(format!("--role={}", word(process)))
            .arg(format!("--cluster-id={}", role.cluster_id))
            .arg(format!("--identity={}", role.identity))
            .arg(format!("--namespace={NAMESPACE}"))
            .arg(format!("--endpoint-url={}", self.emulator.url()))
            .arg(format!("--webhook-listen={listen}:{webhook}"))
            .arg(format!("--webhook-url=https://{callback}:{webhook}"))
            .arg(format!("--health-listen=127.0.0.1:{health}"))
            .args(&role.flags)
            .envs(credentials(process))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(role.log.iter().map(|it| ("RUST_LOG", it)))
            .env("KUBECONFIG", &kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", role.program.display()))?;
        Ok(Operator {
            process: child,
            health: format!("127.0.0.1:{health}"),
            log,
        })
    }
}

/// What one process is, and the port that the operator's admission is at.
struct Place {
    process: ProcessRole,
    webhook: u16,
}

/// The role as the flag has it.
fn word(process: ProcessRole) -> String {
    let value = process.to_possible_value().expect("no role is hidden");
    value.get_name().to_owned()
}

/// Who the process is to AWS before it assumes a role.
fn credentials(process: ProcessRole) -> BTreeMap<&'static str, &'static str> {
    let access_key = match process {
        ProcessRole::All | ProcessRole::Controller => HUB_ACCOUNT,
        ProcessRole::Webhook => WEBHOOK_KEY,
    };
    BTreeMap::from([
        ("AWS_ACCESS_KEY_ID", access_key),
        ("AWS_SECRET_ACCESS_KEY", HUB_SECRET),
    ])
}

impl Pair {
    /// Whether one of the two ended by itself, and what its log says last.
    ///
    /// # Errors
    /// When one has ended.
    pub fn alive(&mut self) -> anyhow::Result<()> {
        self.webhook.alive()?;
        self.controller.alive()
    }
}

impl Operator {
    /// Its process id; `None` when it has ended.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("kill the operator")
    }

    /// Whether it ended by itself, and what its log says last.
    ///
    /// # Errors
    /// When it has ended.
    pub fn alive(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.process.try_wait()? {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(5).collect();
            let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
            bail!("the operator ended ({status}); its log ends with:\n{tail}");
        }
        Ok(())
    }
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Ok(listener
        .and_then(|it| it.local_addr())
        .context("find a free port")?
        .port())
}
