//! Where this operator is installed, for the process that serves and the one that leads alike: both
//! must mean the same Secret, the same names in its certificate and the same webhook configuration.

use kube::{Api, Client};

use super::args::Args;
use crate::commands::rights;
use crate::controllers::certificates::{Keeper, Lifetimes};
use crate::controllers::webhook_configuration::{Endpoint, Install};

/// The port of the Service, as the chart has it.
const SERVICE_PORT: u16 = 443;

/// Where the webhook is installed.
pub(super) fn install(args: &Args) -> Install {
    let endpoint = match &args.webhook_url {
        Some(url) => Endpoint::Url(url.clone()),
        None => Endpoint::Service {
            name: args.webhook_service.clone(),
            port: SERVICE_PORT,
        },
    };
    let probe_namespace = args.probe_namespace.clone();
    Install {
        namespace: args.namespace.clone(),
        probe_namespace: probe_namespace
            .unwrap_or_else(|| rights::probe_namespace(&args.namespace)),
        name: rights::NAME.to_owned(),
        endpoint,
    }
}

/// Where the certificates are kept.
pub(super) fn keeper(args: &Args, client: &Client) -> Keeper {
    Keeper {
        secrets: Api::namespaced(client.clone(), &args.namespace),
        name: rights::SECRET.to_owned(),
        names: install(args).host_names(),
        lifetimes: Lifetimes::default(),
    }
}
