//! A repository's name put together without an allocation, to look it up.

/// The longest name that ECR takes.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
const LONGEST: usize = 256;
const SHORTEST: usize = 2;

/// Text of at most as many bytes as a repository's name may have.
#[derive(Clone, Copy)]
pub(super) struct Name {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Name {
    /// `parts` in a row, if they are not too long together.
    pub(super) fn of(parts: &[&str]) -> Option<Self> {
        let mut name = Self {
            bytes: [0; LONGEST],
            length: 0,
        };
        for part in parts {
            let end = name.length + part.len();
            name.bytes
                .get_mut(name.length..end)?
                .copy_from_slice(part.as_bytes());
            name.length = end;
        }
        Some(name)
    }

    /// The name of a repository, if ECR allows it. Its parts are paths, so only its length can be
    /// wrong.
    pub(super) fn of_repository(parts: &[&str]) -> Option<Self> {
        Self::of(parts).filter(|it| it.length >= SHORTEST)
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).expect("text in a row is text")
    }
}
