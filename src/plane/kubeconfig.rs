//! Kubeconfigs: as values of kube's type, so that a plane's and a user's own are handled alike.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster,
    NamedContext,
};
use kube::{Client, Config};

use super::authority::Pair;
use super::error::{Error, asking};

/// The name of the only cluster, user and context in a plane's kubeconfig.
const NAME: &str = "ecr-operator";

/// The kubeconfig of someone who shows a client certificate.
pub(super) fn with_certificate(server: &str, authority: &str, client: &Pair) -> Kubeconfig {
    let cluster = Cluster {
        server: Some(server.to_owned()),
        certificate_authority_data: Some(BASE64.encode(authority)),
        ..Cluster::default()
    };
    let user = AuthInfo {
        client_certificate_data: Some(BASE64.encode(&client.public)),
        client_key_data: Some(BASE64.encode(&client.private).into()),
        ..AuthInfo::default()
    };
    assemble(NAME, cluster, user)
}

/// The same cluster for someone who shows a bearer token.
pub(super) fn with_token(kubeconfig: &Kubeconfig, token: String) -> Result<Kubeconfig, Error> {
    let context = kubeconfig.current_context.clone().unwrap_or_default();
    let cluster = kubeconfig.clusters.iter().find_map(|it| it.cluster.clone());
    let cluster = cluster.ok_or_else(|| Error::NoContext {
        context: context.clone(),
    })?;
    let user = AuthInfo {
        token: Some(token.into()),
        ..AuthInfo::default()
    };
    Ok(assemble(&context, cluster, user))
}

/// One context of the user's kubeconfig (`KUBECONFIG`, or `~/.kube/config`) and nothing else of it.
pub(super) fn of_context(context: &str) -> Result<Kubeconfig, Error> {
    pick(&Kubeconfig::read().map_err(Error::Kubeconfig)?, context)
}

/// The named context alone, with its cluster and its user.
pub(super) fn pick(all: &Kubeconfig, context: &str) -> Result<Kubeconfig, Error> {
    let named = all.contexts.iter().find(|it| it.name == context);
    let found = named.and_then(|it| it.context.as_ref()).and_then(|it| {
        let cluster = all.clusters.iter().find(|other| other.name == it.cluster)?;
        let user = all
            .auth_infos
            .iter()
            .find(|other| Some(&other.name) == it.user.as_ref())?;
        Some((cluster.cluster.clone()?, user.auth_info.clone()?))
    });
    let (cluster, user) = found.ok_or_else(|| Error::NoContext {
        context: context.to_owned(),
    })?;
    Ok(assemble(context, cluster, user))
}

fn assemble(name: &str, cluster: Cluster, user: AuthInfo) -> Kubeconfig {
    let context = Context {
        cluster: name.to_owned(),
        user: Some(name.to_owned()),
        ..Context::default()
    };
    Kubeconfig {
        api_version: Some("v1".to_owned()),
        kind: Some("Config".to_owned()),
        clusters: vec![NamedCluster {
            name: name.to_owned(),
            cluster: Some(cluster),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: name.to_owned(),
            auth_info: Some(user),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: name.to_owned(),
            context: Some(context),
            ..NamedContext::default()
        }],
        current_context: Some(name.to_owned()),
        ..Kubeconfig::default()
    }
}

/// The kubeconfig as a file's text.
pub(super) fn text(kubeconfig: &Kubeconfig) -> Result<String, Error> {
    serde_saphyr::to_string(kubeconfig).map_err(Error::KubeconfigText)
}

/// A client for whoever the kubeconfig is of.
pub(super) async fn client(kubeconfig: &Kubeconfig) -> Result<Client, Error> {
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options)
        .await
        .map_err(Error::Kubeconfig)?;
    Client::try_from(config).map_err(asking("set up a Kubernetes client"))
}
