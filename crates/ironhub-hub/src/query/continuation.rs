//! Where the next page of a query begins, as text that clients hand back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use xxhash_rust::xxh3::xxh3_64;

use crate::ports::Key;

/// A place in the rows of one query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// Rows on the pages before; `TOP` counts over all pages.
    pub(super) emitted: u64,
    /// The key of the last row before.
    pub(super) after: Option<Key>,
}

impl Position {
    /// `{hash of the query}.{rows before}.{key}`; the hash keeps a token from being used with another query.
    pub(super) fn token(&self, query: &str) -> String {
        let key = self.after.as_ref().map_or("", Key::as_str);
        let hash = xxh3_64(query.as_bytes());
        format!("{hash:016x}.{}.{}", self.emitted, URL_SAFE_NO_PAD.encode(key))
    }

    /// `None` for a text that is no token of this query.
    pub(super) fn parse(token: &str, query: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (hash, emitted, key) = (parts.next()?, parts.next()?, parts.next()?);
        let is_own = u64::from_str_radix(hash, 16) == Ok(xxh3_64(query.as_bytes()));
        if !is_own || parts.next().is_some() {
            return None;
        }
        let key = String::from_utf8(URL_SAFE_NO_PAD.decode(key).ok()?).ok()?;
        Some(Self {
            emitted: emitted.parse().ok()?,
            after: (!key.is_empty()).then(|| Key::new(key)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_for_their_own_query_only() {
        let longest = format!("{}/{}", "%".repeat(128), "$".repeat(128));
        for after in [None, Some(Key::new("d")), Some(Key::new(longest))] {
            let position = Position {
                emitted: u64::MAX,
                after,
            };
            let token = position.token("SELECT * FROM devices");
            assert!(
                token.len() < 2048 && token.bytes().all(|b| b.is_ascii_graphic()),
                "{token}"
            );
            assert_eq!(Position::parse(&token, "SELECT * FROM devices"), Some(position));
            assert_eq!(Position::parse(&token, "SELECT * FROM devices "), None);
        }
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let own = Position::default().token("q");
        for bad in [
            "",
            ".",
            "..",
            "0.0.",
            &own.replace(".0.", ".-1."),
            &format!("{own}.x"),
            &format!("{own}%"),
        ] {
            assert_eq!(Position::parse(bad, "q"), None, "{bad}");
        }
    }
}
