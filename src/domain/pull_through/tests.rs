use super::*;

#[test]
fn every_upstream_is_known_by_its_name_and_has_a_prefix_that_ecr_takes() {
    for upstream in Upstream::ALL {
        assert_eq!(upstream.name().parse(), Ok(upstream));
        assert!(upstream.default_prefix().parse::<Prefix>().is_ok());
    }
}
