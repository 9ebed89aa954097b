//! Registry hosts: which are ECR's, and which are one.

use crate::domain::names::Registry;
use crate::domain::reference::DOCKER_HUB;

/// The suffixes of ECR's hosts in every partition, dual-stack names among them.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html>
const SUFFIXES: [&str; 9] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "on.aws",
    "on.amazonwebservices.com.cn",
    "sc2s.sgov.gov",
    "c2s.ic.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

/// Whether `host` is a private ECR registry: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`, its FIPS and
/// dual-stack names (`ACCOUNT.dkr-ecr.REGION.on.aws`), and their like in other partitions, of any
/// account. `public.ecr.aws` is none: it is an upstream like any other.
pub(super) fn is_ecr(host: &str) -> bool {
    parts(host).is_some()
}

/// The ECR registry that `host` is a name of.
pub(in crate::domain) fn ecr_registry(host: &str) -> Option<Registry> {
    let (account, region) = parts(host)?;
    Some(Registry::new(account.parse().ok()?, region.parse().ok()?))
}

/// The account and the region of a registry's host.
fn parts(host: &str) -> Option<(&str, &str)> {
    let (account, rest) = host.split_once('.')?;
    let endpoint = ["dkr.ecr.", "dkr-ecr.", "dkr.ecr-fips.", "dkr-ecr-fips."]
        .iter()
        .find_map(|it| rest.strip_prefix(it));
    let (region, suffix) = endpoint?.split_once('.')?;
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    (is_account && !region.is_empty() && SUFFIXES.contains(&suffix)).then_some((account, region))
}

/// One name for each registry: Docker Hub's hosts are one registry. Ports make a difference.
pub(super) fn canonical(host: &str) -> &str {
    match host {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        other => other,
    }
}
