//! The query language of `POST /devices/query`, of job conditions and of target conditions (Azure docs: "IoT Hub query
//! language for device and module twins, jobs, and message routing").
//!
//! A [`Query`] is parsed once and then applied to one row after the other, so that the caller can page. A row is the JSON
//! document that the service API shows: a twin, or a device job.
//!
//! ```
//! use ironhub_query::{ItemType, Query};
//! use serde_json::json;
//!
//! let query = Query::parse("SELECT deviceId, tags.plant AS plant FROM devices WHERE capabilities.iotEdge = true")?;
//! let row = json!({"deviceId": "press-4", "capabilities": {"iotEdge": true}, "tags": {"plant": "Ulm"}});
//!
//! assert_eq!(query.item_type(), ItemType::Raw);
//! assert!(query.matches(&row));
//! assert_eq!(query.project(row), json!({"deviceId": "press-4", "plant": "Ulm"}));
//! # Ok::<(), ironhub_query::ParseError>(())
//! ```
//!
//! What the language does not have (ORDER BY, JOIN, DISTINCT, …) is refused with its name and position, never ignored.

mod aggregate;
mod ast;
mod candidates;
mod error;
mod eval;
mod functions;
mod lexer;
mod limits;
mod parser;
mod print;
mod project;
mod words;

pub use aggregate::{Aggregator, TooManyGroups};
pub use ast::{ItemType, Query, Source};
pub use error::{ParseError, ParseErrorKind};
pub use limits::{COLUMNS_MAX, DEPTH_MAX, GROUP_BYTES_MAX, GROUPS_MAX, QUERY_CHARS_MAX};
