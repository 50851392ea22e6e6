//! Questions over twins: `POST /devices/query`.

use serde_json::Value;

use crate::core::service;
use crate::error::HubError;
use crate::ports::Ports;

service! {
    /// Runs queries. A query sees every write that was acknowledged before it began.
    Query
}

/// Some rows of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryPage {
    /// What the rows are: `Twin` or `Raw`.
    pub item_type: &'static str,
    /// The rows.
    pub rows: Vec<Value>,
    /// How to ask for more; `None` when there is no more. ASCII without blanks, below 2 KB.
    pub continuation: Option<String>,
}

impl<P: Ports> Query<P> {
    /// Runs a query, or goes on with one: the same text with the continuation of the page before.
    pub async fn run(&self, text: &str, page_rows: usize, continuation: Option<&str>) -> Result<QueryPage, HubError> {
        let _ = (text, page_rows, continuation, &self.core);
        Err(HubError::Internal("not built yet".into()))
    }
}
