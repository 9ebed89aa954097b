//! The images of a repository that is about to be deleted, as one look found them. Only what was
//! looked at is ever deleted, so the look says what each image is named by.

use std::collections::{BTreeMap, BTreeSet};

use super::{ImageId, MOST_IMAGES};
use crate::domain::Moment;

/// What a repository holds, and from which moment on what comes is not in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Look {
    /// AWS's time right before the first page was asked for.
    pub at: Moment,
    /// The images, by digest; none: the repository is empty.
    pub images: BTreeMap<String, Image>,
}

/// One image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image {
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// Whether it is made of others.
    pub kind: Kind,
    /// When it was pushed, or brought back from the archive.
    pub came: Moment,
    /// When it was last pushed, brought back or pulled.
    pub used: Moment,
}

/// Whether an image is made of others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// An index, which ECR deletes before the images that it lists.
    Index,
    /// Any other.
    Single,
}

impl Look {
    /// When an image was last used; `None`: there is none.
    pub fn last_use(&self) -> Option<&Moment> {
        self.images.values().map(|it| &it.used).max()
    }

    /// Whether an image came at `moment` or later.
    pub fn came_since(&self, moment: &Moment) -> bool {
        self.images.values().any(|it| it.came >= *moment)
    }

    /// Whether there is an image or a tag that an `earlier` look did not find.
    pub fn has_more_than(&self, earlier: &Self) -> bool {
        self.images
            .iter()
            .any(|(digest, it)| match earlier.images.get(digest) {
                Some(before) => !it.tags.is_subset(&before.tags),
                None => true,
            })
    }

    /// The images of the next call: indexes alone while there are some.
    pub fn batch(&self) -> BTreeSet<ImageId> {
        let of = |kind: Kind| {
            let images = self.images.iter().filter(move |(_, it)| it.kind == kind);
            images.flat_map(|(digest, it)| ids(digest, it))
        };
        let mut indexes = of(Kind::Index).peekable();
        match indexes.peek() {
            Some(_) => indexes.take(MOST_IMAGES).collect(),
            None => of(Kind::Single).take(MOST_IMAGES).collect(),
        }
    }

    /// Takes out what was asked to be deleted. What ECR did not delete, the next look finds again.
    pub fn without(&mut self, batch: &BTreeSet<ImageId>) {
        for ImageId { digest, tag } in batch {
            let Some(image) = self.images.get_mut(digest) else {
                continue;
            };
            if let Some(tag) = tag {
                image.tags.remove(tag);
            }
            if image.tags.is_empty() {
                self.images.remove(digest);
            }
        }
    }
}

fn ids(digest: &str, image: &Image) -> Vec<ImageId> {
    let id = |tag: Option<&String>| ImageId {
        digest: digest.to_owned(),
        tag: tag.cloned(),
    };
    if image.tags.is_empty() {
        return vec![id(None)];
    }
    image.tags.iter().map(|tag| id(Some(tag))).collect()
}

#[cfg(test)]
mod tests;
