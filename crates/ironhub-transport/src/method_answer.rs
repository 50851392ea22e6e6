//! Answers to direct methods, whatever they came over.

use ironhub_hub::{Link, Ports};
use ironhub_model::MethodResponse;
use ironhub_model::limits::METHOD_PAYLOAD_BYTES_MAX;
use serde::de::IgnoredAny;
use tracing::debug;

/// Brings an answer to its call. It has to be JSON, or nothing.
pub(crate) fn bring_answer<P: Ports>(link: &Link<P>, request_id: u64, status: i32, payload: &[u8]) {
    let Some(text) = json(payload) else {
        ignore("no_json");
        return link.method_response_invalid(request_id);
    };
    let payload = (!text.is_empty()).then(|| text.into());
    if !link.method_response(request_id, MethodResponse { status, payload }) {
        ignore("late");
    }
}

fn json(payload: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(payload).ok()?;
    let is_json = || text.len() <= METHOD_PAYLOAD_BYTES_MAX && serde_json::from_str::<IgnoredAny>(text).is_ok();
    (text.is_empty() || is_json()).then_some(text)
}

fn ignore(why: &'static str) {
    metrics::counter!("ironhub_method_answers_ignored_total", "reason" => why).increment(1);
    debug!(why, "method answer ignored");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_json_or_nothing() {
        let long = format!("\"{}\"", "x".repeat(METHOD_PAYLOAD_BYTES_MAX));
        for (payload, expected) in [
            (&b""[..], Some("")),
            (b"null", Some("null")),
            (br#"{"a":[1]}"#, Some(r#"{"a":[1]}"#)),
            (b"yes", None),
            (b"\xFF", None),
            (long.as_bytes(), None),
        ] {
            assert_eq!(json(payload), expected);
        }
    }
}
