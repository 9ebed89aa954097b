//! What holds of every text: an edited document says the same but for its images, the second edit
//! finds nothing to do, and no text at all makes the reader stop.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const IMAGES: [&str; 6] = [
    "nginx",
    "nginx:1.27",
    "quay.io/a/b:v1.2.3",
    "registry.corp.example:5000/team/app:2024-01-01",
    "ghcr.io/a/b@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "moved.example/x/y:1",
];

/// How an image is written, `@` standing for it and `~` for the indentation of a block.
const STYLES: [&str; 9] = [
    " @",
    "   @   ",
    "\t@ # a comment: with, signs",
    " '@'",
    " \"@\" # 'x'",
    " >-\n~@",
    " |\n~@",
    " &anchor @",
    " !!str @",
];

/// A pod's text: its containers' images and styles, and what surrounds them.
fn pods() -> impl Strategy<Value = String> {
    let container = (0..IMAGES.len(), 0..STYLES.len(), 0..4usize);
    let containers = prop::collection::vec(container, 1..5);
    (containers, prop::bool::ANY, prop::bool::ANY, 0..3usize).prop_map(
        |(containers, windows, marked, indent)| {
            let indent = " ".repeat(indent);
            let mut text = String::new();
            text += "# head: of the file\napiVersion: v1\nkind: Pod\nspec:\n  containers:\n";
            for (i, (image, style, before)) in containers.into_iter().enumerate() {
                let keys = ["", "name: é\n", "env: [{name: A, value: '@'}]\n", "# b\n"];
                let key = match keys[before].strip_suffix('\n') {
                    Some(it) if !it.starts_with('#') => format!("{it}\n  {indent}  "),
                    _ => String::new(),
                };
                let value = STYLES[style].replace('~', &format!("  {indent}      "));
                let value = value.replace('@', IMAGES[image]);
                let value = value.replace("&anchor", &format!("&anchor{i}"));
                text += &format!("  {indent}- {key}image:{value}\n");
            }
            text += "  nodeName: last";
            let text = if windows {
                text.replace('\n', "\r\n")
            } else {
                text
            };
            if marked {
                format!("\u{feff}{text}")
            } else {
                text
            }
        },
    )
}

/// The same value with the images of its containers where the tests lead them.
fn with_images_moved(mut pod: Value) -> Value {
    let containers = pod["spec"]["containers"].as_array_mut();
    for container in containers.into_iter().flatten() {
        let image = container["image"].as_str().unwrap();
        let block_end = if image.ends_with('\n') { "\n" } else { "" };
        container["image"] = Value::from(target(image.trim_end()) + block_end);
    }
    pod
}

fn parsed(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

proptest! {
    #[test]
    fn an_edited_document_says_the_same_but_for_its_images(text in pods()) {
        let after = moved("pod.yaml", &text);
        prop_assert_eq!(parsed(&after), with_images_moved(parsed(&text)));
        prop_assert_eq!(moved("pod.yaml", &after), after.as_str());
        outside_of_spans_nothing_changes("pod.yaml", &text, &after);
    }

    #[test]
    fn without_a_target_every_byte_stays(text in pods()) {
        let document = read("pod.yaml", text.as_bytes());
        prop_assert_eq!(edit("pod.yaml", &text, &document, &[]).unwrap().text, text);
    }

    #[test]
    fn no_text_stops_the_reader(
        words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..24),
        path in prop::sample::select(&PATHS[..]),
    ) {
        let text = words.concat();
        let document = read(path, text.as_bytes());
        let targets: Vec<_> = document.sites.iter().map(|it| target(&it.image)).collect();
        let targets: Vec<_> = targets.iter().map(|it| Some(it.as_str())).collect();
        // What may be refused is refused; what is handed out is read as it was meant.
        if let Ok(edited) = edit(path, &text, &document, &targets) {
            let again = read(path, edited.text.as_bytes());
            prop_assert_eq!(again.sites.len(), document.sites.len());
        }
    }
}

const PATHS: [&str; 8] = [
    "a.yaml",
    "values.yaml",
    "kustomization.yaml",
    "compose.yaml",
    ".gitlab-ci.yml",
    ".github/workflows/a.yml",
    "templates/a.yaml",
    "Dockerfile",
];

/// What texts that name images are made of, and what breaks them.
const WORDS: [&str; 40] = [
    "image: ",
    "images:\n",
    "- ",
    "nginx",
    "a/b:1",
    "quay.io/a/b:1",
    "\n",
    "\n  ",
    "\n    ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "'",
    "\"",
    "&a ",
    "*a",
    "<<: *a\n",
    "|\n  ",
    ">-\n  ",
    "# ",
    "---\n",
    "\t",
    "\r\n",
    "\u{feff}",
    "é",
    "containers:\n",
    "services:\n",
    "apiVersion: v1\nkind: Pod\n",
    "name: x",
    "newName: y",
    "newTag: 1",
    "repository: a/b",
    "registry: q.io",
    "tag: 1",
    "{{ x }}",
    "!Sub ",
    "? ",
    "$(x)",
];
