//! Reading events as JSON: IronHub's own API, for people and scripts.

mod body;
mod print;
mod request;

pub(crate) use body::json_value;
pub(crate) use print::system_properties;
pub use print::{StoredView, event_json, ndjson_line, sse_message};
pub use request::{EventsRequest, Format, From, preferred_format};
