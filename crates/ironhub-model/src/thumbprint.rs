//! Fingerprints of X.509 certificates.

use std::fmt::{self, Write};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde::{Deserialize, Serialize};

/// A certificate's SHA-1 or SHA-256 hash; prints as the text it was given as.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Thumbprint {
    text: String,
    hash: Vec<u8>,
}

/// The text is neither 40 nor 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a thumbprint has 40 (SHA-1) or 64 (SHA-256) hexadecimal digits")]
pub struct InvalidThumbprint;

impl Thumbprint {
    /// Parses 40 or 64 hexadecimal digits; blanks and colons between them, as certificate tools print, are dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidThumbprint> {
        let text: String = text.chars().filter(|c| !matches!(c, ' ' | ':')).collect();
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
            .collect();
        match digits {
            Some(digits) if matches!(digits.len(), 40 | 64) => {
                let (pairs, _) = digits.as_chunks::<2>();
                Ok(Self {
                    hash: pairs.iter().map(|[high, low]| high << 4 | low).collect(),
                    text,
                })
            }
            _ => Err(InvalidThumbprint),
        }
    }

    /// The SHA-256 thumbprint of the certificate with these DER bytes.
    pub fn sha256_of(certificate_der: &[u8]) -> Self {
        let hash = digest(&SHA256, certificate_der).as_ref().to_vec();
        let text = hash.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02X}");
            text
        });
        Self { text, hash }
    }

    /// Is this the hash of the certificate with these DER bytes?
    pub fn matches(&self, certificate_der: &[u8]) -> bool {
        let algorithm = if self.hash.len() == 20 {
            &SHA1_FOR_LEGACY_USE_ONLY
        } else {
            &SHA256
        };
        digest(algorithm, certificate_der).as_ref() == self.hash
    }

    /// As registered, without blanks and colons.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Thumbprint {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Thumbprint {}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Thumbprint {
    type Error = InvalidThumbprint;

    fn try_from(text: String) -> Result<Self, InvalidThumbprint> {
        Self::parse(&text)
    }
}

impl From<Thumbprint> for String {
    fn from(thumbprint: Thumbprint) -> Self {
        thumbprint.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hashes_match_their_certificate() {
        // FIPS 180-2 test vector: the hashes of "abc".
        let sha1 = "A9:99:3E:36 4706816ABA3E25717850C26C9CD0D89D";
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for text in [sha1, sha256] {
            let thumbprint = Thumbprint::parse(text).unwrap();
            assert!(thumbprint.matches(b"abc"), "{text}");
            assert!(!thumbprint.matches(b"abd"), "{text}");
        }
        assert_eq!(Thumbprint::sha256_of(b"abc").as_str(), sha256.to_uppercase());
    }

    #[test]
    fn other_lengths_are_refused() {
        for text in ["", "a9", &"0".repeat(41), &"g".repeat(40), &"0".repeat(63)] {
            assert_eq!(Thumbprint::parse(text).err(), Some(InvalidThumbprint), "{text}");
        }
    }
}
