//! Queries: the body, and the headers that page through the answer.

use ironhub_model::limits::{QUERY_PAGE_ROWS_DEFAULT, QUERY_PAGE_ROWS_MAX};

use super::error::InvalidRequest;
use super::json::{self, Members};

/// Asks for so many rows of a page.
pub const PAGE_ROWS_HEADER: &str = "x-ms-max-item-count";
/// In a request: goes on behind the page that had this. In an answer: only when there is more, since Node asks for more
/// as long as the header is there.
pub const CONTINUATION_HEADER: &str = "x-ms-continuation";
/// What the rows are; .NET fails without it.
pub const ITEM_TYPE_HEADER: &str = "x-ms-item-type";

/// Reads the body.
pub fn query_text(body: &[u8]) -> Result<String, InvalidRequest> {
    let value = json::parse(body)?;
    let members = Members::of(&value, "the body")?;
    members.string("query")?.ok_or(InvalidRequest::Missing("query"))
}

/// How many rows to answer: what is absent, zero or odd means the default, more than the maximum the maximum.
pub fn page_rows(header: Option<&str>) -> usize {
    match header.map(|text| text.trim().parse::<u64>()) {
        Some(Ok(rows @ 1..)) => usize::try_from(rows).unwrap_or(usize::MAX).min(QUERY_PAGE_ROWS_MAX),
        Some(Ok(0) | Err(_)) | None => QUERY_PAGE_ROWS_DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        let text = "SELECT * FROM devices";
        assert_eq!(
            query_text(format!(r#"{{"query":"{text}"}}"#).as_bytes()),
            Ok(text.into())
        );
        for (body, expected) in [
            ("{}", "query is required"),
            (r#"{"query":null}"#, "query is required"),
            (r#"{"query":1}"#, "query of the body is not a string"),
            ("[]", "the body is not a JSON object"),
        ] {
            assert_eq!(query_text(body.as_bytes()).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn pages() {
        for (header, expected) in [
            (None, 100),
            (Some("1"), 1),
            (Some("1000"), 1000),
            (Some("1001"), 1000),
            (Some("0"), 100),
            (Some("-1"), 100),
            (Some("all"), 100),
        ] {
            assert_eq!(page_rows(header), expected, "{header:?}");
        }
    }
}
