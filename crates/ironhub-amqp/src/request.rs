//! Requests and replies over a pair of links, as `$cbs` and `$management` use them (AMQP Management 1.0, working draft;
//! AMQP Claims-based Security 1.0, working draft).

mod reply;
mod responder;

pub use reply::{Reply, Status};
pub use responder::{ReplyError, Responder};

use crate::message::{Body, Message, MessageId};
use crate::types::{DecodeError, Map};

/// One request, borrowed from its message.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Comes back as the reply's correlation-id, with the very same type.
    pub message_id: Option<MessageId<'a>>,
    /// Where the reply goes: the target address of the requester's receiving link, or that link's name.
    pub reply_to: Option<&'a str>,
    /// For example `put-token` or `READ`.
    pub operation: &'a str,
    /// The kind of thing: of token, of entity.
    pub kind: &'a str,
    /// Which one.
    pub name: &'a str,
    /// All application properties, these three among them.
    pub properties: Map<'a>,
    /// What else was said.
    pub body: Body<'a>,
}

/// Why a message is not a request; a reply with status 400 says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The message does not decode.
    #[error("the request does not decode: {0}")]
    Decode(#[from] DecodeError),
    /// An application property is missing or not a string.
    #[error("the application property '{0}' is missing or not a string")]
    Property(&'static str),
    /// The body is not what the operation needs.
    #[error("the body is not {0}")]
    Body(&'static str),
}

impl<'a> Request<'a> {
    /// Reads a request. A message whose properties say too little still gives its id and reply-to for the reply, by
    /// [`Request::return_address`].
    pub fn read(payload: &'a [u8]) -> Result<Self, RequestError> {
        let message = Message::parse(payload)?;
        let properties = message.bare.application_properties;
        let text = |name| {
            properties
                .value(name)
                .and_then(|value| value.as_text())
                .ok_or(RequestError::Property(name))
        };
        Ok(Self {
            message_id: message.bare.properties.message_id,
            reply_to: message.bare.properties.reply_to,
            operation: text("operation")?,
            kind: text("type")?,
            name: text("name")?,
            properties,
            body: message.bare.body,
        })
    }

    /// Message-id and reply-to of anything that decodes, for the reply that refuses it.
    pub fn return_address(payload: &'a [u8]) -> (Option<MessageId<'a>>, Option<&'a str>) {
        let properties = Message::parse(payload)
            .map(|message| message.bare.properties)
            .unwrap_or_default();
        (properties.message_id, properties.reply_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Properties, write_application_properties, write_properties};
    use crate::types::Value;

    #[track_caller]
    fn check(properties: &[(&str, Value<'_>)], expected: Result<(&str, &str, &str), RequestError>) {
        let mut payload = Vec::new();
        let reply_to = Some("cbs");
        write_properties(
            &mut payload,
            &Properties {
                message_id: Some(MessageId::Ulong(7)),
                reply_to,
                ..Properties::default()
            },
        );
        write_application_properties(&mut payload, properties.iter().copied());
        let request = Request::read(&payload);
        assert_eq!(
            request.map(|request| (request.operation, request.kind, request.name)),
            expected
        );
        assert_eq!(
            Request::return_address(&payload),
            (Some(MessageId::Ulong(7)), Some("cbs"))
        );
    }

    #[test]
    fn requests() {
        let (operation, kind, name) = (
            ("operation", "READ".into()),
            ("type", "t".into()),
            ("name", "hub".into()),
        );
        check(&[operation, kind, name], Ok(("READ", "t", "hub")));
        check(
            &[name, ("extra", Value::Null), kind, operation],
            Ok(("READ", "t", "hub")),
        );
        check(&[kind, name], Err(RequestError::Property("operation")));
        check(
            &[operation, ("type", Value::Int(1)), name],
            Err(RequestError::Property("type")),
        );
        check(&[], Err(RequestError::Property("operation")));
    }

    #[test]
    fn what_does_not_decode_has_no_return_address() {
        assert_eq!(
            Request::read(b"\x40").unwrap_err(),
            DecodeError::Expected("a message section").into()
        );
        assert_eq!(Request::return_address(b"\x40"), (None, None));
    }
}
