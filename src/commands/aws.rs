//! Where AWS is, as every command that calls it is told.

use crate::ecr::Endpoints;

/// Where AWS is, if not where it always is: VPC endpoints with private names, emulators.
#[derive(Debug, clap::Args)]
pub(super) struct Aws {
    /// One URL for ECR, STS, IAM and the tagging API
    #[arg(long, env = "ECR_OPERATOR_ENDPOINT_URL", value_name = "URL")]
    endpoint_url: Option<String>,
    /// ECR's URL
    #[arg(long, env = "AWS_ENDPOINT_URL_ECR", value_name = "URL")]
    ecr_endpoint_url: Option<String>,
    /// STS's URL
    #[arg(long, env = "AWS_ENDPOINT_URL_STS", value_name = "URL")]
    sts_endpoint_url: Option<String>,
    /// The tagging API's URL
    #[arg(
        long,
        env = "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API",
        value_name = "URL"
    )]
    tagging_endpoint_url: Option<String>,
    /// IAM's URL
    #[arg(long, env = "AWS_ENDPOINT_URL_IAM", value_name = "URL")]
    iam_endpoint_url: Option<String>,
}

impl Aws {
    /// The endpoints to call; the narrower flag wins.
    pub(super) fn endpoints(&self) -> Endpoints {
        let Self {
            endpoint_url,
            ecr_endpoint_url,
            sts_endpoint_url,
            tagging_endpoint_url,
            iam_endpoint_url,
        } = self;
        let or_all = |url: &Option<String>| url.clone().or_else(|| endpoint_url.clone());
        Endpoints {
            ecr: or_all(ecr_endpoint_url),
            sts: or_all(sts_endpoint_url),
            tagging: or_all(tagging_endpoint_url),
            iam: or_all(iam_endpoint_url),
        }
    }
}
