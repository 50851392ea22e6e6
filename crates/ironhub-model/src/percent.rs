//! Percent-encoding as IoT Hub's dialects use it: `+` is a plus, never a blank.

use std::borrow::Cow;

/// Decodes `%XX` once; borrows when there is nothing to decode. A `%` that starts no valid escape stays as it is,
/// because the C device SDK sends property bags unencoded. `None` when the result is not UTF-8.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) if let (Some(high), Some(low)) = (hex(*high), hex(*low)) => {
                out.push(high << 4 | low);
                rest = after;
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

/// Appends `text` with everything but `A–Z a–z 0–9 - _ . ~` escaped in upper-case hex, as the service writes
/// cloud-to-device topics.
pub fn encode_into(out: &mut String, text: &str) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or('0');
            out.extend(['%', digit(byte >> 4), digit(byte & 0xF)]);
        }
    }
}

/// See [`encode_into`].
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text);
    out
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once_and_leniently() {
        for (text, expected) in [
            ("a", Some("a")),
            ("%2F%2f", Some("//")),
            ("a+b", Some("a+b")),
            ("%253A", Some("%3A")),
            ("100%", Some("100%")),
            ("%zz%4", Some("%zz%4")),
            ("%C3%A9", Some("é")),
            ("%FF", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn encodes_everything_reserved_in_upper_case() {
        assert_eq!(encode("/devices/a b?é~-_."), "%2Fdevices%2Fa%20b%3F%C3%A9~-_.");
    }
}
