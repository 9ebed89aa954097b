//! What the API server itself says, right before something is decided for good: a watch can lag, and
//! what it showed last may be neither what is asked for now, nor what is recorded, nor the same object.

use kube::ResourceExt;
use kube::api::{ListParams, ObjectMeta};
use kube::core::DeserializeGuard;
use kube::{Api, Resource};

use super::dated::{self, Dated};
use super::driver::Reconcile;
use super::{Context, Stop};
use crate::api::{EnvironmentAccount, ImageRepository};
use crate::desired::repository_name;
use crate::domain::RepositoryName;
use crate::domain::names::EnvironmentName;
use crate::domain::repository::tombstone::Claimant;

/// Sees that `object` is what the API server has: the same one, with the same spec, as alive.
///
/// # Errors
/// [`Stop::Unconfirmed`] when it is not, or the API server does not answer.
pub async fn confirm<K: Reconcile>(cx: &Context, object: &K) -> Result<(), Stop> {
    let api = object.api(&cx.client);
    let live = api.get_metadata_opt(&object.name_any()).await;
    let live = live.map_err(|error| Stop::Unconfirmed(error.to_string()))?;
    let is_same = live.is_some_and(|it| wish(&it.metadata) == wish(object.meta()));
    if is_same {
        return Ok(());
    }
    Err(changed())
}

/// `object` as the API server has it, if it is the same one, with the same spec, as alive: what we
/// have recorded in its status may not have come back by the watch yet.
///
/// # Errors
/// [`Stop::Unconfirmed`] when it is not, or the API server does not answer.
pub async fn latest<K: Reconcile>(cx: &Context, object: &K) -> Result<K, Stop> {
    let latest = object.api(&cx.client).get(&object.name_any()).await;
    let latest = latest.map_err(|error| Stop::Unconfirmed(error.to_string()))?;
    if wish(latest.meta()) == wish(object.meta()) {
        return Ok(latest);
    }
    Err(changed())
}

/// The environment `name`, from a read that has the API server's time too.
///
/// # Errors
/// [`Stop::Unconfirmed`] when the API server does not answer, or gives no time.
pub async fn environment(cx: &Context, name: &str) -> Result<Dated<EnvironmentAccount>, Stop> {
    let path = EnvironmentAccount::url_path(&(), None);
    let dated = dated::get(&cx.client, &path, name).await;
    dated.map_err(|error| Stop::Unconfirmed(error.to_string()))
}

fn changed() -> Stop {
    Stop::Unconfirmed("it has changed since it was read: it is looked at again".to_owned())
}

fn wish(meta: &ObjectMeta) -> (Option<&String>, Option<i64>, bool) {
    let is_going = meta.deletion_timestamp.is_some();
    (meta.uid.as_ref(), meta.generation, is_going)
}

/// Who lives and asks for the repository `name` in `environment`. An object that this program does
/// not understand may ask for anything.
///
/// # Errors
/// When the API server does not answer.
pub async fn claimant(
    cx: &Context,
    environment: &EnvironmentName,
    name: &RepositoryName,
) -> kube::Result<Claimant> {
    let objects: Api<DeserializeGuard<ImageRepository>> = Api::all(cx.client.clone());
    let objects = objects.list(&ListParams::default()).await?;
    let asks = |it: &DeserializeGuard<ImageRepository>| match &it.0 {
        Ok(object) => {
            object.metadata.deletion_timestamp.is_none()
                && repository_name(object) == name.as_str()
                && object
                    .spec
                    .environments
                    .iter()
                    .any(|it| it == environment.as_str())
        }
        Err(_) => true,
    };
    Ok(match objects.items.iter().find(|it| asks(it)) {
        None => Claimant::Nobody,
        Some(it) => {
            let namespace = it.meta().namespace.clone().unwrap_or_default();
            Claimant::Object(format!("{namespace}/{}", it.name_any()))
        }
    })
}
