//! Which version of a record a write is meant for.

use ironhub_model::Etag;

/// The version that has to be there for a write to take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// Any.
    Any,
    /// The one with this ETag; another fails with status 412.
    Etag(Etag),
}

impl Match {
    /// The header `If-Match`.
    pub(super) fn header(&self) -> String {
        match self {
            Self::Any => "\"*\"".to_owned(),
            Self::Etag(etag) => format!("\"{}\"", etag.as_str()),
        }
    }
}
