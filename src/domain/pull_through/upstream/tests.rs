use expect_test::expect;

use super::*;

#[test]
fn only_some_upstreams_are_told_where_they_are() {
    let told = [
        (Upstream::Quay, Some("quay.io")),
        (Upstream::Quay, Some("quay.example")),
        (Upstream::AzureContainerRegistry, None),
        (
            Upstream::AzureContainerRegistry,
            Some("example.azurecr.io.evil.example"),
        ),
        (
            Upstream::AzureContainerRegistry,
            Some("https://example.azurecr.io"),
        ),
        (Upstream::Ecr, Some("169.254.169.254")),
        (
            Upstream::Ecr,
            Some("444444444444.dkr.ecr.us-east-1.evil.example"),
        ),
        (
            Upstream::Ecr,
            Some("444444444444.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ),
    ]
    .map(|(upstream, url)| match Source::new(upstream, url) {
        Ok(source) => format!("{} of account {:?}", source.url(), source.account()),
        Err(invalid) => invalid.to_string(),
    });
    expect![[r#"
        quay.io of account None
        quay is at quay.io, so it takes no other upstreamRegistryUrl
        azure-container-registry needs an upstreamRegistryUrl, like example.azurecr.io
        "example.azurecr.io.evil.example" is no registry of azure-container-registry, like example.azurecr.io
        "https://example.azurecr.io" is no registry of azure-container-registry, like example.azurecr.io
        "169.254.169.254" is no registry of ecr, like 444444444444.dkr.ecr.us-east-1.amazonaws.com
        "444444444444.dkr.ecr.us-east-1.evil.example" is no registry of ecr, like 444444444444.dkr.ecr.us-east-1.amazonaws.com
        444444444444.dkr.ecr.cn-north-1.amazonaws.com.cn of account Some(AccountId("444444444444"))"#]].assert_eq(&told.join("\n"));
}
