//! What the leader finds out now and then beside the objects: whether the API server reaches
//! admission, and which policies it takes. Reconciliations show it; nothing decides by it.

use std::collections::BTreeMap;

use arc_swap::{ArcSwap, ArcSwapOption};

use super::image_admission_policy::reach::Reach;

/// The last findings. What has not been looked for yet leaves in status what stands there.
#[derive(Debug, Default)]
pub struct Checks {
    /// What the last probe of admission came to; `None` before the first, and without policies.
    pub admission: ArcSwapOption<Reach>,
    /// The image policies whose selectors the API server does not take, with its words.
    pub refused: ArcSwap<BTreeMap<String, String>>,
}
