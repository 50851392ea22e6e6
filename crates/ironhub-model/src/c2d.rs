//! Cloud-to-device messages on their way to a device.

use std::fmt;

use crate::message::C2dMessage;
use crate::timestamp::Timestamp;

/// The handle on one delivery of a C2D message or feedback batch: a GUID, random, so that nobody guesses another's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LockToken([u8; 16]);

/// The text is not a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a lock token is a GUID: 32 hexadecimal digits in groups of 8-4-4-4-12")]
pub struct InvalidLockToken;

impl LockToken {
    /// The token of 16 random bytes; six bits are overwritten so that it is a version 4 UUID (RFC 9562, section 5.4).
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        let mut number = u128::from_be_bytes(bytes);
        number = number & !(0xF << 76) | 0x4 << 76;
        number = number & !(0b11 << 62) | 0b10 << 62;
        Self(number.to_be_bytes())
    }

    /// The token of a UUID's bytes in network order.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The UUID's bytes in network order.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Parses 32 hexadecimal digits in any letter case, with hyphens in their four places or without any.
    pub fn parse(text: &str) -> Result<Self, InvalidLockToken> {
        let hyphens: Vec<usize> = text.match_indices('-').map(|(at, _)| at).collect();
        if !hyphens.is_empty() && hyphens != [8, 13, 18, 23] {
            return Err(InvalidLockToken);
        }
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidLockToken);
        }
        u128::from_str_radix(&digits, 16)
            .map(|number| Self(number.to_be_bytes()))
            .map_err(|_| InvalidLockToken)
    }
}

impl fmt::Display for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.0);
        let group = |shift: u32, digits: u32| number >> shift & ((1 << (digits * 4)) - 1);
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            group(96, 8),
            group(80, 4),
            group(64, 4),
            group(48, 4),
            group(0, 12)
        )
    }
}

impl fmt::Debug for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A message handed to its device, which now has to settle it by the token.
#[derive(Debug, Clone, PartialEq)]
pub struct C2dDelivery {
    /// Settles this delivery.
    pub lock_token: LockToken,
    /// The message's place: rises within a queue, with gaps.
    pub sequence: u64,
    /// The message as sent.
    pub message: C2dMessage,
    /// When it entered the queue.
    pub enqueued_at: Timestamp,
    /// When it dies unless completed: the sender's wish, or else the hub's default time to live.
    pub expires_at: Timestamp,
    /// Which delivery this is, from 1: one more than those that ended in abandon, a lock time-out or the end of an AMQP
    /// connection. A delivery that a broken MQTT connection cut short is not counted.
    pub delivery_count: u32,
    /// An MQTT connection had it before and ended without acknowledging it: the DUP flag.
    pub redelivered: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_print_as_version_4_guids_and_parse_back() {
        for (bytes, text) in [
            ([0x00; 16], "00000000-0000-4000-8000-000000000000"),
            ([0xFF; 16], "ffffffff-ffff-4fff-bfff-ffffffffffff"),
        ] {
            let token = LockToken::from_random(bytes);
            assert_eq!(token.to_string(), text);
            assert_eq!(LockToken::parse(text), Ok(token));
            assert_eq!(LockToken::parse(&text.to_uppercase()), Ok(token));
            assert_eq!(LockToken::parse(&text.replace('-', "")), Ok(token));
        }
        let bytes = *b"0123456789abcdef";
        assert_eq!(LockToken::from_bytes(bytes).bytes(), bytes);
    }

    #[test]
    fn what_is_not_a_guid_is_refused() {
        for text in [
            "",
            "lock-1",
            "00000000-0000-4000-8000-00000000000",
            "0000000-00000-4000-8000-000000000000",
            "+0000000000040008000000000000000",
            "é0000000-0000-4000-8000-0000000000",
        ] {
            assert_eq!(LockToken::parse(text), Err(InvalidLockToken), "{text}");
        }
    }
}
