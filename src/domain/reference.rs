//! Image references: a borrowed parser that keeps the spelling and shows the normalised view. It
//! accepts exactly what `ParseNormalizedNamed` of <https://github.com/distribution/reference>
//! accepts, the library of Docker, containerd and the kubelet, and reads it the same way; it never
//! invents a tag and never allocates.

use std::fmt;

/// Docker Hub, the registry of every name that says no other.
pub const DOCKER_HUB: &str = "docker.io";

const LEGACY_DOCKER_HUB: &str = "index.docker.io";
const OFFICIAL: &str = "library/";
const LONGEST_PATH: usize = 255;
const LONGEST_TAG: usize = 128;
/// The algorithms of <https://github.com/opencontainers/go-digest>, and their hexadecimal digits.
const DIGESTS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

/// An image reference: its spelling, and what the spelling means.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Reference<'a> {
    text: &'a str,
    domain: &'a str,
    repository: Repository<'a>,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

/// The repository within its registry, `library/nginx` for `nginx`. Displays as that.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Repository<'a> {
    /// `library/` where Docker Hub's official images are meant and not written, else empty.
    pub implied: &'static str,
    /// What is written.
    pub written: &'a str,
}

impl<'a> Reference<'a> {
    /// Reads `text`, all of it: no surrounding space is forgiven.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Problem::Empty.at(0));
        }
        if text.len() == 64 && is_hex(text) {
            return Err(Problem::Identifier.at(0));
        }
        let (domain, rest) = split_domain(text)?;
        let start = text.len() - rest.len();
        let ends = |b: u8| matches!(b, b':' | b'@');
        let end = rest.bytes().position(ends).unwrap_or(rest.len());
        let (path, suffix) = rest.split_at(end);
        check_path(path).map_err(|it| it.moved(start))?;
        let official = domain == DOCKER_HUB && !path.contains('/');
        let repository = Repository {
            implied: if official { OFFICIAL } else { "" },
            written: path,
        };
        if repository.len() > LONGEST_PATH {
            return Err(Problem::PathTooLong.at(start));
        }
        let (tag, digest) = split_suffix(suffix).map_err(|it| it.moved(start + end))?;
        Ok(Self {
            text,
            domain,
            repository,
            tag,
            digest,
        })
    }

    /// The reference as it was written.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The registry's host, with its port where one is written; `docker.io` where none is meant.
    ///
    /// Empty for the odd name whose first component looks like a host and can be none, such as
    /// `my_host.example/app`: the library takes all of it for the repository, and so do we.
    pub fn domain(&self) -> &'a str {
        self.domain
    }

    /// The repository within that registry.
    pub fn repository(&self) -> Repository<'a> {
        self.repository
    }

    /// The tag, where one is written.
    pub fn tag(&self) -> Option<&'a str> {
        self.tag
    }

    /// The digest with its algorithm, where one is written.
    pub fn digest(&self) -> Option<&'a str> {
        self.digest
    }

    /// Everything spelt out but the tag that is not there: `docker.io/library/nginx` for `nginx`.
    pub fn normalised(&self) -> impl fmt::Display {
        Normalised(*self)
    }
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl Repository<'_> {
    /// The length of the name in bytes; never zero.
    #[expect(
        clippy::len_without_is_empty,
        reason = "no repository has an empty name"
    )]
    pub fn len(&self) -> usize {
        self.implied.len() + self.written.len()
    }
}

impl fmt::Display for Repository<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.implied)?;
        f.write_str(self.written)
    }
}

struct Normalised<'a>(Reference<'a>);

impl fmt::Display for Normalised<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reference {
            text: _,
            domain,
            repository,
            tag,
            digest,
        } = self.0;
        if !domain.is_empty() {
            write!(f, "{domain}/")?;
        }
        write!(f, "{repository}")?;
        if let Some(tag) = tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Why a text is no image reference, and where it stops being one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{problem}, at byte {at}")]
pub struct Error {
    /// What is wrong.
    pub problem: Problem,
    /// Where: an offset in bytes from the start of the reference.
    pub at: usize,
}

impl Error {
    fn moved(self, by: usize) -> Self {
        self.problem.at(self.at + by)
    }
}

/// What can be wrong with an image reference.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Problem {
    /// Nothing is there.
    #[error("the reference is empty")]
    Empty,
    /// 64 hexadecimal digits name an image on a node, not one in a registry.
    #[error("64 hexadecimal digits alone are an image id, not a name")]
    Identifier,
    /// A URL, not a reference.
    #[error("an image reference has no scheme such as https://")]
    Scheme,
    /// The first component can only be a host, and it is none.
    #[error("not a registry host")]
    Host,
    /// What follows a host's colon is no number.
    #[error("not a port number")]
    Port,
    /// A repository is named in lower case.
    #[error("an upper-case letter in the repository name")]
    Uppercase,
    /// A repository name has a character that it may not have.
    #[error("a character that no repository name has")]
    Character,
    /// A component of a repository name begins, ends or is joined as none may be.
    #[error(
        "a component of the repository name begins and ends with a letter or digit, and joins \
         them with one of . _ __ or hyphens"
    )]
    Component,
    /// The repository name is too long.
    #[error("the repository name is longer than {LONGEST_PATH} bytes")]
    PathTooLong,
    /// The tag is none.
    #[error("a tag is letters, digits, _ . and -, and begins with none of the last two")]
    Tag,
    /// The tag is too long.
    #[error("the tag is longer than {LONGEST_TAG} bytes")]
    TagTooLong,
    /// The digest's algorithm is not one that registries use.
    #[error("a digest begins with sha256: sha384: or sha512:")]
    Algorithm,
    /// The digest is too short, too long, or not in lower-case hexadecimal digits.
    #[error("a digest is 64 lower-case hexadecimal digits after sha256: (96 sha384, 128 sha512)")]
    Digest,
}

