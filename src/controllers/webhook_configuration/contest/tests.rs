use super::*;

#[test]
fn first_repairs_are_made_at_once() {
    let (mut contest, start) = (Contest::default(), Instant::now());
    let mut waits = Vec::new();
    for _ in 0..30 {
        contest.repaired(None, start);
        waits.push(contest.patience(start).as_secs());
    }
    assert_eq!(waits[..8], [0, 0, 0, 0, 0, 1, 2, 3]);
    assert_eq!(waits[29], 10);
    assert_eq!(contest.patience(start + WINDOW), Duration::ZERO);
}

#[test]
fn repair_counts_those_within_the_hour_and_names_editors() {
    let (mut contest, start) = (Contest::default(), Instant::now());
    contest.repaired(Some("argocd-controller".to_owned()), start);
    let later = start + WINDOW / 2;
    let second = contest.repaired(None, later);
    let by = BTreeSet::from(["argocd-controller".to_owned()]);
    assert_eq!(second, Repair { count: 2, by });
    let third = contest.repaired(Some("kubectl-edit".to_owned()), start + WINDOW);
    let by = BTreeSet::from(["kubectl-edit".to_owned()]);
    assert_eq!(third, Repair { count: 2, by });
}
