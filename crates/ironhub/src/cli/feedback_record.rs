//! What became of a message to a device, as it is printed.

use std::ops::ControlFlow;

use ironhub_model::FeedbackRecord;
use serde_json::json;

use super::answer::Form;
use super::failure::Failure;
use super::table::visible;
use crate::output::{self, Output};

/// Prints `{"feedback": {…}}` with the record as the hub writes it, or a line of a table.
pub(crate) fn print(form: Form, record: &FeedbackRecord) -> Result<ControlFlow<()>, Failure> {
    let text = match form.output {
        Output::Json => serde_json::to_string_pretty(&json!({ "feedback": record }))?,
        Output::Table => line(record),
    };
    Ok(output::print_one(&(text + "\n"))?)
}

/// When, whose, which message, what became of it.
pub(crate) fn line(record: &FeedbackRecord) -> String {
    let message_id = record.original_message_id.as_deref().unwrap_or_default();
    format!(
        "{}  {}  {}  {:?}",
        record.enqueued_time_utc,
        record.device_id,
        visible(message_id),
        record.status_code
    )
}

/// It was waited for and did not come.
pub(crate) fn missing(message_id: &str, timeout_s: u64) -> Failure {
    Failure::timed_out(format!("no feedback on message {message_id} came within {timeout_s} s"))
}

/// The user has stopped waiting for it.
pub(crate) fn stopped(message_id: &str) -> Failure {
    Failure::failed(format!("stopped before feedback on message {message_id} came"))
}
