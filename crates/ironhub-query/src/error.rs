use std::borrow::Cow;

use crate::limits::FOUND_CHARS_MAX;

/// Why a text is not a query: one line for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("query is invalid, check the format: expected {expected} at position {position}, found {found}")]
pub struct ParseError {
    kind: ParseErrorKind,
    position: usize,
    expected: Cow<'static, str>,
    found: String,
}

/// What sort of mistake a [`ParseError`] reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// The text breaks the grammar.
    Syntax,
    /// The text uses a part of SQL that the language does not have.
    Unsupported,
    /// The text is longer or deeper than the limits allow.
    Limit,
}

impl ParseError {
    /// What sort of mistake it is.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// Byte offset in the query text, from 0, where the mistake begins.
    pub fn position(&self) -> usize {
        self.position
    }

    /// What would have been right at [`position`](Self::position).
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What stood there instead; a quote from the query is in backquotes, shortened and on one line.
    pub fn found(&self) -> &str {
        &self.found
    }

    pub(crate) fn syntax(position: usize, expected: impl Into<Cow<'static, str>>, found: String) -> Self {
        Self {
            kind: ParseErrorKind::Syntax,
            position,
            expected: expected.into(),
            found,
        }
    }

    pub(crate) fn unsupported(position: usize, expected: impl Into<Cow<'static, str>>, name: &str) -> Self {
        let found = format!("{name}, which is not supported");
        Self {
            kind: ParseErrorKind::Unsupported,
            position,
            expected: expected.into(),
            found,
        }
    }

    pub(crate) fn limit(position: usize, expected: String, found: String) -> Self {
        Self {
            kind: ParseErrorKind::Limit,
            position,
            expected: expected.into(),
            found,
        }
    }
}

/// Quotes a piece of the query so that it fits into one line.
pub(crate) fn quote(text: &str) -> String {
    let mut chars = text.chars();
    let shown: String = chars
        .by_ref()
        .take(FOUND_CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}
