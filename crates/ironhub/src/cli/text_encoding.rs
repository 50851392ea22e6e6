//! Encodings that messages name in their content encoding: UTF-8, UTF-16 and UTF-32.

/// What stands for a body that is no text, as with the Azure command line.
pub(crate) const NON_DECODABLE: &str = "{{non-decodable payload}}";

/// How a body's text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextEncoding {
    Utf8,
    Utf16,
    Utf32,
}

impl TextEncoding {
    /// `utf-8`, `utf8` and so on, in any case; none for an encoding that is not of text.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Some(Self::Utf8),
            "utf-16" | "utf16" => Some(Self::Utf16),
            "utf-32" | "utf32" => Some(Self::Utf32),
            _ => None,
        }
    }

    /// UTF-16 and UTF-32 with a byte order mark, little-endian.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16 => std::iter::once(MARK)
                .chain(text.chars())
                .flat_map(|c| c.encode_utf16(&mut [0; 2]).to_vec())
                .flat_map(u16::to_le_bytes)
                .collect(),
            Self::Utf32 => std::iter::once(MARK)
                .chain(text.chars())
                .flat_map(|c| u32::from(c).to_le_bytes())
                .collect(),
        }
    }

    /// Without a byte order mark UTF-16 and UTF-32 are little-endian. None when it is not this encoding.
    pub(crate) fn decode(self, bytes: &[u8]) -> Option<String> {
        let text = match self {
            Self::Utf8 => str::from_utf8(bytes).ok()?.to_owned(),
            Self::Utf16 => char::decode_utf16(units(bytes, u16::from_le_bytes, u16::from_be_bytes, MARK_16)?)
                .collect::<Result<String, _>>()
                .ok()?,
            Self::Utf32 => units(bytes, u32::from_le_bytes, u32::from_be_bytes, u32::from(MARK))?
                .into_iter()
                .map(char::from_u32)
                .collect::<Option<String>>()?,
        };
        Some(text.strip_prefix(MARK).map(str::to_owned).unwrap_or(text))
    }
}

const MARK: char = '\u{FEFF}';
const MARK_16: u16 = 0xFEFF;

/// The bytes as numbers, big-endian when they begin with `mark` that way.
fn units<const WIDTH: usize, U: Copy + PartialEq>(
    bytes: &[u8],
    little: fn([u8; WIDTH]) -> U,
    big: fn([u8; WIDTH]) -> U,
    mark: U,
) -> Option<Vec<U>> {
    let (chunks, []) = bytes.as_chunks::<WIDTH>() else {
        return None;
    };
    let read = match chunks.first() {
        Some(first) if big(*first) == mark => big,
        _ => little,
    };
    Some(chunks.iter().map(|chunk| read(*chunk)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, bytes: &[u8]) {
        let encoding = TextEncoding::parse(name).unwrap();
        assert_eq!(encoding.encode(text), bytes, "{name}");
        assert_eq!(encoding.decode(bytes).as_deref(), Some(text), "{name}");
    }

    /// As Python's codecs of the same names on a little-endian machine, which the Azure command line uses.
    #[test]
    fn texts() {
        check("UTF-8", "é", b"\xC3\xA9");
        check("utf16", "aé", b"\xFF\xFEa\0\xE9\0");
        check("utf-16", "🌬", b"\xFF\xFE\x3C\xD8\x2C\xDF");
        check("utf-32", "a", b"\xFF\xFE\0\0a\0\0\0");
        assert_eq!(TextEncoding::parse("gzip"), None);
    }

    #[test]
    fn order_of_bytes_and_what_is_no_text() {
        assert_eq!(TextEncoding::Utf16.decode(b"a\0"), Some("a".into()));
        assert_eq!(TextEncoding::Utf16.decode(b"\xFE\xFF\0a"), Some("a".into()));
        assert_eq!(TextEncoding::Utf32.decode(b"\0\0\xFE\xFF\0\0\0a"), Some("a".into()));
        for (encoding, bytes) in [
            (TextEncoding::Utf8, &b"\xFF"[..]),
            (TextEncoding::Utf16, b"abc"),
            (TextEncoding::Utf16, b"\0\xD8"),
            (TextEncoding::Utf32, b"\0\0\x11\0\0\0\x11\xFF"),
        ] {
            assert_eq!(encoding.decode(bytes), None, "{bytes:?}");
        }
    }
}
