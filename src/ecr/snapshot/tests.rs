use super::*;
use crate::domain::repository::{Encryption, Mutability};

fn name() -> RepositoryName {
    "payments/api".parse().unwrap()
}

fn observed(tag: &str) -> Observed {
    Observed {
        arn: "arn:aws:ecr:eu-central-1:333333333333:repository/payments/api".to_owned(),
        mutability: Mutability::Mutable,
        scan_on_push: false,
        encryption: Encryption::Aes256,
        created: None,
        tags: BTreeMap::from([("tag".to_owned(), tag.to_owned())]),
        policy: Reading::NotRead,
        lifecycle: Reading::NotRead,
    }
}

fn listed(tag: &str) -> Snapshot {
    Snapshot::from([(name(), Arc::new(observed(tag)))])
}

fn tag(memory: &Memory) -> String {
    match memory.seen(&name()) {
        Seen::Present(observed) => observed.tags["tag"].clone(),
        Seen::Absent => "absent".to_owned(),
        Seen::Unknown => "unknown".to_owned(),
    }
}

#[test]
fn nothing_is_known_before_the_first_list_but_what_was_read_by_name() {
    let memory = Memory::default();
    assert!(memory.snapshot().is_none());
    assert_eq!(tag(&memory), "unknown");
    memory.read(memory.now(), &name(), None);
    assert_eq!(tag(&memory), "absent");
    assert!(memory.snapshot().is_none());
    memory.list(memory.begin_list(), listed("listed"));
    assert_eq!(tag(&memory), "listed");
}

#[test]
fn a_list_that_began_before_a_write_does_not_undo_it() {
    let memory = Memory::default();
    memory.list(memory.begin_list(), listed("old"));

    let began = memory.begin_list();
    memory.wrote(&name(), |it| {
        it.tags.insert("tag".to_owned(), "ours".to_owned());
    });
    memory.list(began, listed("old"));
    assert_eq!(tag(&memory), "ours");

    memory.list(memory.begin_list(), listed("theirs"));
    assert_eq!(tag(&memory), "theirs", "the next list is newer");
}

#[test]
fn a_list_that_began_before_a_deletion_does_not_bring_it_back() {
    let memory = Memory::default();
    memory.list(memory.begin_list(), listed("old"));
    let began = memory.begin_list();
    memory.gone(&name());
    memory.list(began, listed("old"));
    assert_eq!(tag(&memory), "absent");
}

#[test]
fn a_read_that_began_before_a_write_does_not_undo_it() {
    let memory = Memory::default();
    let began = memory.now();
    memory.made(&name(), observed("ours"));
    memory.read(began, &name(), None);
    memory.read_part(began, &name(), |it| it.tags.clear());
    assert_eq!(tag(&memory), "ours");
}

#[test]
fn documents_that_were_read_stay_known_over_lists() {
    let memory = Memory::default();
    memory.list(memory.begin_list(), listed("listed"));
    memory.read_part(memory.now(), &name(), |it| {
        it.policy = Reading::Foreign("{}".to_owned());
        it.lifecycle = Reading::Absent;
    });
    memory.list(memory.begin_list(), listed("listed"));
    let Seen::Present(known) = memory.seen(&name()) else {
        panic!("not there")
    };
    assert_eq!(known.policy, Reading::Foreign("{}".to_owned()));
    assert_eq!(known.lifecycle, Reading::Absent);
}

#[test]
fn a_change_of_the_unknown_is_unknown_too() {
    let memory = Memory::default();
    memory.wrote(&name(), |it| it.tags.clear());
    assert_eq!(tag(&memory), "unknown");
}
