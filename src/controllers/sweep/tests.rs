use super::*;

fn periods(registry: u64, documents: u64) -> Periods {
    Periods {
        registry: Duration::from_secs(registry),
        documents: Duration::from_secs(documents),
        lifecycle: Duration::from_hours(24),
    }
}

#[test]
fn each_round_reads_so_many_documents_that_all_are_read_within_the_period() {
    assert_eq!(share(10_000, periods(300, 21_600)), 139); // 72 rounds of five minutes in six hours
    assert_eq!(share(36, periods(5, 5)), 36);
    assert_eq!(share(1, periods(300, 21_600)), 1);
    assert_eq!(share(0, periods(300, 21_600)), 0);
}

#[test]
fn a_document_period_shorter_than_a_round_reads_everything_each_round() {
    assert_eq!(share(36, periods(300, 5)), 36);
}
