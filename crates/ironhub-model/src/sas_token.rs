//! Shared access signatures.
//!
//! Rules: Azure documentation "Control access to IoT Hub by using shared access signatures", and the validator in
//! `Azure/iotedge`, `edge-util/.../SharedAccessSignature.cs`. The signed string is `sr` and `se` exactly as they stand
//! in the token, joined by a line feed.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::limits::SAS_TOKEN_BYTES_MAX;
use crate::percent;
use crate::symmetric_key::SymmetricKey;
use crate::timestamp::Timestamp;

/// A parsed token; borrowed from its text. Parsed does not mean genuine: see [`SasToken::is_signed_with`].
#[derive(Clone, PartialEq, Eq)]
pub struct SasToken<'a> {
    resource: &'a str,
    signature: Vec<u8>,
    expiry: &'a str,
    expires_at: Timestamp,
    policy: Option<Cow<'a, str>>,
}

/// Why a text is not a token. Never holds the token itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSasToken {
    /// It does not start with `SharedAccessSignature` and one blank, or is far too long.
    #[error("it does not start with \"SharedAccessSignature \"")]
    Scheme,
    /// `sr`, `sig` or `se` is missing.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// A field is there but cannot be read.
    #[error("the field {0} cannot be read")]
    Malformed(&'static str),
}

impl<'a> SasToken<'a> {
    /// Parses a token. Fields come in any order; names are case-insensitive; an empty `skn` is none (the C SDK's HTTP
    /// path sends it so); unknown fields are ignored.
    pub fn parse(text: &'a str) -> Result<Self, InvalidSasToken> {
        let mut words = text.split_ascii_whitespace();
        let (Some("SharedAccessSignature"), Some(fields), None) = (words.next(), words.next(), words.next()) else {
            return Err(InvalidSasToken::Scheme);
        };
        if text.len() > SAS_TOKEN_BYTES_MAX {
            return Err(InvalidSasToken::Scheme);
        }
        let field = |name: &'static str| {
            let mut pairs = fields.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        let resource = field("sr")
            .filter(|sr| !sr.is_empty())
            .ok_or(InvalidSasToken::Missing("sr"))?;
        let expiry = field("se").ok_or(InvalidSasToken::Missing("se"))?;
        let policy = match field("skn") {
            None | Some("") => None,
            Some(name) => Some(percent::decode(name).ok_or(InvalidSasToken::Malformed("skn"))?),
        };
        Ok(Self {
            resource,
            signature: signature(field("sig").ok_or(InvalidSasToken::Missing("sig"))?)?,
            expiry,
            expires_at: expires_at(expiry)?,
            policy,
        })
    }

    /// Was the token made with this key? Compares in constant time.
    pub fn is_signed_with(&self, key: &SymmetricKey) -> bool {
        self.is_signed_with_bytes(key.bytes())
    }

    /// The same for a raw HMAC key; the Event Hubs surface signs with the key's text instead of its decoded bytes.
    pub fn is_signed_with_bytes(&self, key: &[u8]) -> bool {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        context.update(self.resource.as_bytes());
        context.update(b"\n");
        context.update(self.expiry.as_bytes());
        constant_time_eq(context.sign().as_ref(), &self.signature)
    }

    /// `sr` exactly as it stands in the token.
    pub fn resource(&self) -> &'a str {
        self.resource
    }

    /// The name of the policy whose key signed; none means the key of the identity named in `sr`.
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// When the token ends by itself; the hub adds its clock skew.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Is the token still good at `now`, given the allowance for clocks that differ?
    pub fn is_live(&self, now: Timestamp, skew: Duration) -> bool {
        now <= self.expires_at.saturating_add(skew)
    }
}

impl std::fmt::Debug for SasToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("SasToken");
        shown
            .field("resource", &self.resource)
            .field("expires_at", &self.expires_at);
        shown.field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Makes a token for `resource` (encoded here), as the current Python and Node SDKs write it.
pub fn sign(resource: &str, key: &SymmetricKey, expires_at: Timestamp, policy: Option<&str>) -> String {
    sign_with_bytes(resource, key.bytes(), expires_at, policy)
}

/// The same with a raw HMAC key; Event Hubs clients sign with the key's text instead of its decoded bytes.
pub fn sign_with_bytes(resource: &str, key: &[u8], expires_at: Timestamp, policy: Option<&str>) -> String {
    let resource = percent::encode(resource);
    let expiry = expires_at.as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, format!("{resource}\n{expiry}").as_bytes());
    let signature = percent::encode(&STANDARD.encode(tag.as_ref()));
    let policy = policy
        .map(|name| format!("&skn={}", percent::encode(name)))
        .unwrap_or_default();
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}{policy}")
}

fn signature(field: &str) -> Result<Vec<u8>, InvalidSasToken> {
    let text = percent::decode(field).ok_or(InvalidSasToken::Malformed("sig"))?;
    STANDARD
        .decode(text.as_bytes())
        .map_err(|_| InvalidSasToken::Malformed("sig"))
}

/// Seconds since the epoch; some clients write a fraction or an exponent.
fn expires_at(field: &str) -> Result<Timestamp, InvalidSasToken> {
    if let Ok(seconds) = field.parse::<i64>() {
        return Ok(Timestamp::from_secs(seconds));
    }
    match field.parse::<f64>() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float cast saturates, and Timestamp clamps"
        )]
        Ok(seconds) if seconds.is_finite() => Ok(Timestamp::from_secs(seconds as i64)),
        _ => Err(InvalidSasToken::Malformed("se")),
    }
}

