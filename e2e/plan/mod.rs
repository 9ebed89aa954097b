//! `ecr-operator plan` as people and pipelines run it, against an emulated AWS. Nothing is written,
//! whatever it finds.

use std::process::{Output, Stdio};

use ecr_operator::emulator::{Effect, Emulator, Entry, Rule};
use expect_test::{Expect, expect};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::emulator::seeded;

mod deletion;
mod settings;

const AWS: &str = include_str!("aws.yaml");
const OBJECTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/plan/objects.yaml");

fn plan(aws: &Emulator) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-operator"));
    command
        .args(["plan", "--cluster-id=east"])
        .arg(format!("--endpoint-url={}", aws.url()))
        .env("AWS_ACCESS_KEY_ID", "999999999999")
        .env("AWS_SECRET_ACCESS_KEY", "emulated")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("KUBECONFIG", "/nowhere")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env_remove("AWS_SESSION_TOKEN")
        .kill_on_drop(true);
    command
}

/// Checks exit code and standard output, in which the time is `TIME`.
fn check(output: &Output, code: i32, expected: &Expect) {
    let (told, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{told}\n{errors}");
    expected.assert_eq(&without_time(&told));
}

fn without_time(told: &str) -> String {
    let line = |it: &str| match it.split_once(" calls in ") {
        Some((before, after)) => {
            let (_, after) = after.split_once(" s.").unwrap();
            format!("{before} calls in TIME s.{after}\n")
        }
        None => format!("{it}\n"),
    };
    told.lines().map(line).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn writes(aws: &Emulator) -> Vec<Entry> {
    let mut entries = aws.journal().entries();
    entries.retain(Entry::is_write);
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_change_is_said_by_object_and_account_and_nothing_is_written() {
    let aws = seeded(AWS).await;
    let output = plan(&aws).args(["-f", OBJECTS]).output().await.unwrap();
    check(
        &output,
        2,
        &expect![[r#"
            shop/cart
              dev      111111111111/eu-central-1  ~  imageTagMutability   MUTABLE -> IMMUTABLE
                                                  ~  access               ByHand sha256:bcbd8df2 -> EcrOperatorPull sha256:34b8ce9f
              mirror   444444444444/eu-central-1  ~  imageTagMutability   MUTABLE -> IMMUTABLE  [Drifted]
                                                  ~  access               absent -> EcrOperatorPull sha256:34b8ce9f  [Drifted]
              prod     333333333333/eu-central-1  +  repository shop/cart, access policy, lifecycle policy
            shop/full
              dev      111111111111/eu-central-1  !  lifecyclePolicyRef   absent -> rules 1 sha256:5485bc83  [LifecycleOverBudget]
                                                     LifecyclePolicy keep-30 is not put: it would expire 282 of 312 images (90.3 %), and may expire 20 % and 500 images at most; to approve up to 310 here, copy its status.hash into its spec.safety.approvedHash
            shop/keys
              dev      111111111111/eu-central-1  !  encryption           AES256 -> KMS  [Immutable]
                                                     ECR keeps a repository's encryption for life: push to a new repository, or take encryption out of the spec
                                                  ~  scanOnPush           false -> true
            shop/paused
              dev                                 =  spec.suspend: nothing is read or written until spec.suspend is false  [Suspended]
            shop/tame
              dev      111111111111/eu-central-1  ~  owner                nobody -> cluster east, object shop/tame, uid of the object
            shop/theirs
              dev      111111111111/eu-central-1  !  the repository belongs to cluster west, object shop/theirs: remove one of the two objects, or choose another repositoryName  [Conflict]
                                                     scanOnPush           false -> true
              nowhere                             !  spec.environments: there is no EnvironmentAccount "nowhere": make one, or take it out  [EnvironmentNotFound]
            shop/unseen
              dev      111111111111/eu-central-1  ~  lifecyclePolicyRef   absent -> rules 1 sha256:5485bc83
                                                     ECR previews it first: it is held where more than 20 % or 500 images would expire, or an image that pods use would go
            shop/wild
              dev      111111111111/eu-central-1  !  a repository of this name exists and bears no owner tag: set adoptionPolicy to IfUnowned to manage it, or choose another repositoryName  [NotAdopted]
                                                     scanOnPush           false -> true
            PullThroughRule k8s
              dev      111111111111/eu-central-1  +  creation template k8s, cache rule k8s
              dev      111111111111/eu-west-1     +  creation template k8s, retrofit of 1 below k8s
            PullThroughRule quay
              dev      111111111111/eu-central-1  =
              dev      111111111111/eu-west-1     !  prefix quay overlaps the rule for quay/old that the registry has: choose another, or delete that rule  [Conflict]
                                                     ecrRepositoryPrefix  absent -> quay
            LifecyclePolicy broken
                                                  !  spec.rules[0].selection.countNumber: archived images stay for at least 90 days; spec.rules[0].selection.storageClass: sinceImageTransitioned selects archive  [InvalidSpec]

            Calls   CreatePullThroughCacheRule 1, CreateRepository 1, CreateRepositoryCreationTemplate 2, PutImageScanningConfiguration 1, PutImageTagMutability 1, PutLifecyclePolicy 2, SetRepositoryPolicy 2, TagResource 2
            Plan    3 to create, 3 to change, 1 left to another cluster, 7 refused, 1 suspended, 2 in step
                    12 objects in 4 registries, read with 40 calls in TIME s. Nothing was written.
        "#]],
    );
    assert_eq!(writes(&aws), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_as_json_has_a_line_for_each_target_and_a_summary() {
    let aws = seeded(AWS).await;
    let json = ["-f", OBJECTS, "-o", "json", "--environment=dev"];
    let output = plan(&aws).args(json).output().await.unwrap();
    let told = text(&output.stdout);
    let lines = told.lines().map(|it| {
        let mut line: Value = serde_json::from_str(it).unwrap();
        assert_eq!(line["schemaVersion"], 1);
        if let Some(seconds) = line.get_mut("seconds") {
            *seconds = "TIME".into();
        }
        format!("{line}\n")
    });
    let lines: String = lines.collect();
    expect![[r#"
        {"account":"111111111111","calls":["PutImageTagMutability","SetRepositoryPolicy"],"differences":[{"desired":"IMMUTABLE","field":"imageTagMutability","observed":"MUTABLE"},{"desired":"EcrOperatorPull sha256:34b8ce9f","field":"access","observed":"ByHand sha256:bcbd8df2"}],"environment":"dev","kind":"ImageRepository","object":"shop/cart","outcome":"Change","refused":[],"region":"eu-central-1","schemaVersion":1,"type":"target"}
        {"account":"111111111111","calls":[],"differences":[{"desired":"rules 1 sha256:5485bc83","field":"lifecyclePolicyRef","observed":"absent"}],"environment":"dev","kind":"ImageRepository","object":"shop/full","outcome":"Refused","refused":[{"expiring":282,"field":"lifecyclePolicyRef","images":312,"message":"LifecyclePolicy keep-30 is not put: it would expire 282 of 312 images (90.3 %), and may expire 20 % and 500 images at most; to approve up to 310 here, copy its status.hash into its spec.safety.approvedHash","reason":"LifecycleOverBudget","transitioning":0}],"region":"eu-central-1","schemaVersion":1,"type":"target"}
        {"account":"111111111111","calls":["PutImageScanningConfiguration"],"differences":[{"desired":"KMS","field":"encryption","observed":"AES256"},{"desired":"true","field":"scanOnPush","observed":"false"}],"environment":"dev","kind":"ImageRepository","object":"shop/keys","outcome":"Refused","refused":[{"field":"encryption","message":"ECR keeps a repository's encryption for life: push to a new repository, or take encryption out of the spec","reason":"Immutable"}],"region":"eu-central-1","schemaVersion":1,"type":"target"}
        {"account":"","calls":[],"differences":[],"environment":"dev","kind":"ImageRepository","object":"shop/paused","outcome":"Suspended","refused":[{"message":"spec.suspend: nothing is read or written until spec.suspend is false","reason":"Suspended"}],"region":"","schemaVersion":1,"type":"target"}
        {"account":"111111111111","calls":[],"differences":[],"environment":"dev","kind":"ImageRepository","object":"shop/settled","outcome":"InStep","refused":[],"region":"eu-central-1","schemaVersion":1,"type":"target"}
        {"account":"111111111111","calls":["TagResource"],"differences":[{"desired":"cluster east, object shop/tame, uid of the object","field":"owner","observed":"nobody"}],"environment":"dev","kind":"ImageRepository","object":"shop/tame","outcome":"Change","refused":[],"region":"eu-central-1","schemaVersion":1,"type":"target"}
        {"account":"111111111111","calls":[],"differences":[{"desired":"true","field":"scanOnPush","observed":"false"}],"environment":"dev","kind":"ImageRepository","object":"shop/theirs","outcome":"Refused","refused":[{"message":"the repository belongs to cluster west, object shop/theirs: remove one of the two objects, or choose another repositoryName","reason":"Conflict"}],"region":"eu-central-1","schemaVersion":1,"type":"target"}
        {"account":"111111111111","calls":["PutLifecyclePolicy"],"differences":[{"desired":"rules 1 sha256:5485bc83","field":"lifecyclePolicyRef","observed":"absent"}],"environment":"dev","kind":"ImageRepository","object":"shop/unseen","outcome":"Change","previewed":[{"field":"lifecyclePolicyRef","message":"ECR previews it first: it is held where more than 20 % or 500 images would expire, or an image that pods use would go"}],"refused":[],"region":"eu-central-1","schemaVersion":1,"type":"target"}
        {"account":"111111111111","calls":[],"differences":[{"desired":"true","field":"scanOnPush","observed":"false"}],"environment":"dev","kind":"ImageRepository","object":"shop/wild","outcome":"Refused","refused":[{"message":"a repository of this name exists and bears no owner tag: set adoptionPolicy to IfUnowned to manage it, or choose another repositoryName","reason":"NotAdopted"}],"region":"eu-central-1","schemaVersion":1,"type":"target"}
        {"account":"111111111111","calls":["CreateRepositoryCreationTemplate","CreatePullThroughCacheRule"],"differences":[{"desired":"k8s","field":"ecrRepositoryPrefix","observed":"absent"},{"desired":"present","field":"repositoryTemplate","observed":"absent"}],"environment":"dev","kind":"PullThroughRule","object":"k8s","outcome":"Create","refused":[],"region":"eu-central-1","schemaVersion":1,"type":"target"}
        {"account":"111111111111","calls":["CreateRepositoryCreationTemplate","TagResource"],"differences":[{"desired":"present","field":"repositoryTemplate","observed":"absent"},{"desired":"as repositoryTemplate","field":"retrofit","observed":"1 below k8s otherwise"}],"environment":"dev","kind":"PullThroughRule","object":"k8s","outcome":"Create","refused":[],"region":"eu-west-1","schemaVersion":1,"type":"target"}
        {"account":"111111111111","calls":[],"differences":[],"environment":"dev","kind":"PullThroughRule","object":"quay","outcome":"InStep","refused":[],"region":"eu-central-1","schemaVersion":1,"type":"target"}
        {"account":"111111111111","calls":[],"differences":[{"desired":"quay","field":"ecrRepositoryPrefix","observed":"absent"}],"environment":"dev","kind":"PullThroughRule","object":"quay","outcome":"Refused","refused":[{"message":"prefix quay overlaps the rule for quay/old that the registry has: choose another, or delete that rule","reason":"Conflict"}],"region":"eu-west-1","schemaVersion":1,"type":"target"}
        {"account":"","calls":[],"differences":[],"environment":"","kind":"LifecyclePolicy","object":"broken","outcome":"Refused","refused":[{"message":"spec.rules[0].selection.countNumber: archived images stay for at least 90 days; spec.rules[0].selection.storageClass: sinceImageTransitioned selects archive","reason":"InvalidSpec"}],"region":"","schemaVersion":1,"type":"target"}
        {"callsMade":30,"objects":12,"outcomes":{"Change":3,"Create":2,"InStep":2,"Refused":6,"Suspended":1},"registries":2,"schemaVersion":1,"seconds":"TIME","type":"summary","writes":{"CreatePullThroughCacheRule":1,"CreateRepositoryCreationTemplate":2,"PutImageScanningConfiguration":1,"PutImageTagMutability":1,"PutLifecyclePolicy":1,"SetRepositoryPolicy":1,"TagResource":2}}
    "#]].assert_eq(&lines);
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_in_step_is_exit_code_0_and_a_registry_that_cannot_be_read_1() {
    let aws = seeded(AWS).await;
    let folder = tempfile::tempdir().unwrap();
    let objects = std::fs::read_to_string(OBJECTS).unwrap();
    let concerned = |it: &&str| it.contains("name: dev}") || it.contains("name: settled,");
    let some: Vec<&str> = objects.split("---\n").filter(concerned).collect();
    let file = folder.path().join("some.yaml");
    std::fs::write(&file, some.join("---\n")).unwrap();
    let output = plan(&aws).arg("-f").arg(&file).output().await.unwrap();
    check(
        &output,
        0,
        &expect![[r#"
        Plan    1 in step
                1 object in 1 registry, read with 3 calls in TIME s. Nothing was written.
    "#]],
    );
    let denied = Rule {
        operation: Some("DescribeRepositories".to_owned()),
        effect: Effect::Deny,
        ..Rule::default()
    };
    aws.faults().add(denied);
    let mut output = plan(&aws).arg("-f").arg(&file).output().await.unwrap();
    // The tags are asked for at the same time, if the answer is not there yet.
    let told = text(&output.stdout).replace("with 3 calls", "with 2 calls");
    output.stdout = told.into_bytes();
    check(
        &output,
        1,
        &expect![[r#"
        Unread  dev  111111111111/eu-central-1  1 target: DescribeRepositories in 111111111111/eu-central-1: User: arn:aws:sts::111111111111:assumed-role/ecr-operator/ecr-operator@east is not authorized to perform: ecr:DescribeRepositories on resource: * with an explicit deny in a service control policy  [AccessDenied]
        Plan    1 not read
                1 object in 1 registry, read with 2 calls in TIME s. Nothing was written.
    "#]],
    );
    assert_eq!(writes(&aws), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_demo_asks_for_is_refused() {
    const COMPANY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/demo/gitops");
    let aws = seeded(include_str!("../../src/commands/demo/seed.yaml")).await;
    let json = ["-f", COMPANY, "-o", "json"];
    let output = plan(&aws).args(json).output().await.unwrap();
    let told = text(&output.stdout);
    let summary: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    let outcomes = summary["outcomes"].as_object().unwrap();
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["Create"], "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_from_standard_input_and_a_mistake_in_them_is_an_error() {
    let aws = seeded(AWS).await;
    for (objects, code, said) in [
        (std::fs::read(OBJECTS).unwrap(), 2, "shop/cart"),
        (
            b"apiVersion: ecr-operator.dev/v1alpha1\nkind: Image\n".to_vec(),
            1,
            "standard input",
        ),
    ] {
        let mut command = plan(&aws);
        command.args(["-f", "-"]);
        let output = fed(command, &objects).await;
        let told = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(said), "{told}");
    }
    let nowhere = plan(&aws).output().await.unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(text(&nowhere.stderr).contains("--file"));
    let unknown = ["-f", OBJECTS, "--environment=lab"];
    let unknown = plan(&aws).args(unknown).output().await.unwrap();
    assert_eq!(unknown.status.code(), Some(1));
}

async fn fed(mut command: Command, input: &[u8]) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(input).await.unwrap();
    drop(pipe);
    child.wait_with_output().await.unwrap()
}
