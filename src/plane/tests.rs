use kube::config::Kubeconfig;

use super::Error;
use super::binaries::{Program, version};
use super::build;
use super::kubeconfig::{pick, text, with_token};
use super::start::kibibytes_free;

#[test]
fn versions_are_read_from_what_each_program_says() {
    for (said, expected) in [
        ("Kubernetes v1.36.3", Some((1, 36))),
        (
            "Client Version: v1.35.0-rc.1\nKustomize Version: v5.8.1",
            Some((1, 35)),
        ),
        (
            "etcd Version: 3.6.8\nGit SHA: Not provided\nGo Version: go1.26.0",
            Some((3, 6)),
        ),
        ("go version go1.26.8 linux/amd64", Some((1, 26))),
        ("sh: not found", None),
        ("", None),
    ] {
        assert_eq!(version(said), expected, "{said}");
    }
}

#[test]
fn a_program_that_is_too_old_or_says_nothing_is_passed_by() {
    assert!(Program::KubeApiserver.serves("Kubernetes v1.36.0"));
    assert!(!Program::KubeApiserver.serves("Kubernetes v1.35.9"));
    assert!(Program::Etcd.serves("etcd Version: 3.10.1"));
    assert!(!Program::Etcd.serves("etcd Version: 3.5.21"));
    assert!(!Program::Kubectl.serves(""));
}

#[test]
fn every_program_is_a_tool_of_the_embedded_module() {
    let module = include_str!("control-plane/go.mod");
    for program in Program::ALL {
        assert!(
            module.contains(&format!("\t{}\n", program.package())),
            "{program:?}"
        );
    }
    assert!(version(build::version()) >= Some((1, 36)));
}

#[test]
fn memory_is_used_only_where_it_is_roomy() {
    let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\nshm 65536 0 65536 0% /dev/shm\n";
    assert_eq!(kibibytes_free(df), Some(65536));
    assert_eq!(
        kibibytes_free("df: /dev/shm: No such file or directory"),
        None
    );
}

const TWO_CONTEXTS: &str = "
apiVersion: v1
kind: Config
current-context: production
clusters:
- {name: one, cluster: {server: 'https://one.example'}}
- {name: two, cluster: {server: 'https://two.example', certificate-authority-data: Q0E=}}
users:
- {name: me, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}
contexts:
- {name: production, context: {cluster: one, user: me}}
- {name: kind-test, context: {cluster: two, user: me, namespace: somewhere}}
- {name: broken, context: {cluster: gone, user: me}}
";

#[test]
fn a_named_context_comes_alone_and_is_the_current_one() {
    let all = Kubeconfig::from_yaml(TWO_CONTEXTS).unwrap();
    let picked = text(&pick(&all, "kind-test").unwrap()).unwrap();
    assert!(
        picked.contains("https://two.example") && picked.contains("S0VZ"),
        "{picked}"
    );
    assert!(
        !picked.contains("one.example") && !picked.contains("production"),
        "{picked}"
    );
    let again = Kubeconfig::from_yaml(&picked).unwrap();
    assert_eq!(again.current_context.as_deref(), Some("kind-test"));
}

#[test]
fn a_context_that_is_not_whole_is_no_choice() {
    let all = Kubeconfig::from_yaml(TWO_CONTEXTS).unwrap();
    for name in ["broken", "absent", ""] {
        let refused = pick(&all, name);
        assert!(matches!(refused, Err(Error::NoContext { .. })), "{name}");
    }
}

#[test]
fn a_token_replaces_every_other_credential() {
    let all = Kubeconfig::from_yaml(TWO_CONTEXTS).unwrap();
    let admin = pick(&all, "kind-test").unwrap();
    let account = text(&with_token(&admin, "a-token".to_owned()).unwrap()).unwrap();
    assert!(
        account.contains("a-token") && account.contains("two.example"),
        "{account}"
    );
    assert!(!account.contains("S0VZ"), "{account}");
}
