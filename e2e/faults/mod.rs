//! The operator when everything around it goes wrong: the tasks that `run` starts, in this process,
//! before a real API server and an emulated ECR over HTTP. Each test has a case of its own: a
//! namespace, objects that only its operators see, and an emulator; the API server is shared. What
//! fails is said by rules of the emulator, and by a view of the API server that refuses or freezes.
//! A kill ends the operator's runtime where it stands.
//!
//! The scenarios are numbered, F1 to F26; each test names its own.

use crate::PATIENCE;

mod case;
mod certificates;
mod conflicts;
mod crashes;
mod deletion;
mod drift;
mod ending;
mod garbled;
mod identity;
mod kubernetes;
mod lost;
mod operator;
mod oracle;
mod play;
mod rivals;
mod silence;
mod stale;
mod taking_out;
mod throttling;
mod walks;

/// The home region of every environment.
const REGION: &str = "eu-central-1";
/// The accounts of the play.
const DEV: &str = "111111111111";
const PROD: &str = "333333333333";
/// The account of the operator's own credentials, which only assume roles elsewhere.
const HUB: &str = "999999999999";

/// A number below `below` that looks like chance and is the same in every run (SplitMix64).
fn chance(seed: u64, below: usize) -> usize {
    let mut it = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((it ^ (it >> 31)) % below as u64).unwrap()
}