pub(crate) fn constant_time_eq(expected: &[u8], given: &[u8]) -> bool {
    expected.len() == given.len() && expected.iter().zip(given).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

    #[track_caller]
    fn check(resource: &str, signature: &str) {
        let key = SymmetricKey::parse(KEY).unwrap();
        let encoded = percent::encode(signature);
        for text in [
            format!("SharedAccessSignature sr={resource}&sig={encoded}&se=1893456000"),
            format!(
                "SharedAccessSignature SIG={}&Se=1893456000&SR={resource}&skn=",
                encoded.to_lowercase_escapes()
            ),
        ] {
            let token = SasToken::parse(&text).unwrap();
            assert!(token.is_signed_with(&key), "{text}");
            assert_eq!(token.resource(), resource);
            assert_eq!(token.policy(), None);
            assert_eq!(token.expires_at().as_secs(), 1_893_456_000);
        }
        let other = SymmetricKey::from_bytes(&[1; 32]).unwrap();
        let text = format!("SharedAccessSignature sr={resource}&sig={encoded}&se=1893456000");
        assert!(!SasToken::parse(&text).unwrap().is_signed_with(&other));
        let later = format!("SharedAccessSignature sr={resource}&sig={encoded}&se=1893456001");
        assert!(!SasToken::parse(&later).unwrap().is_signed_with(&key));
    }

    trait LowercaseEscapes {
        fn to_lowercase_escapes(&self) -> String;
    }

    impl LowercaseEscapes for String {
        /// `%2F` becomes `%2f`, as the C SDK writes it.
        fn to_lowercase_escapes(&self) -> String {
            self.replace("%2F", "%2f").replace("%3D", "%3d").replace("%2B", "%2b")
        }
    }

    #[test]
    fn tokens_of_every_sdk_verify() {
        check(
            "hub.example.test%2Fdevices%2FDev-01",
            "41zr7qxfHBJOk04KfOgJl7iCrb32JmwNT9Tpz0zvA3Y=",
        );
        check(
            "hub.example.test/devices/Dev-01",
            "03e8xfe0KdVK5ee1rPs+iTdN44+qsqWvETCwBMJdeJY=",
        );
        check(
            "hub.example.test%2Fdevices%2Fdev-01",
            "syKQ6IVoX5bzzTNCtVt+mhUcN42qnd9P7UJyU3nxTnM=",
        );
        check(
            "hub.example.test%2fdevices%2fDev-01",
            "ZYm0xcrQNxE2bhEa+ooRTKfh8sVoCetF9Ymv+hUZKHo=",
        );
        check(
            "hub.example.test%2Fdevices",
            "J0l04ZYwTmHtvPiXSZG+C/fbguAi7o8h6bwVbN960ZE=",
        );
        check(
            "hub.example.test%2Fdevices%2FDev%253A01",
            "SXYgWbUJOOpG2LqnNHlo05fOwYy7EcTaIhwoRzMQ0Rs=",
        );
        check(
            "hub.example.test%2Fdevices%2FDev-01%2Fmodules%2Fm1",
            "yFH4kVem+ChWkhqUPldR5O5R0Xc3JciDZEbn4NvXKhY=",
        );
        check(
            "hub.example.test%2Fdevices%2FDev-01%2Fapi-version%3D2016-11-14",
            "AZEX98BltmUkudMFMKo/WW+kSGRlf29nsgmAuCqJP9s=",
        );
    }

    #[test]
    fn own_tokens_verify_and_match_the_python_form() {
        let key = SymmetricKey::parse(KEY).unwrap();
        let text = sign(
            "hub.example.test/devices/Dev-01",
            &key,
            Timestamp::from_secs(1_893_456_000),
            Some("device"),
        );
        assert_eq!(
            text,
            "SharedAccessSignature sr=hub.example.test%2Fdevices%2FDev-01&sig=41zr7qxfHBJOk04KfOgJl7iCrb32JmwNT9Tpz0zvA3Y%3D\
             &se=1893456000&skn=device"
        );
        let token = SasToken::parse(&text).unwrap();
        assert!(token.is_signed_with(&key));
        assert_eq!(token.policy(), Some("device"));
    }

    #[test]
    fn what_is_wrong_has_a_name() {
        use InvalidSasToken::{Malformed, Missing, Scheme};
        for (text, error) in [
            ("", Scheme),
            ("Bearer sr=a&sig=YQ==&se=1", Scheme),
            ("SharedAccessSignature sr=a&sig=YQ==&se=1 more", Scheme),
            ("SharedAccessSignature sig=YQ==&se=1", Missing("sr")),
            ("SharedAccessSignature sr=&sig=YQ==&se=1", Missing("sr")),
            ("SharedAccessSignature sr=a&se=1", Missing("sig")),
            ("SharedAccessSignature sr=a&sig=YQ==", Missing("se")),
            ("SharedAccessSignature sr=a&sig=!&se=1", Malformed("sig")),
            ("SharedAccessSignature sr=a&sig=YQ==&se=soon", Malformed("se")),
            ("SharedAccessSignature sr=a&sig=YQ==&se=NaN", Malformed("se")),
            ("SharedAccessSignature sr=a&sig=YQ==&se=1&skn=%FF", Malformed("skn")),
        ] {
            assert_eq!(SasToken::parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn expiry_allows_for_skew_up_to_the_instant() {
        let token = SasToken::parse("SharedAccessSignature sr=a&sig=YQ==&se=1000.9").unwrap();
        let skew = Duration::from_secs(5);
        assert!(token.is_live(Timestamp::from_secs(1005), skew));
        assert!(!token.is_live(Timestamp::from_micros(1_005_000_001), skew));
    }
}
