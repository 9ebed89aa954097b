//! Workflows and actions of GitHub: the containers and services of their jobs, and steps that are
//! images.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>

use super::found::Found;
use super::kubernetes;
use super::site::Context;
use super::tree::Cursor;

/// What says that a step, or an action, is an image.
const SCHEME: &str = "docker://";

/// Reads a workflow or an action.
pub(super) fn read<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    let context = Context::default();
    for job in at.get("jobs").into_iter().flat_map(Cursor::children) {
        if let Some(container) = job.get("container") {
            match container.is_mapping() {
                true => kubernetes::container(found, container, &context),
                false => found.whole(container, &context),
            }
        }
        for service in job.get("services").into_iter().flat_map(Cursor::children) {
            if let Some(image) = service.get("image") {
                found.whole(image, &context);
            }
        }
        steps(found, job, &context);
    }
    if let Some(runs) = at.get("runs") {
        steps(found, runs, &context);
        if let Some(image) = runs.get("image") {
            match image.text() {
                Some(text) if text.starts_with(SCHEME) => {
                    found.after(image, SCHEME, &context);
                }
                // A path to a Dockerfile.
                _ => found.pass_over(image),
            }
        }
    }
}

fn steps<'a>(found: &mut Found<'a>, at: Cursor<'a>, context: &Context) {
    for step in at.get("steps").into_iter().flat_map(Cursor::items) {
        if let Some(uses) = step.get("uses") {
            found.after(uses, SCHEME, context);
        }
    }
}

#[cfg(test)]
mod tests;
