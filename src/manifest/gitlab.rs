//! Pipelines of GitLab: the images and services of all jobs, and of each.
//! <https://docs.gitlab.com/ci/yaml/#image>

use super::found::Found;
use super::site::Context;
use super::tree::Cursor;

/// Keys of a pipeline that are no jobs.
const NO_JOBS: [&str; 6] = [
    "variables",
    "include",
    "stages",
    "workflow",
    "spec",
    "cache",
];

/// Reads a pipeline.
pub(super) fn read<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    job(found, at);
    for (name, value) in at.pairs() {
        if value.is_mapping() && !NO_JOBS.contains(&name) {
            job(found, value);
        }
    }
}

fn job<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    let services = at.get("services").into_iter().flat_map(Cursor::items);
    for image in at.get("image").into_iter().chain(services) {
        // A string, or an object with the string in its name.
        found.whole(image.get("name").unwrap_or(image), &Context::default());
    }
}

#[cfg(test)]
mod tests;
