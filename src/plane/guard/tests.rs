use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use super::Guard;

fn sleeper() -> Child {
    Command::new("sleep").arg("3600").spawn().unwrap()
}

#[test]
fn processes_and_data_go_when_the_pipe_closes() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data with a space");
    fs::create_dir(&data).unwrap();
    let mut guard = Guard::of(&data).unwrap();
    let mut sleepers = [sleeper(), sleeper()];
    for it in &sleepers {
        guard.watch(it.id()).unwrap();
    }

    // What the kernel does when we are killed.
    drop(guard.pipe.take());

    for it in &mut sleepers {
        assert_eq!(it.wait().unwrap().signal(), Some(9));
    }
    assert!(guard.shell.wait().unwrap().success());
    assert!(!data.exists());
}

#[test]
fn a_guard_sent_home_touches_nothing() {
    let data = tempfile::tempdir().unwrap();
    let mut guard = Guard::of(data.path()).unwrap();
    let mut sleeper = sleeper();
    guard.watch(sleeper.id()).unwrap();

    drop(guard);

    assert!(data.path().exists());
    assert!(sleeper.try_wait().unwrap().is_none());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}
