use std::time::Duration;

use super::*;

#[test]
fn fence_is_closed_until_a_term_begins() {
    assert_eq!(Fence::default().pass(), Err(TermOver));
    assert_eq!(Fence::always_open().pass(), Ok(()));
}

#[test]
fn fence_closes_at_its_moment_and_at_once_when_told() {
    let fence = Fence::default();
    fence.open_until(Uptime::now() + Duration::from_secs(3600));
    assert_eq!(fence.pass(), Ok(()));
    fence.open_until(Uptime::now());
    assert_eq!(fence.pass(), Err(TermOver), "the moment itself is too late");
    fence.open_until(Uptime::now() + Duration::MAX);
    assert_eq!(fence.pass(), Ok(()));
    fence.close();
    assert_eq!(fence.pass(), Err(TermOver));
}

#[test]
fn operations_that_change_something_are_the_ones_that_say_so() {
    for operation in Operation::ALL {
        let name = operation.as_str();
        let reads = [
            "Get", "Describe", "List", "BatchGet", "Simulate", "Validate", "Start",
        ];
        let reads = reads.iter().any(|it| name.starts_with(it));
        assert_ne!(operation.changes(), reads, "{name}");
    }
}
