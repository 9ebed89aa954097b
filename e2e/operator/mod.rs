//! The operator as its users meet it: the program itself as a process of its own, with the rights of
//! its ServiceAccount, before a real API server and an emulated ECR. Control planes are few, so each
//! test is a story of several acts, and each act says what it shows.

use crate::PATIENCE;

mod approvals;
mod caches;
mod caught;
mod claims;
mod clusters;
mod converging;
mod crash;
mod deletion;
mod drift;
mod edits;
mod facts;
mod future;
mod identity;
mod importing;
mod leadership;
mod life;
mod lifecycle;
mod newer;
mod observing;
mod ownership;
mod permissions;
mod poisoning;
mod reach;
mod records;
mod registry;
mod registry_edges;
mod replicas;
mod retained;
mod scene;
mod serving;
mod told;
mod weather;

/// The home region of every environment.
const REGION: &str = "eu-central-1";
/// The environments and their accounts.
const DEV: &str = "111111111111";
const STAGE: &str = "222222222222";
const PROD: &str = "333333333333";
const ACCOUNTS: [(&str, &str); 3] = [("dev", DEV), ("stage", STAGE), ("prod", PROD)];
