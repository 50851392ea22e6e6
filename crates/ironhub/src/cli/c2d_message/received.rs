//! A received message as the Azure command line prints it: system properties by the names of their HTTP headers.

use std::collections::BTreeMap;

use ironhub_client::QueuedMessage;
use ironhub_model::AckRequest;
use serde_json::{Map, Value, json};

use crate::cli::table::Column;
use crate::cli::text_encoding::{NON_DECODABLE, TextEncoding};

pub(super) const COLUMNS: &[Column] = &[
    ("ETag", "/etag"),
    ("MessageId", "/properties/system/iothub-messageid"),
    ("DeliveryCount", "/properties/system/iothub-deliverycount"),
    ("Data", "/data"),
];

/// `ack` names what has become of the message already.
pub(super) fn printed(received: &QueuedMessage, ack: Option<&str>) -> Value {
    let message = &received.message;
    let mut printed = Map::new();
    if let Some(ack) = ack {
        printed.insert("ack".to_owned(), ack.into());
    }
    if !message.body.is_empty() {
        printed.insert("data".to_owned(), data(received).into());
    }
    printed.insert("etag".to_owned(), received.lock_token.to_string().into());
    let mut properties = Map::new();
    let own: BTreeMap<_, _> = message.properties.iter().cloned().collect();
    if !own.is_empty() {
        properties.insert("app".to_owned(), json!(own));
    }
    properties.insert("system".to_owned(), system(received));
    printed.insert("properties".to_owned(), properties.into());
    printed.into()
}

/// Text when its encoding is one of text's.
fn data(received: &QueuedMessage) -> String {
    let message = &received.message;
    let encoding = message
        .content_encoding
        .as_deref()
        .map_or(Some(TextEncoding::Utf8), TextEncoding::parse);
    let text = encoding.and_then(|encoding| encoding.decode(&message.body));
    text.unwrap_or_else(|| NON_DECODABLE.to_owned())
}

fn system(received: &QueuedMessage) -> Value {
    let message = &received.message;
    let text = |text: &Option<String>| text.clone();
    let named = [
        ("ContentEncoding", text(&message.content_encoding)),
        ("ContentType", text(&message.content_type)),
        ("iothub-ack", message.ack.map(AckRequest::as_str).map(str::to_owned)),
        ("iothub-correlationid", text(&message.correlation_id)),
        ("iothub-deliverycount", Some(received.delivery_count.to_string())),
        ("iothub-enqueuedtime", received.enqueued_at.map(|time| time.to_string())),
        ("iothub-expiry", message.expires_at.map(|time| time.to_string())),
        ("iothub-messageid", text(&message.message_id)),
        (
            "iothub-sequencenumber",
            received.sequence_number.map(|number| number.to_string()),
        ),
        ("iothub-to", Some(message.to.clone()).filter(|to| !to.is_empty())),
        ("iothub-userid", text(&message.user_id)),
    ];
    let told = named
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
    Value::Object(told.collect())
}
