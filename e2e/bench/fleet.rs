//! What the benchmarks of the whole operator share: a stage with three accounts, repositories that
//! use every document, and figures as lines.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use ecr_operator::commands::demo::stage::{Operator, Role, Stage};
use ecr_operator::emulator::{Emulator, Options as EmulatorOptions};
use ecr_operator::plane::{Choice, Cluster, Options as PlaneOptions, Progress};

/// The environments and their accounts.
pub(crate) const ACCOUNTS: [(&str, &str); 3] = [
    ("dev", "111111111111"),
    ("stage", "222222222222"),
    ("prod", "333333333333"),
];

/// A control plane and an emulator in `folder`, with the operator's rights.
pub(crate) async fn stage(folder: &str) -> anyhow::Result<Stage> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("a provider is installed already"))?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let options = PlaneOptions {
        logs: Some(folder.join("plane")),
        ..PlaneOptions::default()
    };
    let cluster =
        Cluster::obtain(Choice::from_environment(), &options, &Progress::stderr()).await?;
    let emulator = Emulator::start(EmulatorOptions::default()).await?;
    Stage::set(cluster, emulator, folder).await
}

/// The operator as it is installed.
pub(crate) fn role() -> Role {
    Role {
        program: env!("CARGO_BIN_EXE_ecr-operator").into(),
        cluster_id: "bench".to_owned(),
        identity: "bench".to_owned(),
        flags: Vec::new(),
        log: None,
    }
}

/// Prints one figure.
pub(crate) fn report(what: &str, figure: &str) {
    println!("{what:<62} {figure}");
}

/// Resident memory, from the kernel.
pub(crate) fn memory(operator: &Operator) -> anyhow::Result<String> {
    let id = operator.id().context("the operator has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let resident = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    Ok(resident
        .context("the kernel says nothing of memory")?
        .trim()
        .to_owned())
}

/// Waits with kubectl until all objects of a kind are Ready.
pub(crate) async fn ready(stage: &Stage, kind: &str) -> anyhow::Result<()> {
    let wait = [
        "wait",
        "--for=condition=Ready",
        "--timeout=600s",
        "--all",
        "-A",
        kind,
    ];
    stage.kubectl(&wait, None).await.map(drop)
}

/// The environments, and a lifecycle policy.
pub(crate) fn accounts() -> String {
    let mut text = POLICIES.to_owned();
    for (name, account) in ACCOUNTS {
        write!(
            text,
            "---\napiVersion: ecr-operator.dev/v1alpha1\nkind: EnvironmentAccount\n\
             metadata: {{name: {name}}}\nspec:\n  accountId: \"{account}\"\n  region: eu-central-1\n  \
             assumeRole: {{roleArn: \"arn:aws:iam::{account}:role/ecr-operator\"}}\n  \
             allowedPrincipals: {{accounts: [\"444444444444\"]}}\n  grants:\n  - \
             namespaceSelector: {{}}\n    repositoryPrefixes: [\"{{namespace}}/\"]\n"
        )
        .expect("a String takes whatever is written to it");
    }
    text
}

/// An object that uses every document: mutability, access, lifecycle, tags.
pub(crate) fn repository(number: usize) -> String {
    format!(
        "---\napiVersion: ecr-operator.dev/v1alpha1\nkind: ImageRepository\n\
         metadata: {{name: service-{number:05}, namespace: default}}\nspec:\n  \
         environments: [dev, stage, prod]\n  imageTagMutability: {{mode: IMMUTABLE}}\n  \
         scanOnPush: true\n  lifecyclePolicyRef: {{name: keep-30}}\n  \
         access: {{pull: [\"444444444444\"]}}\n  tags: {{team: bench}}\n  \
         migratesFrom: [\"registry.old.example/default/service-{number:05}\"]\n"
    )
}

const POLICIES: &str = r"---
apiVersion: ecr-operator.dev/v1alpha1
kind: LifecyclePolicy
metadata: {name: keep-30}
spec:
  rules:
  - priority: 1
    selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 30}
    action: {type: expire}
---
apiVersion: ecr-operator.dev/v1alpha1
kind: ImageAdmissionPolicy
metadata: {name: prod}
spec: {environment: prod, mode: Rewrite, onUnknown: Rewrite}
";
