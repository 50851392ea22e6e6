//! What several rules need to know about Rust source text, without parsing it.

/// The attribute that a line opens with, without `#[`, `#![` and what follows; `None` for any other line.
pub(crate) fn attribute(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("#[").or_else(|| line.strip_prefix("#!["))
}

/// Whether the byte can be part of an identifier.
pub(crate) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether `text` holds `word` with no identifier character on either side.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let before = text.get(..start).and_then(|before| before.bytes().next_back());
        let after = text.get(start + word.len()..).and_then(|after| after.bytes().next());
        !before.is_some_and(is_word_byte) && !after.is_some_and(is_word_byte)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes() {
        assert_eq!(attribute("    #[test]"), Some("test]"));
        assert_eq!(attribute("#![expect(x)]"), Some("expect(x)]"));
        assert_eq!(attribute("let x = \"#[test]\";"), None);
    }

    #[test]
    fn words() {
        assert!(has_word("use ironhub_hub::Hub;", "ironhub_hub"));
        assert!(!has_word("use ironhub_hubs::Hub;", "ironhub_hub"));
        assert!(!has_word("my_ironhub_hub", "ironhub_hub"));
    }
}
