//! Registry hosts: which are ECR's, and which are one.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

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
    parts(&canonical(host)).is_some()
}

/// The ECR registry that `host` is a name of.
pub(in crate::domain) fn ecr_registry(host: &str) -> Option<Registry> {
    let host = canonical(host);
    let (account, region) = parts(&host)?;
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

/// One name for each registry: runtimes do not regard the case of a host, they use port 443 where none
/// is written, and Docker Hub's hosts are one registry. Any other port is another registry, 80 too.
pub(super) fn canonical(host: &str) -> Cow<'_, str> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (spelt(name), Some(number(port))),
        _ => (spelt(host), None),
    };
    match (&*name, port) {
        ("index.docker.io" | "registry-1.docker.io", None | Some(HTTPS)) => DOCKER_HUB.into(),
        (local, Some(port)) if port != HTTPS || is_local(local) => {
            if local.len() + 1 + port.len() == host.len() && host.starts_with(local) {
                return host.into();
            }
            format!("{local}:{port}").into()
        }
        _ => name,
    }
}

/// The port of a registry that names none.
const HTTPS: &str = "443";
const HIGHEST_PORT: &str = "65535";

/// A host in the one way that we write it. Only another spelling takes an allocation.
fn spelt(name: &str) -> Cow<'_, str> {
    let address = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    match address.and_then(|it| it.parse::<Ipv6Addr>().ok()) {
        Some(address) => format!("[{address}]").into(),
        None if name.bytes().any(|it| it.is_ascii_uppercase()) => name.to_ascii_lowercase().into(),
        None => name.into(),
    }
}

/// A port as a number is written. What is too long for one stays what it is.
fn number(port: &str) -> &str {
    match port.trim_start_matches('0') {
        number if number.is_empty() || port.len() > HIGHEST_PORT.len() => port,
        number => number,
    }
}

/// Whether runtimes speak plain HTTP to this host by themselves, so that 443 is not its port.
fn is_local(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}
