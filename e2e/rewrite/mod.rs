//! `ecr-operator rewrite` as its users meet it: the program on a folder, its output and its exit codes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tempfile::TempDir;

#[cfg(unix)]
mod files;
mod places;
mod verify;

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
