//! Random numbers: keys, codes, ETags, names.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ironhub_model::limits::KEY_BYTES_GENERATED;
use ironhub_model::{Etag, LockToken, SymmetricKey};

use crate::error::HubError;

/// A fresh symmetric key.
pub(crate) fn key() -> Result<SymmetricKey, HubError> {
    let bytes: [u8; KEY_BYTES_GENERATED] = bytes()?;
    SymmetricKey::from_bytes(&bytes).map_err(|error| HubError::Internal(error.to_string()))
}

/// A fresh ETag of an identity: base64 of a decimal number, as the service's look.
pub(crate) fn etag() -> Result<Etag, HubError> {
    let number = u64::from_be_bytes(bytes()?) >> 16;
    Ok(Etag::new(STANDARD.encode(number.to_string())))
}

/// A digit to tell two creations in one microsecond apart.
pub(crate) fn salt() -> Result<u8, HubError> {
    let [byte] = bytes()?;
    Ok(byte % 10)
}

/// Forty hexadecimal digits that nobody guesses.
pub(crate) fn hex_code() -> Result<String, HubError> {
    let bytes: [u8; 20] = bytes()?;
    let mut code = String::with_capacity(40);
    for byte in bytes {
        let _ = write!(code, "{byte:02X}");
    }
    Ok(code)
}

/// A fresh lock token.
pub(crate) fn lock_token() -> Result<LockToken, HubError> {
    Ok(LockToken::from_random(bytes()?))
}

/// Thirty-two hexadecimal digits to tell an event by; all zero when the system has no random numbers.
pub(crate) fn hex_id() -> String {
    format!("{:032x}", u128::from_be_bytes(bytes().unwrap_or_default()))
}

fn bytes<const N: usize>() -> Result<[u8; N], HubError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| HubError::Internal(format!("no random numbers: {error}")))?;
    Ok(bytes)
}
