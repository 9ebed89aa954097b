use proptest::prelude::*;

use super::*;

const DAY: Duration = Duration::from_hours(24);

proptest! {
    #[test]
    fn everybody_has_one_turn_in_a_day_however_it_is_sliced(
        slot in any::<u64>(),
        start in 0..u64::from(u32::MAX),
        cuts in proptest::collection::btree_set(1..86_400_000_u64, 0..40),
    ) {
        let end = start + 86_400_000;
        let cuts: Vec<u64> = cuts.into_iter().map(|it| start + it).collect();
        let edges: Vec<u64> = [start].into_iter().chain(cuts).chain([end]).collect();
        let turns = edges.windows(2).filter(|it| is_due(slot, (it[0], it[1]), DAY));
        prop_assert_eq!(turns.count(), 1);
    }
}

#[test]
fn after_a_day_or_more_everybody_is_due() {
    for slot in [0, 1, 86_399_999, u64::MAX] {
        assert!(is_due(slot, (5, 5 + 86_400_000), DAY));
        assert!(is_due(slot, (5, 5 + 200_000_000), DAY));
        assert!(!is_due(slot, (5, 5), DAY), "no time has passed");
    }
}

#[test]
fn turns_are_spread_over_the_day() {
    let registry = Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    );
    let names: Vec<String> = (0..1000).map(|it| format!("shop/service-{it}")).collect();
    let hour = |hour: u64| {
        let (from, to) = (hour * 3_600_000, (hour + 1) * 3_600_000);
        let due = |it: &&String| is_due(slot(&(&registry, it.as_str())), (from, to), DAY);
        names.iter().filter(due).count()
    };
    let by_hour: Vec<usize> = (0..24).map(hour).collect();
    assert_eq!(by_hour.iter().sum::<usize>(), 1000);
    assert!(
        by_hour.iter().all(|it| (15..90).contains(it)),
        "{by_hour:?}"
    );
}
