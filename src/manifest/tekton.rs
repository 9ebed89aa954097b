//! Parameters of Tekton whose defaults are the images of steps: `image: $(params.builder)` says that
//! the default of `builder` is an image, as the default of an argument does that a Dockerfile begins
//! a stage with. What a run or a pipeline gives instead is told like any other text.
//! <https://tekton.dev/docs/pipelines/tasks/#specifying-parameters>

use super::found::Found;
use super::site::Context;
use super::tree::{Cursor, DEEPEST};

/// Reads the defaults that the steps of a document name.
pub(super) fn defaults<'a>(found: &mut Found<'a>, at: Cursor<'a>, context: &Context) {
    within(found, at, &mut Vec::new(), context);
}

/// `declared` are the lists of parameters around this place, the nearest last.
fn within<'a>(
    found: &mut Found<'a>,
    at: Cursor<'a>,
    declared: &mut Vec<Cursor<'a>>,
    context: &Context,
) {
    if declared.len() > DEEPEST || !found.may_look() {
        return;
    }
    // Before v1beta1, parameters were inputs.
    let list = at.get("params").or(at.find(&["inputs", "params"]));
    declared.extend(list);
    let steps = ["steps", "sidecars"]
        .into_iter()
        .filter_map(|it| at.get(it));
    let steps = steps.flat_map(Cursor::items).chain(at.get("stepTemplate"));
    for image in steps
        .filter_map(|it| it.get("image"))
        .chain(at.get("image"))
    {
        let name = image.text().and_then(parameter);
        let default = name.and_then(|it| default_of(declared, it));
        if let Some(default) = default.filter(|it| it.text().is_some_and(|it| !it.contains("$("))) {
            found.whole(default, context);
        }
    }
    at.children()
        .for_each(|it| within(found, it, declared, context));
    if list.is_some() {
        declared.pop();
    }
}

/// The default of a parameter where it is declared nearest.
fn default_of<'a>(declared: &[Cursor<'a>], name: &str) -> Option<Cursor<'a>> {
    let lists = declared.iter().rev();
    let mut items = lists.flat_map(|it| it.items());
    items
        .find(|it| it.string("name") == Some(name))?
        .get("default")
}

/// The parameter that all of a text stands for.
fn parameter(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("$(")?.strip_suffix(')')?;
    let inner = inner.strip_prefix("inputs.").unwrap_or(inner);
    let inner = inner.strip_prefix("params")?;
    match inner.strip_prefix('.') {
        Some(name) => Some(name),
        None => inner
            .strip_prefix('[')?
            .strip_suffix(']')
            .map(|it| it.trim_matches(['"', '\''])),
    }
}

#[cfg(test)]
mod tests;
