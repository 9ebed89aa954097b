//! Documents as ECR keeps them, read into the domain's canonical form. One that cannot be read is
//! kept as text: it is somebody's, and equals none of ours.

use crate::domain::repository::Reading;
use crate::domain::{lifecycle, policy};

/// A repository policy as ECR answers with it; `None` where it said that there is none.
pub(super) fn policy(text: Option<String>) -> Reading<policy::Document> {
    read(text, policy::Document::parse)
}

/// The same without the text that it was read from, for what is remembered.
pub(super) fn canonical_only(policy: Reading<policy::Document>) -> Reading<policy::Document> {
    match policy {
        Reading::Present(document) => Reading::Present(document.canonical_only()),
        Reading::NotRead | Reading::Absent | Reading::Foreign(_) => policy,
    }
}

/// A lifecycle policy as ECR answers with it; `None` where it said that there is none.
pub(super) fn lifecycle(text: Option<String>) -> Reading<lifecycle::Document> {
    read(text, lifecycle::Document::parse)
}

fn read<T, E>(text: Option<String>, parse: impl FnOnce(&str) -> Result<T, E>) -> Reading<T> {
    match text {
        None => Reading::Absent,
        Some(text) => match parse(&text) {
            Ok(document) => Reading::Present(document),
            Err(_) => Reading::Foreign(text),
        },
    }
}
