//! The real SDK against the emulator: what is read, what is written, and what becomes of both when
//! AWS is slow, silent or says no.

use std::collections::BTreeMap;
use std::sync::Arc;

use ecr_operator::domain::names::Registry as RegistryName;
use ecr_operator::domain::{AccountId, Region, RepositoryName};
use ecr_operator::ecr::{
    AccessKey, Ambient, Endpoints, Fence, Identity, Priority, Registry, Sessions, Settings,
    Timeouts,
};
use ecr_operator::emulator::{Emulator, Options, Seed};

mod garbled;
mod identity;
mod pull_through;
mod reading;
mod registry_settings;
mod templates;
mod weather;
mod writing;

/// The account that the process itself is of.
const HUB: &str = "111111111111";
/// The account of an environment.
const PROD: &str = "333333333333";
const HERE: &str = "eu-central-1";
const THERE: &str = "us-west-2";

async fn emulator(seed: &str) -> Emulator {
    let seed = Seed::parse(seed).unwrap();
    let options = Options {
        seed,
        ..Options::default()
    };
    Emulator::start(options).await.unwrap()
}

/// Settings of a process of the account `account`.
fn settings(emulator: &Emulator, account: &str) -> Settings {
    Settings {
        endpoints: Endpoints::all(&emulator.url()),
        ambient: Ambient::AccessKey(AccessKey {
            id: account.to_owned(),
            secret: "secret".to_owned(),
        }),
        // A test waits for events; a write that a slow machine drags out is none.
        timeouts: Timeouts {
            write: Timeouts::default().read,
            ..Timeouts::default()
        },
        fence: Arc::new(Fence::always_open()),
        ..Settings::new("east".parse().unwrap())
    }
}

fn registry_name(account: &str, region: &str) -> RegistryName {
    let account: AccountId = account.parse().unwrap();
    let region: Region = region.parse().unwrap();
    RegistryName::new(account, region)
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn tags(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    of.iter().map(owned).collect()
}

/// The registry of [`PROD`] in `region` under that account's own credentials.
async fn registry(emulator: &Emulator, region: &str) -> Registry {
    let sessions = Sessions::new(settings(emulator, PROD)).await;
    let name = registry_name(PROD, region);
    let registry = sessions.registry(&name, &Identity::Ambient).await.unwrap();
    registry.at(Priority::Edit)
}

/// The operations that were asked for since `sequence`, in order.
fn operations(emulator: &Emulator, sequence: u64) -> Vec<String> {
    let entries = emulator.journal().since(sequence);
    entries.into_iter().map(|it| it.operation).collect()
}
