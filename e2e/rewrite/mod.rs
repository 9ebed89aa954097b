//! `ecr-operator rewrite` as its users meet it: the program on a folder, its output and its exit codes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ecr_operator::commands::demo::hand::Hand;
use ecr_operator::emulator::{Emulator, Options};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The rules of a company with two accounts.
const RULES: &str = include_str!("rules.yaml");

const PROD: &str = "\
# the shop, in prod
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: shop}
spec:
  template:
    spec:
      containers:
      - name: checkout   # ours
        image: \"registry.old.example/shop/checkout:1.42.0\"
      - {name: cache, image: redis:7.4}
      - name: proxy
        image: ghcr.io/acme/proxy:2 # not cached by anybody
";

/// A repository in a folder of its own, which ends with this.
struct Tree(TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(TempDir::new().unwrap());
        fs::write(tree.rules(), RULES).unwrap();
        for (path, text) in files {
            let path = tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        tree
    }

    fn rules(&self) -> PathBuf {
        self.0.path().join("rules.yaml")
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("repository")
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    fn rewrite(&self, arguments: &[&str]) -> Output {
        self.rewrite_at(&self.path(), arguments)
    }

    fn rewrite_at(&self, path: &Path, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ecr-operator"))
            .arg("rewrite")
            .arg(path)
            .arg("--rules")
            .arg(self.rules())
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", "999999999999")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .output()
            .unwrap()
    }

    /// The exit code and what was printed, without the time it took.
    fn check(&self, arguments: &[&str], expected: &Expect) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.rewrite(arguments);
        let mut text = format!("exit {}\n", status.code().unwrap());
        text += &String::from_utf8(stdout).unwrap();
        text += &String::from_utf8(stderr).unwrap();
        expected.assert_eq(&timeless(&text));
    }
}

/// A text without the time that something took.
fn timeless(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| match line.split_once(" looked at in ") {
            Some((before, after)) => {
                format!("{before} looked at in{}", after.split_once(" s").unwrap().1)
            }
            None => line.to_owned(),
        });
    lines.map(|it| it + "\n").collect()
}

#[test]
fn the_readme_and_the_page_show_what_is_told() {
    let tree = Tree::new(&[("envs/prod/shop.yaml", PROD)]);
    let told = tree.rewrite(&["-e", "envs/prod/**=prod"]).stdout;
    let told = timeless(str::from_utf8(&told).unwrap());
    let readme = timeless(include_str!("../../README.md"));
    assert!(readme.contains(&format!("```diff\n{told}```\n")), "{told}");
    let indented = told.lines().map(|it| match it {
        "" => "\n".to_owned(),
        line => format!("    {line}\n"),
    });
    let page = timeless(include_str!("../../docs/rewrite.md"));
    let indented: String = indented.collect();
    assert!(page.contains(&indented), "{indented}");
}

