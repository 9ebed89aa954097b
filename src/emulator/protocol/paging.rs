//! Pages with opaque tokens. A token says after which item to go on, and belongs to one operation
//! and one set of parameters: shown to another it is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::super::refusal::Refusal;

/// Which page is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// At most this many items.
    size: usize,
    /// The key of the last item of the page before.
    after: Option<String>,
    /// What the token must have been made for.
    of: String,
}

impl Page {
    /// Reads the page that a request asks for. `of` names what is listed, with everything that
    /// selects it; `default` is the size where none is given.
    pub(crate) fn new(
        of: impl Into<String>,
        size: Option<usize>,
        default: usize,
        token: Option<&str>,
    ) -> Result<Self, Refusal> {
        let of = seal(&of.into());
        let after = match token {
            None => None,
            Some(token) => Some(open(token, &of).ok_or_else(|| {
                Refusal::invalid("nextToken", "Invalid or expired pagination token")
            })?),
        };
        Ok(Self {
            size: size.unwrap_or(default).max(1),
            after,
            of,
        })
    }

    /// Takes this page of `items`, which are sorted by `key`, and the token of the next one.
    pub(crate) fn take<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let past = |it: &T| self.after.as_ref().is_none_or(|after| key(it) > *after);
        let mut rest = items.into_iter().filter(past);
        let page: Vec<T> = rest.by_ref().take(self.size).collect();
        let more = rest.next().is_some();
        let token = page.last().filter(|_| more).map(|it| self.token(&key(it)));
        (page, token)
    }

    fn token(&self, last: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}\n{last}", self.of))
    }
}

fn seal(of: &str) -> String {
    super::super::state::hex(&Sha256::digest(of))[..16].to_owned()
}

fn open(token: &str, of: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (sealed, after) = text.split_once('\n')?;
    (sealed == of).then(|| after.to_owned())
}

/// The next token as a member of an answer, left out where there is none.
pub(crate) fn with_token(
    mut answer: serde_json::Value,
    token: Option<String>,
) -> serde_json::Value {
    if let Some(token) = token {
        answer["nextToken"] = token.into();
    }
    answer
}
