use super::*;

fn moment(day: u32) -> Moment {
    format!("2026-05-{day:02}T00:00:00Z").parse().unwrap()
}

fn image(kind: Kind, tags: &[&str], day: u32) -> Image {
    Image {
        tags: tags.iter().copied().map(str::to_owned).collect(),
        kind,
        came: moment(day),
        used: moment(day),
    }
}

fn look(images: &[(&str, Image)]) -> Look {
    let images = images.iter().cloned();
    Look {
        at: moment(20),
        images: images.map(|(it, image)| (it.to_owned(), image)).collect(),
    }
}

fn names(batch: &BTreeSet<ImageId>) -> Vec<String> {
    let name = |it: &ImageId| format!("{}:{}", it.digest, it.tag.as_deref().unwrap_or("-"));
    batch.iter().map(name).collect()
}

#[test]
fn batches_have_indexes_before_their_children_and_end() {
    let mut look = look(&[
        ("child", image(Kind::Single, &[], 1)),
        ("index", image(Kind::Index, &["1.0", "latest"], 1)),
        ("single", image(Kind::Single, &["old"], 1)),
    ]);
    let first = look.batch();
    assert_eq!(names(&first), ["index:1.0", "index:latest"]);
    look.without(&first);
    let second = look.batch();
    assert_eq!(names(&second), ["child:-", "single:old"]);
    look.without(&second);
    assert_eq!(look.batch(), BTreeSet::new());
    assert!(look.images.is_empty());
}

#[test]
fn batches_have_no_more_than_ecr_takes() {
    let tags: Vec<String> = (0..250).map(|it| it.to_string()).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let mut look = look(&[("many", image(Kind::Single, &tags, 1))]);
    let mut sizes = Vec::new();
    while !look.images.is_empty() {
        let batch = look.batch();
        sizes.push(batch.len());
        look.without(&batch);
    }
    assert_eq!(sizes, [100, 100, 50]);
}

#[test]
fn what_came_is_an_image_or_a_tag_that_was_not_there() {
    let before = look(&[
        ("a", image(Kind::Single, &["1"], 1)),
        ("b", image(Kind::Single, &[], 2)),
    ]);
    let fewer = look(&[("a", image(Kind::Single, &[], 1))]);
    assert!(!fewer.has_more_than(&before));
    let retagged = look(&[("a", image(Kind::Single, &["1", "2"], 1))]);
    assert!(retagged.has_more_than(&before));
    let pushed = look(&[("c", image(Kind::Single, &["1"], 3))]);
    assert!(pushed.has_more_than(&before));
    assert!(pushed.came_since(&moment(3)) && !pushed.came_since(&moment(4)));
    assert_eq!(before.last_use(), Some(&moment(2)));
}
