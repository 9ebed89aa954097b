use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::document::parse;
use super::evaluate;
use crate::emulator::ecr::push;
use crate::emulator::manifest::{self, Manifest};
use crate::emulator::state::{Repository, Status};

const DAY: i64 = 24;

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn ago(days: i64) -> Timestamp {
    now()
        .checked_sub(SignedDuration::from_hours(days * DAY))
        .unwrap()
}

/// A repository of images, each with its tags and its age in days. An image is called by its
/// first tag, or by its number.
fn repository(images: &[(&[&str], i64)]) -> Repository {
    let mut repository = Repository::new(ago(1000));
    for (index, (tags, age)) in images.iter().enumerate() {
        let name = tags
            .first()
            .map_or_else(|| index.to_string(), |it| (*it).to_owned());
        let (manifest, _) = manifest::make_up("web", &name);
        push::keep(&mut repository, &manifest, None, ago(*age));
        for tag in *tags {
            push::keep(&mut repository, &manifest, Some(tag), ago(*age));
        }
    }
    repository
}

fn digest_of(name: &str) -> String {
    manifest::make_up("web", name).0.digest()
}

fn rule(priority: u64, selection: &Value, action: &str) -> Value {
    let action = match action {
        "expire" => json!({"type": "expire"}),
        _ => json!({"type": "transition", "targetStorageClass": "archive"}),
    };
    json!({"rulePriority": priority, "selection": selection, "action": action})
}

/// The names of the images that are acted on, with the rule's priority.
fn acted_on(repository: &Repository, names: &[&str], rules: &[Value]) -> Vec<(String, u64)> {
    let rules = parse(&json!({"rules": rules}).to_string()).unwrap();
    let marked = evaluate(&rules, repository, now());
    let named = names.iter().filter_map(|it| {
        Some((
            (*it).to_owned(),
            marked.get(digest_of(it).as_str())?.priority,
        ))
    });
    named.collect()
}

fn more_than(number: u64) -> Value {
    json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": number})
}

fn tagged(list: &str, words: &[&str], number: u64) -> Value {
    json!({"tagStatus": "tagged", list: words, "countType": "imageCountMoreThan", "countNumber": number})
}

#[test]
fn the_newest_so_many_are_kept() {
    let repository = repository(&[(&["a"], 3), (&["b"], 2), (&["c"], 1)]);
    let acted = acted_on(
        &repository,
        &["a", "b", "c"],
        &[rule(1, &more_than(2), "expire")],
    );
    assert_eq!(acted, [("a".to_owned(), 1)]);
}

#[test]
fn an_image_belongs_to_the_first_rule_that_selects_it_and_still_counts_for_the_others() {
    let repository = repository(&[(&["rel-1"], 4), (&["rel-2"], 3), (&["x"], 2), (&["y"], 1)]);
    let rules = [
        rule(1, &tagged("tagPrefixList", &["rel-"], 5), "expire"),
        rule(2, &more_than(1), "expire"),
    ];
    let acted = acted_on(&repository, &["rel-1", "rel-2", "x", "y"], &rules);
    assert_eq!(
        acted,
        [("x".to_owned(), 2)],
        "releases are the first rule's, which keeps them"
    );
}

#[test]
fn several_patterns_of_one_rule_must_all_fit() {
    let repository = repository(&[(&["a-prod", "web-1"], 2), (&["b-prod"], 1)]);
    let rules = [rule(
        1,
        &tagged("tagPatternList", &["*prod", "web*"], 1),
        "expire",
    )];
    assert_eq!(acted_on(&repository, &["a-prod", "b-prod"], &rules), []);
    let rules = [rule(1, &tagged("tagPatternList", &["*prod"], 1), "expire")];
    assert_eq!(
        acted_on(&repository, &["a-prod", "b-prod"], &rules),
        [("a-prod".to_owned(), 1)]
    );
}

#[test]
fn untagged_images_go_by_age() {
    let repository = repository(&[(&[], 8), (&[], 6), (&["t"], 9)]);
    let selection = json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7});
    let acted = acted_on(
        &repository,
        &["0", "1", "t"],
        &[rule(1, &selection, "expire")],
    );
    assert_eq!(acted, [("0".to_owned(), 1)]);
}

#[test]
fn what_an_index_lists_stays_as_long_as_the_index() {
    let mut repository = repository(&[(&[], 9)]);
    let child = digest_of("0");
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"digest": child, "size": 1, "mediaType": manifest::OCI_IMAGE}],
    });
    let index = Manifest::read(index.to_string(), None).unwrap();
    push::keep(&mut repository, &index, Some("multi"), ago(9));
    let selection = json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1});
    let rules = [rule(1, &selection, "expire")];
    assert_eq!(acted_on(&repository, &["0"], &rules), []);
    repository.remove(&index.digest());
    assert_eq!(acted_on(&repository, &["0"], &rules), [("0".to_owned(), 1)]);
}

#[test]
fn images_nobody_pulled_are_archived_and_the_archive_is_cleared_later() {
    let mut repository = repository(&[(&["idle"], 100), (&["busy"], 100), (&["old"], 400)]);
    repository
        .images
        .get_mut(&digest_of("busy"))
        .unwrap()
        .pulled = Some(ago(1));
    let old = repository.images.get_mut(&digest_of("old")).unwrap();
    old.status = Status::Archived;
    old.archived = Some(ago(200));
    let since = |kind: &str, storage: &str| json!({"tagStatus": "any", "countType": kind, "countUnit": "days", "countNumber": 90, "storageClass": storage});
    let rules = [
        rule(1, &since("sinceImagePulled", "standard"), "transition"),
        rule(2, &since("sinceImageTransitioned", "archive"), "expire"),
    ];
    let acted = acted_on(&repository, &["idle", "busy", "old"], &rules);
    assert_eq!(acted, [("idle".to_owned(), 1), ("old".to_owned(), 2)]);
}