impl Problem {
    fn at(self, at: usize) -> Error {
        Error { problem: self, at }
    }
}

/// The domain that `text` means, and the rest of it that names repository, tag and digest.
fn split_domain(text: &str) -> Result<(&str, &str), Error> {
    let Some((first, rest)) = text.split_once('/') else {
        return Ok((DOCKER_HUB, text));
    };
    // An upper-case first component cannot be a repository's, so it is taken for a host.
    let marks_a_host = |b: u8| matches!(b, b'.' | b':' | b'A'..=b'Z');
    let names_a_host = first == "localhost" || first.bytes().any(marks_a_host);
    if !names_a_host {
        return Ok((DOCKER_HUB, text));
    }
    match check_domain(first) {
        Ok(()) if first == LEGACY_DOCKER_HUB => Ok((DOCKER_HUB, rest)),
        Ok(()) => Ok((first, rest)),
        // An underscore is no host's, but a repository's: the library then sees no domain at all.
        Err(_) if check_path(first).is_ok() => Ok(("", text)),
        Err(_) if first.ends_with(':') && rest.starts_with('/') => Err(Problem::Scheme.at(0)),
        Err(error) => Err(error),
    }
}

/// `(name | "[" IPv6 "]") [":" port]`; addresses are not looked at closer than their characters.
fn check_domain(text: &str) -> Result<(), Error> {
    let host_end = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, _)) if is_address(address) => address.len() + 2,
            _ => return Err(Problem::Host.at(0)),
        },
        None => {
            let end = text.find(':').unwrap_or(text.len());
            check_host(&text[..end])?;
            end
        }
    };
    match text[host_end..].strip_prefix(':') {
        Some(port) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => Ok(()),
        None if host_end == text.len() => Ok(()),
        _ => Err(Problem::Port.at(host_end)),
    }
}

fn is_address(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
}

fn check_host(host: &str) -> Result<(), Error> {
    let mut at = 0;
    for label in host.split('.') {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let wrong = label.starts_with('-') || label.ends_with('-') || label.is_empty();
        if wrong || !label.bytes().all(inner) {
            return Err(Problem::Host.at(at));
        }
        at += label.len() + 1;
    }
    Ok(())
}

/// `component ("/" component)*`, where a component is alphanumerics joined by `.`, `_`, `__` or
/// any number of hyphens.
fn check_path(path: &str) -> Result<(), Error> {
    let mut before = b'/';
    let mut underscores = 0;
    for (at, byte) in path.bytes().enumerate() {
        let alphanumeric_before = before.is_ascii_alphanumeric();
        underscores = if byte == b'_' { underscores + 1 } else { 0 };
        let joins = match byte {
            b'a'..=b'z' | b'0'..=b'9' => true,
            b'.' | b'/' => alphanumeric_before,
            b'_' => alphanumeric_before || (before == b'_' && underscores == 2),
            b'-' => alphanumeric_before || before == b'-',
            b'A'..=b'Z' => return Err(Problem::Uppercase.at(at)),
            _ => return Err(Problem::Character.at(at)),
        };
        if !joins {
            return Err(Problem::Component.at(at));
        }
        before = byte;
    }
    if before.is_ascii_alphanumeric() {
        Ok(())
    } else {
        Err(Problem::Component.at(path.len()))
    }
}

/// The tag and the digest of what follows a repository: empty, or begun by their `:` and `@`.
fn split_suffix(suffix: &str) -> Result<(Option<&str>, Option<&str>), Error> {
    let (tag, digest) = match suffix.split_once('@') {
        Some((tag, digest)) => (tag, Some(digest)),
        None => (suffix, None),
    };
    let tag = tag.strip_prefix(':');
    if let Some(tag) = tag {
        check_tag(tag).map_err(|it| it.moved(1))?;
    }
    if let Some(digest) = digest {
        check_digest(digest).map_err(|it| it.moved(suffix.len() - digest.len()))?;
    }
    Ok((tag, digest))
}

fn check_tag(tag: &str) -> Result<(), Error> {
    let wrong = |(at, byte): (usize, u8)| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => false,
        b'.' | b'-' => at == 0,
        _ => true,
    };
    if tag.is_empty() {
        return Err(Problem::Tag.at(0));
    }
    if let Some(at) = tag.bytes().enumerate().position(wrong) {
        return Err(Problem::Tag.at(at));
    }
    if tag.len() > LONGEST_TAG {
        return Err(Problem::TagTooLong.at(LONGEST_TAG));
    }
    Ok(())
}

fn check_digest(digest: &str) -> Result<(), Error> {
    let (algorithm, hex) = digest.split_once(':').unwrap_or((digest, ""));
    let Some((_, length)) = DIGESTS.iter().find(|(it, _)| *it == algorithm) else {
        return Err(Problem::Algorithm.at(0));
    };
    if hex.len() == *length && is_hex(hex) {
        Ok(())
    } else {
        Err(Problem::Digest.at(algorithm.len() + 1))
    }
}

/// Lower case only: go-digest takes no other.
fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
