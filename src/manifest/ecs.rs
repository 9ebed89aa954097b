//! Task definitions of ECS: as the API takes them, as a list of containers alone, and as resources
//! of CloudFormation.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html>

use super::found::Found;
use super::site::Context;
use super::tree::{Cursor, DEEPEST};

/// The names of a key, as the API has it and as CloudFormation does.
struct Key(&'static str, &'static str);

const CONTAINERS: Key = Key("containerDefinitions", "ContainerDefinitions");
const IMAGE: Key = Key("image", "Image");

/// Reads task definitions, wherever they are in a document.
pub(super) fn read<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    containers(found, at);
    within(found, at, 0);
}

fn within<'a>(found: &mut Found<'a>, at: Cursor<'a>, depth: usize) {
    if depth > DEEPEST || !found.may_look() {
        return;
    }
    if let Some(list) = get(at, &CONTAINERS) {
        containers(found, list);
    }
    at.children().for_each(|it| within(found, it, depth + 1));
}

fn containers<'a>(found: &mut Found<'a>, list: Cursor<'a>) {
    for item in list.items() {
        if let Some(image) = get(item, &IMAGE) {
            let context = Context {
                kind: "TaskDefinition".to_owned(),
                ..Context::default()
            };
            found.whole(image, &context);
        }
    }
}

fn get<'a>(at: Cursor<'a>, Key(api, template): &Key) -> Option<Cursor<'a>> {
    at.get(api).or_else(|| at.get(template))
}

#[cfg(test)]
mod tests;
