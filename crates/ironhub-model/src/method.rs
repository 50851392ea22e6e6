//! Direct methods: a request to a connected device and its answer.

use std::time::Duration;

use crate::limits::METHOD_NAME_CHARS_MAX;

/// A method's name: printable ASCII without blanks and separators; it goes into an MQTT topic as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MethodName(String);

/// The text is not a method name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a method name has 1 to 100 printable ASCII characters without blanks and $ ( ) < > @ , ; : \\ \" / [ ] ? = {{ }}"
)]
pub struct InvalidMethodName;

impl MethodName {
    /// Checks length and alphabet (Azure documentation "Understand and invoke direct methods").
    pub fn parse(text: &str) -> Result<Self, InvalidMethodName> {
        let legal = |b: u8| b.is_ascii_graphic() && !b"$()<>@,;:\\\"/[]?={}#+".contains(&b);
        if (1..=METHOD_NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidMethodName)
        }
    }

    /// As given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A call as the back end makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodCall {
    /// What to call.
    pub name: MethodName,
    /// JSON text exactly as the device shall see it. `None` (the caller left the member out) reaches the device as
    /// zero bytes, `Some("null")` as the four bytes `null`.
    pub payload: Option<Box<str>>,
    /// How long the device may take to answer, 5–300 s.
    pub response_timeout: Duration,
    /// How long to wait for the device to connect and subscribe first, 0–300 s.
    pub connect_timeout: Duration,
}

/// The device's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodResponse {
    /// Any integer the device chose; means nothing to the hub.
    pub status: i32,
    /// JSON text, or nothing.
    pub payload: Option<Box<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_an_alphabet() {
        for good in ["reboot", "comp*cmd", "a.b-c_d~1!", &"x".repeat(100)] {
            assert!(MethodName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a/b",
            "$a",
            "a?",
            "é",
            "a\u{1}",
            "a#",
            "a+",
            &"x".repeat(101),
        ] {
            assert_eq!(MethodName::parse(bad), Err(InvalidMethodName), "{bad}");
        }
    }
}
