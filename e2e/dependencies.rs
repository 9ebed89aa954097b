//! One crypto provider and one TLS stack: a second comes in silently, with a default feature of some
//! dependency, and costs a C build, a larger binary and a panic at the first handshake.

use std::process::Command;

/// What must never be linked, and what we have instead.
const BANNED: &[(&str, &str)] = &[
    ("ring", "aws-lc-rs"),
    ("openssl-sys", "rustls"),
    ("native-tls", "rustls"),
];

#[test]
fn no_second_crypto_provider_is_linked() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--offline",
            "--prefix=none",
            "--format={p}",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let linked = String::from_utf8(tree.stdout).unwrap();
    let names: Vec<&str> = linked
        .lines()
        .filter_map(|it| it.split(' ').next())
        .collect();
    assert!(
        names.contains(&"aws-lc-rs"),
        "this reads the tree wrongly:\n{linked}"
    );
    for (banned, instead) in BANNED {
        assert!(
            !names.contains(banned),
            "{banned} is linked; we use {instead}: see `cargo tree -i {banned}`"
        );
    }
}
