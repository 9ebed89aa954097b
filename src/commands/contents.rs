//! The contents of a file that people edit. How much is read is bounded, whatever the file says of its
//! length and however it grows meanwhile.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::manifest::LARGEST;

/// What a file holds.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Contents {
    /// All of its bytes.
    Bytes(Vec<u8>),
    /// More than [`LARGEST`] bytes, which are not read.
    TooLarge,
}

/// The contents of a regular file, or of what a link leads to.
///
/// # Errors
/// When it cannot be read, or is a pipe, a socket or a device, which may have no end.
pub(super) fn read(path: &Path) -> io::Result<Contents> {
    // Before it is opened: opening a pipe waits for somebody who writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    of(File::open(path)?)
}

/// The contents of an open file. A sparse file claims a length that no disk has, and a pipe none.
///
/// # Errors
/// When it cannot be read.
pub(super) fn of(file: File) -> io::Result<Contents> {
    let largest = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    let length = file.metadata()?.len();
    if length > largest {
        return Ok(Contents::TooLarge);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(LARGEST));
    file.take(largest.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(match bytes.len() > LARGEST {
        true => Contents::TooLarge,
        false => Contents::Bytes(bytes),
    })
}
