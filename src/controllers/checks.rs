//! What the leader finds out now and then beside the objects: whether the API server reaches
//! admission, which policies it takes, and what roles may do. Reconciliations show it; nothing decides by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};

use super::image_admission_policy::reach::Reach;
use super::installed::Installed;
use crate::domain::names::EnvironmentName;
use crate::domain::preflight::Found;

/// The last findings. What has not been looked for yet leaves in status what stands there.
#[derive(Debug, Default)]
pub struct Checks {
    /// What the last probe of admission came to; `None` before the first, and without policies.
    pub admission: ArcSwapOption<Reach>,
    /// What was found out about the roles of each environment; not there before it was looked for.
    pub permissions: ArcSwap<BTreeMap<EnvironmentName, Arc<[Found]>>>,
    /// The image policies whose selectors the API server does not take, with its words.
    pub refused: ArcSwap<BTreeMap<String, String>>,
    /// The object of admission that the chart installs and that is not there.
    pub missing: ArcSwapOption<Installed>,
}
