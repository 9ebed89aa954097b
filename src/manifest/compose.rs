//! Compose files: the images of their services.
//! <https://github.com/compose-spec/compose-spec/blob/main/05-services.md#image>

use super::found::Found;
use super::site::Context;
use super::tree::Cursor;
use crate::domain::rewrite::PullPolicy;

/// Reads a Compose file.
pub(super) fn read<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    let Some(services) = at.get("services") else {
        return;
    };
    for service in services.children() {
        // With `build`, the image is what is built here, and nothing pulls it.
        let built = service.get("build").is_some();
        let never = service.string("pull_policy") == Some("never");
        let context = Context {
            pull_policy: match built || never {
                true => PullPolicy::Never,
                false => PullPolicy::Pulls,
            },
            ..Context::default()
        };
        if let Some(image) = service.get("image") {
            found.whole(image, &context);
        }
    }
}

#[cfg(test)]
mod tests;