#[test]
fn a_tree_is_told_as_one_diff_and_nothing_is_written() {
    let tree = Tree::new(&[("envs/prod/shop.yaml", PROD)]);
    tree.check(&["-e", "envs/prod/**=prod"], &expect![[r#"
        exit 0
        --- a/envs/prod/shop.yaml
        +++ b/envs/prod/shop.yaml
        @@ -7,7 +7,7 @@
             spec:
               containers:
               - name: checkout   # ours
        -        image: "registry.old.example/shop/checkout:1.42.0"
        -      - {name: cache, image: redis:7.4}
        +        image: "333333333333.dkr.ecr.eu-central-1.amazonaws.com/shop/checkout:1.42.0"
        +      - {name: cache, image: 333333333333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/redis:7.4}
               - name: proxy
                 image: ghcr.io/acme/proxy:2 # not cached by anybody

        left [NoRule] no PullThroughRule caches its registry and no ImageRepository migrates from its name
          envs/prod/shop.yaml:13  ghcr.io/acme/proxy:2

                                files  rewritten    in step       left
        Kubernetes                  1          2          0          1
        Total                       1          2          0          1

        1 files looked at in. Nothing was written: --write applies it, --pr-body prints the text of the pull request.
    "#]]);
    assert_eq!(tree.text("envs/prod/shop.yaml"), PROD);
}

#[test]
fn a_second_run_finds_nothing_to_do_and_check_tells_by_its_exit_code() {
    let tree = Tree::new(&[("envs/prod/shop.yaml", PROD)]);
    let arguments = ["-e", "prod", "--check"];
    assert_eq!(tree.rewrite(&arguments).status.code(), Some(2));
    assert_eq!(
        tree.rewrite(&["-e", "prod", "--write"]).status.code(),
        Some(0)
    );
    let host = "333333333333.dkr.ecr.eu-central-1.amazonaws.com";
    let expected = PROD
        .replace("registry.old.example/shop", &format!("{host}/shop"))
        .replace("redis:7.4", &format!("{host}/docker-hub/library/redis:7.4"));
    assert_eq!(tree.text("envs/prod/shop.yaml"), expected);
    assert_eq!(tree.rewrite(&arguments).status.code(), Some(0));
    let left: Vec<_> = fs::read_dir(tree.path().join("envs/prod"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "nothing is left beside the file: {left:?}");
}

#[test]
fn one_file_can_be_rewritten_alone() {
    let tree = Tree::new(&[("shop.yaml", PROD), ("other.yaml", PROD)]);
    let path = tree.path().join("shop.yaml");
    let output = tree.rewrite_at(&path, &["-e", "prod", "--write", "--output-format", "json"]);
    assert_eq!(findings(&output).len(), 3);
    assert!(
        tree.text("shop.yaml")
            .contains("/docker-hub/library/redis:7.4")
    );
    assert_eq!(tree.text("other.yaml"), PROD);
}

#[test]
fn what_admission_policies_do_not_select_is_left() {
    let tree = Tree::new(&[("shop.yaml", PROD), ("Dockerfile", "FROM redis:7.4\n")]);
    let policy = "---\napiVersion: ecr-operator.dev/v1alpha1\nkind: ImageAdmissionPolicy\nmetadata: {name: data}\nspec: {environment: prod, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}}\n";
    fs::write(tree.rules(), format!("{RULES}{policy}")).unwrap();
    let findings = findings(&tree.rewrite(&["-e", "prod", "--output-format", "json"]));
    let reasons: Vec<_> = findings.iter().map(|it| &it["reason"]).collect();
    assert_eq!(
        reasons,
        ["PullThrough", "NotSelected", "NotSelected", "NoRule"]
    );
}

#[test]
fn what_several_environments_read_is_left_and_never_guessed() {
    let tree = Tree::new(&[("base/shop.yaml", PROD)]);
    tree.check(&[], &expect![[r#"
        exit 0

        left [NoRule] no PullThroughRule caches its registry and no ImageRepository migrates from its name
          base/shop.yaml:13  ghcr.io/acme/proxy:2

        left [NeedsEnvironment] several environments read this file: override the image in each overlay, or in values of each environment
          base/shop.yaml:10  registry.old.example/shop/checkout:1.42.0
          base/shop.yaml:11  redis:7.4

                                files  rewritten    in step       left
        Kubernetes                  1          0          0          3
        Total                       1          0          0          3

        1 files looked at in. There is nothing to rewrite.
    "#]]);
}

#[test]
fn the_folder_says_itself_who_reads_what() {
    let map = "environments:\n- {path: base/, environment: dev}\n- {namespace: shop, environment: prod}\n";
    let tree = Tree::new(&[(".ecr-operator.yaml", map), ("base/shop.yaml", PROD)]);
    let findings = findings(&tree.rewrite(&["--output-format", "json"]));
    let environments: Vec<_> = findings.iter().map(|it| &it["environment"]).collect();
    assert_eq!(
        environments,
        [&json!("prod"); 3],
        "the last that fits decides"
    );
}

#[test]
fn the_base_of_an_override_keeps_the_name_that_it_is_found_by() {
    let overlay = "resources: [../../base]\nimages:\n- name: registry.old.example/shop/checkout\n  newTag: \"1.43.0\"\n";
    let tree = Tree::new(&[
        ("base/shop.yaml", PROD),
        ("envs/prod/kustomization.yaml", overlay),
    ]);
    assert_eq!(
        tree.rewrite(&["-e", "prod", "--write"]).status.code(),
        Some(0)
    );
    assert!(
        tree.text("base/shop.yaml")
            .contains("\"registry.old.example/shop/checkout:1.42.0\"")
    );
    let host = "333333333333.dkr.ecr.eu-central-1.amazonaws.com";
    let overlay = tree.text("envs/prod/kustomization.yaml");
    assert!(
        overlay.contains(&format!("newName: {host}/shop/checkout")),
        "{overlay}"
    );
    assert!(
        overlay.contains("- name: registry.old.example/shop/checkout"),
        "{overlay}"
    );
}

#[test]
fn a_folder_of_a_repository_is_told_as_the_repository_would_be() {
    let map = "environments: [{path: /base/, environment: prod}]\n";
    let overlay = "resources: [../base]\nimages: [{name: redis, newTag: '8'}]\n";
    let tree = Tree::new(&[
        (".ecr-operator.yaml", map),
        ("base/shop.yaml", PROD),
        ("dev/kustomization.yaml", overlay),
    ]);
    let told = |path: &str| {
        let output = tree.rewrite_at(&tree.path().join(path), &["--output-format", "json"]);
        let findings = findings(&output).into_iter();
        let base = findings.filter(|it| it["path"] == "base/shop.yaml");
        base.collect::<Vec<_>>()
    };
    let all = told("");
    let reasons: Vec<_> = all.iter().map(|it| &it["reason"]).collect();
    assert_eq!(reasons, ["OwnRepository", "Overridden", "NoRule"]);
    assert_eq!(told("base"), all);
    assert_eq!(told("base/shop.yaml"), all);
    let dev = tree.rewrite_at(&tree.path().join("dev"), &["--output-format", "json"]);
    assert_eq!(findings(&dev)[0]["path"], "dev/kustomization.yaml");
}

#[test]
fn what_git_has_is_looked_at_though_it_is_ignored() {
    let tree = Tree::new(&[(".gitignore", "base\n"), ("base/shop.yaml", PROD)]);
    let looked_at = || findings(&tree.rewrite(&["-e", "prod", "--output-format", "json"])).len();
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        let ran = git.args(arguments).current_dir(tree.path()).output();
        assert!(ran.unwrap().status.success(), "git {arguments:?}");
    };
    git(&["init", "-q"]);
    assert_eq!(looked_at(), 0);
    git(&["add", "--force", "base"]);
    assert_eq!(looked_at(), 3);
}

#[test]
fn a_chart_that_may_say_its_registry_itself_is_left() {
    let values = "image:\n  repository: redis\n  tag: \"7.4\"\n";
    let tree = Tree::new(&[("values.yaml", values)]);
    let findings = findings(&tree.rewrite(&["-e", "prod", "--output-format", "json"]));
    assert_eq!(findings[0]["reason"], "RegistryElsewhere");
}

#[test]
fn a_wrong_environment_is_an_error_that_names_it() {
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    tree.check(
        &["-e", "production"],
        &expect![[r#"
        exit 1
        error: there is no EnvironmentAccount production: correct the name, or add it to the rules
    "#]],
    );
}

#[test]
fn one_service_is_moved_alone() {
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    let findings = findings(&tree.rewrite(&[
        "-e",
        "prod",
        "--service",
        "shop/checkout",
        "--output-format",
        "json",
    ]));
    let images: Vec<_> = findings.iter().map(|it| &it["image"]).collect();
    assert_eq!(images, ["registry.old.example/shop/checkout:1.42.0"]);
}

#[cfg(unix)]
#[test]
fn ignored_files_links_and_what_is_no_text_are_passed_over() {
    let tree = Tree::new(&[
        (".gitignore", "build/\n"),
        ("build/shop.yaml", PROD),
        ("shop.yaml", PROD),
    ]);
    std::os::unix::fs::symlink(tree.path().join("shop.yaml"), tree.path().join("link.yaml"))
        .unwrap();
    std::os::unix::fs::symlink("/etc", tree.path().join("etc")).unwrap();
    fs::write(tree.path().join("latin.yaml"), b"image: caf\xe9").unwrap();
    let findings = findings(&tree.rewrite(&["-e", "prod", "--output-format", "json"]));
    let reasons: Vec<_> = findings
        .iter()
        .map(|it| (&it["path"], &it["reason"]))
        .collect();
    let (latin, shop) = (json!("latin.yaml"), json!("shop.yaml"));
    let [not_utf8, pull, own, none] =
        ["NotUtf8", "PullThrough", "OwnRepository", "NoRule"].map(|it| json!(it));
    assert_eq!(
        reasons,
        [
            (&latin, &not_utf8),
            (&shop, &own),
            (&shop, &pull),
            (&shop, &none)
        ]
    );
}

#[test]
fn annotations_and_code_scanning_get_their_formats() {
    let tree = Tree::new(&[("a,b.yaml", PROD)]);
    tree.check(
        &["-e", "prod", "--check", "--output-format", "github"],
        &expect![[r#"
            exit 2
            ::warning file=a%2Cb.yaml,line=10,title=ecr-operator (OwnRepository)::registry.old.example/shop/checkout:1.42.0 is to be 333333333333.dkr.ecr.eu-central-1.amazonaws.com/shop/checkout:1.42.0 (ImageRepository shop/checkout)
            ::warning file=a%2Cb.yaml,line=11,title=ecr-operator (PullThrough)::redis:7.4 is to be 333333333333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/redis:7.4 (PullThroughRule docker-hub)
            ::notice file=a%2Cb.yaml,line=13,title=ecr-operator (NoRule)::ghcr.io/acme/proxy:2 is left: no PullThroughRule caches its registry and no ImageRepository migrates from its name
        "#]],
    );
    let sarif = tree
        .rewrite(&["-e", "prod", "--output-format", "sarif"])
        .stdout;
    let sarif: Value = serde_json::from_slice(&sarif).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let levels: Vec<_> = results.iter().map(|it| &it["level"]).collect();
    assert_eq!(levels, ["warning", "warning", "note"]);
}

#[test]
fn the_pull_request_gets_its_text() {
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    tree.check(&["-e", "prod", "--pr-body"], &expect![[r#"
        exit 0
        ## Pull images from Amazon ECR

        2 references now name ECR, 0 did already, 1 are left as they are. Nothing but registry and repository of images has changed.

        | Image | From ECR | By | Where |
        |---|---|---|---|
        | `registry.old.example/shop/checkout:1.42.0` | `333333333333.dkr.ecr.eu-central-1.amazonaws.com/shop/checkout:1.42.0` | ImageRepository shop/checkout | `shop.yaml:10` |
        | `redis:7.4` | `333333333333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/redis:7.4` | PullThroughRule docker-hub | `shop.yaml:11` |

        <details><summary>Left: NoRule (1)</summary>

        no PullThroughRule caches its registry and no ImageRepository migrates from its name.

        - `shop.yaml:13` `ghcr.io/acme/proxy:2`

        </details>
    "#]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_where_an_image_is_not_in_every_environment() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    let asked = |emulator: &Emulator| {
        let url = emulator.url();
        tree.rewrite(&[
            "-e",
            "prod",
            "--service",
            "shop/checkout",
            "--verify",
            "--write",
            "--endpoint-url",
            &url,
        ])
    };
    push(&emulator, ("333333333333", "eu-central-1"), "a").await;
    let refused = asked(&emulator);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        told.contains("shop/checkout:1.42.0") && told.contains("dev ABSENT"),
        "{told}"
    );
    assert_eq!(tree.text("shop.yaml"), PROD);
    push(&emulator, ("111111111111", "eu-central-1"), "b").await;
    let told = String::from_utf8(asked(&emulator).stderr).unwrap();
    assert!(told.contains("DIFFERENT"), "{told}");
    assert_eq!(tree.text("shop.yaml"), PROD);
    push(&emulator, ("111111111111", "eu-central-1"), "a").await;
    let done = asked(&emulator);
    assert_eq!(
        done.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(
        tree.text("shop.yaml")
            .contains("333333333333.dkr.ecr.eu-central-1.amazonaws.com/shop/checkout:1.42.0")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_looked_for_in_the_region_of_the_policy_that_rewrites_it() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    let region = "eu-west-1";
    let policies = format!(
        "---\n{POLICY}\nmetadata: {{name: a}}\nspec: {{environment: prod, exclude: [registry.old.example/shop/]}}\n\
         ---\n{POLICY}\nmetadata: {{name: b}}\nspec: {{environment: prod, region: {region}}}\n"
    );
    let home = "accountId: \"333333333333\"\n  region: eu-central-1\n";
    let rules = RULES.replace(home, &format!("{home}  replicaRegions: [{region}]\n"));
    fs::write(tree.rules(), rules + &policies).unwrap();
    let asked = || {
        let url = emulator.url();
        let service = ["--service", "shop/checkout", "--verify", "--write"];
        tree.rewrite(&[&["-e", "prod", "--endpoint-url", &url], &service[..]].concat())
    };
    push(&emulator, ("111111111111", "eu-central-1"), "a").await;
    push(&emulator, ("333333333333", "eu-central-1"), "a").await;
    let told = String::from_utf8(asked().stderr).unwrap();
    assert!(told.contains("prod/eu-west-1 ABSENT"), "{told}");
    assert_eq!(tree.text("shop.yaml"), PROD);
    push(&emulator, ("333333333333", region), "a").await;
    let told = String::from_utf8(asked().stderr).unwrap();
    assert!(told.contains("dev ok  prod/eu-west-1 ok"), "{told}");
    let moved = "333333333333.dkr.ecr.eu-west-1.amazonaws.com/shop/checkout:1.42.0";
    assert!(tree.text("shop.yaml").contains(moved));
}

const POLICY: &str = "apiVersion: ecr-operator.dev/v1alpha1\nkind: ImageAdmissionPolicy";

/// An image with a config of these digits, as shop/checkout:1.42.0.
async fn push(emulator: &Emulator, (account, region): (&str, &str), digit: &str) {
    let hand = Hand {
        emulator,
        account,
        region,
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2,
                   "digest": format!("sha256:{}", digit.repeat(64))},
        "layers": [],
    });
    let named = json!({"repositoryName": "shop/checkout"});
    // It may be there from before.
    drop(hand.ecr("CreateRepository", &named).await);
    let image = json!({"repositoryName": "shop/checkout", "imageTag": "1.42.0",
                       "imageManifest": manifest.to_string()});
    hand.ecr("PutImage", &image).await.unwrap();
}

/// The findings of `--output-format json`, without the summary.
fn findings(output: &Output) -> Vec<Value> {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = str::from_utf8(&output.stdout).unwrap().lines();
    let lines: Vec<Value> = lines.map(|it| serde_json::from_str(it).unwrap()).collect();
    assert!(lines.iter().all(|it| it["schemaVersion"] == 1));
    let (summary, findings) = lines.split_last().unwrap();
    assert_eq!(summary["kind"], "Summary");
    findings.to_vec()
}

/// A folder alone is no repository to look at by mistake.
#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let tree = Tree::new(&[]);
    let output = tree.rewrite(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!Path::new(&tree.path()).exists());
}
