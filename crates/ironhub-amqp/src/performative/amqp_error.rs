use std::borrow::Cow;

use crate::types::{DecodeError, Encoded, Fields, Value, encode};

/// Why a link, session, connection or delivery ended badly (§2.8.14).
#[derive(Debug, Clone, PartialEq)]
pub struct AmqpError {
    /// Symbol that clients act on; the standard's are in [`condition`].
    pub condition: Cow<'static, str>,
    /// Text for people, though several SDKs match parts of it.
    pub description: Option<String>,
    /// More of it: the new address of a redirect, a tracking id.
    pub info: Encoded,
}

/// Error conditions of the standard (§2.8.15 to §2.8.18).
pub mod condition {
    /// The node does not exist.
    pub const NOT_FOUND: &str = "amqp:not-found";
    /// The peer may not do that.
    pub const UNAUTHORIZED_ACCESS: &str = "amqp:unauthorized-access";
    /// Bytes that are not what the place asks for.
    pub const DECODE_ERROR: &str = "amqp:decode-error";
    /// A bound was reached.
    pub const RESOURCE_LIMIT_EXCEEDED: &str = "amqp:resource-limit-exceeded";
    /// The protocol forbids it here.
    pub const NOT_ALLOWED: &str = "amqp:not-allowed";
    /// A field has a value that makes no sense.
    pub const INVALID_FIELD: &str = "amqp:invalid-field";
    /// We do not do that.
    pub const NOT_IMPLEMENTED: &str = "amqp:not-implemented";
    /// Our fault.
    pub const INTERNAL_ERROR: &str = "amqp:internal-error";
    /// The connection is closed by an operator, or for being idle.
    pub const CONNECTION_FORCED: &str = "amqp:connection:forced";
    /// Bytes that are not a frame.
    pub const FRAMING_ERROR: &str = "amqp:connection:framing-error";
    /// A handle is attached already.
    pub const HANDLE_IN_USE: &str = "amqp:session:handle-in-use";
    /// A handle that is not attached.
    pub const UNATTACHED_HANDLE: &str = "amqp:session:unattached-handle";
    /// A frame of a session in which it makes no sense.
    pub const ERRANT_LINK: &str = "amqp:session:errant-link";
    /// Another link took this one's place.
    pub const LINK_STOLEN: &str = "amqp:link:stolen";
    /// The node is elsewhere; the info says where.
    pub const LINK_REDIRECT: &str = "amqp:link:redirect";
    /// An operator detached the link.
    pub const DETACH_FORCED: &str = "amqp:link:detach-forced";
    /// The message is larger than the link takes.
    pub const MESSAGE_SIZE_EXCEEDED: &str = "amqp:link:message-size-exceeded";
    /// More deliveries than credit.
    pub const TRANSFER_LIMIT_EXCEEDED: &str = "amqp:link:transfer-limit-exceeded";
}

impl AmqpError {
    /// An error with a condition and a description.
    pub fn new(condition: impl Into<Cow<'static, str>>, description: impl Into<String>) -> Self {
        Self {
            condition: condition.into(),
            description: Some(description.into()),
            info: Encoded::null(),
        }
    }

    pub(super) fn read(value: Value<'_>) -> Result<Option<Self>, DecodeError> {
        if value.is_null() {
            return Ok(None);
        }
        let described = value.as_described().ok_or(DecodeError::Expected("an error"))?;
        let mut fields = Fields::of(described.value())?;
        Ok(Some(Self {
            condition: fields.text("condition")?.unwrap_or_default().to_owned().into(),
            description: fields.text("description")?.map(str::to_owned),
            info: fields.value().into(),
        }))
    }

    pub(super) fn write(error: Option<&Self>, out: &mut Vec<u8>) {
        let Some(error) = error else {
            return encode::value(out, Value::Null);
        };
        encode::composite(out, 0x1d, |fields| {
            fields.push_symbol(&*error.condition);
            fields.push(error.description.as_deref());
            fields.push(&error.info);
        });
    }
}
