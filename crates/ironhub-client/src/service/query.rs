//! Queries, page by page.

use hyper::Method;
use hyper::header::HeaderName;
use ironhub_dialect::https::query::{CONTINUATION_HEADER, PAGE_ROWS_HEADER};
use serde_json::{Value, json};

use super::ServiceClient;
use super::http::Call;
use crate::error::Error;

/// The rows of a query, fetched as they are asked for.
#[derive(Debug)]
pub struct QueryPages {
    service: ServiceClient,
    query: String,
    rows_per_page: u16,
    continuation: Continuation,
}

#[derive(Debug)]
enum Continuation {
    Begin,
    From(String),
    End,
}

impl ServiceClient {
    /// Asks for twins and the like, in Azure IoT Hub's query language, for instance
    /// `SELECT * FROM devices WHERE tags.site = 'north'`. Nothing is sent before the first page is asked for.
    pub fn query(&self, query: impl Into<String>, rows_per_page: u16) -> QueryPages {
        QueryPages {
            service: self.clone(),
            query: query.into(),
            rows_per_page,
            continuation: Continuation::Begin,
        }
    }
}

impl QueryPages {
    /// The next page; none behind the last one. After an error the same page can be asked for again.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, Error> {
        let mut call = Call::new(Method::POST, "/devices/query").json(&json!({ "query": self.query }))?;
        call = call.header(
            HeaderName::from_static(PAGE_ROWS_HEADER),
            self.rows_per_page.to_string(),
        );
        match &self.continuation {
            Continuation::Begin => {}
            Continuation::From(token) => {
                call = call.header(HeaderName::from_static(CONTINUATION_HEADER), token.clone());
            }
            Continuation::End => return Ok(None),
        }
        let (rows, headers) = self.service.http().fetch_with_headers(call).await?;
        let token = headers.get(CONTINUATION_HEADER).and_then(|token| token.to_str().ok());
        self.continuation = match token {
            Some(token) if !token.is_empty() => Continuation::From(token.to_owned()),
            _ => Continuation::End,
        };
        Ok(Some(rows))
    }

    /// All rows of all pages that are left.
    pub async fn collect(mut self) -> Result<Vec<Value>, Error> {
        let mut rows = Vec::new();
        while let Some(page) = self.next().await? {
            rows.extend(page);
        }
        Ok(rows)
    }
}
