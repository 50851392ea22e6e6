//! `If-Match` and `ETag`.

use ironhub_model::Etag;
use ironhub_model::registry::Precondition;

/// What `If-Match` demands. SDKs write the wildcard with and without quotes. An ETag without quotes is no ETag: the
/// service takes such a write whatever the version (`Azure/azure-iot-sdk-java#574`, `Azure/azure-iot-sdk-node#606`).
pub fn precondition(if_match: Option<&str>) -> Precondition {
    let Some(text) = if_match.map(str::trim).filter(|text| !text.is_empty()) else {
        return Precondition::None;
    };
    let mut etags = Vec::new();
    for entry in text.split(',').map(str::trim) {
        let entry = entry.strip_prefix("W/").unwrap_or(entry);
        match entry.strip_prefix('"').and_then(|entry| entry.strip_suffix('"')) {
            Some("*") | None => return Precondition::Any,
            Some(etag) => etags.push(Etag::new(etag)),
        }
    }
    Precondition::Match(etags)
}

/// As it stands in the header `ETag`.
pub fn header(etag: &Etag) -> String {
    format!("\"{}\"", etag.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings() {
        let matching = |etags: &[&str]| Precondition::Match(etags.iter().map(|etag| Etag::new(*etag)).collect());
        for (text, expected) in [
            (None, Precondition::None),
            (Some(" "), Precondition::None),
            (Some("*"), Precondition::Any),
            (Some("\"*\""), Precondition::Any),
            (Some("\"MjU2\""), matching(&["MjU2"])),
            (Some("W/\"MjU2\""), matching(&["MjU2"])),
            (Some("\"a\", \"b\""), matching(&["a", "b"])),
            (Some("\"\""), matching(&[""])),
            (Some("MjU2"), Precondition::Any),
            (Some("\""), Precondition::Any),
        ] {
            assert_eq!(precondition(text), expected, "{text:?}");
        }
        assert_eq!(header(&Etag::new("MA==")), "\"MA==\"");
    }
}
