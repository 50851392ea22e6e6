//! Symmetric keys of identities and policies.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::limits::{KEY_BYTES_MAX, KEY_BYTES_MIN};
use crate::sas_token::constant_time_eq;

/// A shared secret. It prints as `…`; only [`SymmetricKey::expose`] gives the text out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SymmetricKey {
    text: Arc<str>,
    bytes: Arc<[u8]>,
}

/// The text is not base64 of 16 to 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a symmetric key is base64 of 16 to 64 bytes")]
pub struct InvalidKey;

impl SymmetricKey {
    /// Parses base64 text; the text is kept as given, since clients compare it.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let bytes = STANDARD.decode(text).map_err(|_| InvalidKey)?;
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&bytes.len()) {
            return Err(InvalidKey);
        }
        Ok(Self {
            text: text.into(),
            bytes: bytes.into(),
        })
    }

    /// A key of the given bytes, which come from a random source.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKey> {
        Self::parse(&STANDARD.encode(bytes))
    }

    /// The secret bytes, the HMAC key of SAS tokens.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Is this the same key, though perhaps written in another way? Compares in constant time.
    pub fn is_same_secret(&self, other: &Self) -> bool {
        constant_time_eq(&self.bytes, &other.bytes)
    }

    /// The base64 text, for answers to those who may read keys.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl TryFrom<String> for SymmetricKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        Self::parse(&text)
    }
}

impl From<SymmetricKey> for String {
    fn from(key: SymmetricKey) -> Self {
        key.text.as_ref().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_once_decoded() {
        for (text, good) in [
            ("", false),
            ("1", false),
            ("not base64!", false),
            (&STANDARD.encode([7; 15]), false),
            (&STANDARD.encode([7; 16]), true),
            (&STANDARD.encode([7; 64]), true),
            (&STANDARD.encode([7; 65]), false),
        ] {
            assert_eq!(SymmetricKey::parse(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn never_prints_itself() {
        let key = SymmetricKey::from_bytes(&[7; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "…");
    }
}
