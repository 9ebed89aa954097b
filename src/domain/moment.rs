//! A moment as tags on a repository tell it, for people and for us: `2026-10-18T12:00:00Z`. Written
//! in one form only, so that text compares as time does, and no calendar is needed here.

use std::fmt;
use std::str::FromStr;

use super::names::InvalidName;

/// A second of UTC, as RFC 3339 writes it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(String);

/// How many seconds clocks of different machines may lie apart. Further apart one of them is wrong, and
/// nothing is deleted or issued by any of them.
pub const MOST_SECONDS_APART: u64 = 60;

/// What stands where in the one form: `0` for any digit.
const FORM: &[u8; 20] = b"0000-00-00T00:00:00Z";

impl Moment {
    /// The moment as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Moment {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fits = |(given, form): (u8, &u8)| match form {
            b'0' => given.is_ascii_digit(),
            fixed => given == *fixed,
        };
        if text.len() == FORM.len() && text.bytes().zip(FORM).all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName {
                text: text.to_owned(),
                kind: "moment",
                rule: "a second of UTC, like 2026-10-18T12:00:00Z",
            })
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
