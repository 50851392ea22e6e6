//! Questions over twins: `POST /devices/query`.

mod continuation;
mod scan;

use ironhub_model::limits::{QUERY_PAGE_BYTES_MAX, QUERY_PAGE_ROWS_DEFAULT, QUERY_PAGE_ROWS_MAX};
use ironhub_query::{ItemType, Query as Question, Source};
use serde_json::Value;

use crate::core::{Core, service};
use crate::error::HubError;
use crate::ports::Ports;
use continuation::Position;
use scan::Scan;

service! {
    /// Runs queries. A query sees every write that was acknowledged before it began.
    Query
}

/// Some rows of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryPage {
    /// What the rows are: `Twin`, `Raw` or `DeviceJob`.
    pub item_type: &'static str,
    /// The rows.
    pub rows: Vec<Value>,
    /// How to ask for more; `None` when there is no more. ASCII without blanks, below 2 KB.
    pub continuation: Option<String>,
}

impl<P: Ports> Query<P> {
    /// Runs a query, or goes on with one: the same text with the continuation of the page before. Zero rows mean the
    /// default of 100; more than 1000 are cut to 1000, and fewer when they are large. A page with a continuation is never the last one: there is at
    /// least one more row, unless it goes meanwhile.
    pub async fn run(&self, text: &str, page_rows: usize, continuation: Option<&str>) -> Result<QueryPage, HubError> {
        let question = Question::parse(text).map_err(|error| HubError::QueryInvalid(error.to_string()))?;
        let from = match continuation {
            None => Position::default(),
            Some(token) => Position::parse(token, text).ok_or_else(foreign_continuation)?,
        };
        let page_rows = match page_rows {
            0 => QUERY_PAGE_ROWS_DEFAULT,
            wanted => wanted.min(QUERY_PAGE_ROWS_MAX),
        };
        let (rows, next) = match question.source() {
            // There are no jobs yet, so that none has touched a device.
            Source::Jobs => (Vec::new(), None),
            Source::Devices | Source::Modules if question.is_aggregate() => {
                self.core.groups(&question, page_rows, &from).await?
            }
            Source::Devices | Source::Modules => self.core.rows(&question, page_rows, from).await?,
        };
        metrics::counter!("ironhub_query_rows_total").increment(u64::try_from(rows.len()).unwrap_or(0));
        Ok(QueryPage {
            item_type: ItemType::as_str(question.item_type()),
            rows,
            continuation: next.map(|position| position.token(text)),
        })
    }
}

impl<P: Ports> Core<P> {
    /// One page of rows, and where the next one begins.
    async fn rows(
        &self,
        question: &Question,
        page_rows: usize,
        from: Position,
    ) -> Result<(Vec<Value>, Option<Position>), HubError> {
        let left = question.top().unwrap_or(u64::MAX).saturating_sub(from.emitted);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let mut scan = Scan::new(self, question, from.after);
        let mut rows = Vec::new();
        let mut bytes = 0;
        let mut last = None;
        while rows.len() < left {
            let Some((key, row)) = scan.next().await? else {
                break;
            };
            if !question.matches(&row) {
                continue;
            }
            let row = question.project(row);
            bytes += json_bytes(&row);
            // One row is looked at beyond the page: only when there is one does the page have a continuation.
            if rows.len() == page_rows || (bytes > QUERY_PAGE_BYTES_MAX && !rows.is_empty()) {
                let emitted = from.emitted.saturating_add(u64::try_from(rows.len()).unwrap_or(0));
                return Ok((rows, Some(Position { emitted, after: last })));
            }
            rows.push(row);
            last = Some(key);
        }
        Ok((rows, None))
    }

    /// One page of groups. Groups are known only when every row was seen, so that each page counts anew.
    async fn groups(
        &self,
        question: &Question,
        page_rows: usize,
        from: &Position,
    ) -> Result<(Vec<Value>, Option<Position>), HubError> {
        let Some(mut groups) = question.aggregator() else {
            return Ok((Vec::new(), None));
        };
        let mut scan = Scan::new(self, question, None);
        while let Some((_, row)) = scan.next().await? {
            if question.matches(&row) {
                groups
                    .push(&row)
                    .map_err(|error| HubError::QueryInvalid(error.to_string()))?;
            }
        }
        let skipped = usize::try_from(from.emitted).unwrap_or(usize::MAX);
        let mut rest = groups.finish().into_iter().skip(skipped);
        let rows: Vec<Value> = rest.by_ref().take(page_rows).collect();
        let emitted = from.emitted.saturating_add(u64::try_from(rows.len()).unwrap_or(0));
        let next = rest.next().map(|_| Position { emitted, after: None });
        Ok((rows, next))
    }
}

/// The length of a value as JSON.
fn json_bytes(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail, and neither does printing a value.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

fn foreign_continuation() -> HubError {
    HubError::InvalidArgument("the continuation token does not belong to this query".into())
}
