use super::RequestError;
use crate::message::{
    Body, Message, MessageId, Properties, write_application_properties, write_properties, write_value,
};
use crate::types::Value;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'a> {
    /// An HTTP status. Success is exactly 200: Node takes no other.
    pub code: i32,
    /// Text, always there: .NET casts it.
    pub description: &'a str,
    /// With a failure the AMQP condition, which pyamqp and the JavaScript SDKs read.
    pub condition: Option<&'a str>,
}

impl Status<'static> {
    /// Done.
    pub const OK: Self = Self {
        code: 200,
        description: "OK",
        condition: None,
    };
}

/// A reply that has come.
#[derive(Debug, Clone)]
pub struct Reply<'a> {
    /// The request's message-id.
    pub correlation_id: Option<MessageId<'a>>,
    /// How it ended.
    pub status: Status<'a>,
    /// What was asked for.
    pub body: Body<'a>,
}

impl<'a> Reply<'a> {
    /// Appends a reply whose body is the amqp-value that `body` appends; most replies have null.
    ///
    /// `to` echoes the request's reply-to, which no client looks at.
    pub fn write(
        out: &mut Vec<u8>,
        correlation_id: Option<MessageId<'_>>,
        to: Option<&str>,
        status: &Status<'_>,
        body: Value<'_>,
    ) {
        write_properties(
            out,
            &Properties {
                to,
                correlation_id,
                ..Properties::default()
            },
        );
        let code = ("status-code", Value::Int(status.code));
        let description = ("status-description", Value::String(status.description));
        let condition = status
            .condition
            .map(|condition| ("error-condition", Value::Symbol(condition)));
        write_application_properties(out, [code, description].into_iter().chain(condition));
        write_value(out, body);
    }

    /// Reads a reply.
    pub fn read(payload: &'a [u8]) -> Result<Self, RequestError> {
        let message = Message::parse(payload)?;
        let properties = message.bare.application_properties;
        let text = |name| properties.value(name).and_then(|value| value.as_text());
        let code = properties.value("status-code").and_then(|value| value.as_i64());
        let code = code
            .and_then(|code| i32::try_from(code).ok())
            .ok_or(RequestError::Property("status-code"))?;
        Ok(Self {
            correlation_id: message.bare.properties.correlation_id,
            status: Status {
                code,
                description: text("status-description").unwrap_or_default(),
                condition: text("error-condition"),
            },
            body: message.bare.body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(correlation_id: MessageId<'_>, status: Status<'_>) {
        let mut out = Vec::new();
        Reply::write(&mut out, Some(correlation_id), Some("cbs"), &status, Value::Null);
        let reply = Reply::read(&out).unwrap();
        assert_eq!((reply.correlation_id, reply.status), (Some(correlation_id), status));
        assert!(matches!(reply.body, Body::Value(Value::Null)));
    }

    #[test]
    fn the_id_keeps_its_type() {
        for id in [
            MessageId::Ulong(0),
            MessageId::Uuid([7; 16]),
            MessageId::String("0"),
            MessageId::Binary(b"0"),
        ] {
            check(id, Status::OK);
            check(
                id,
                Status {
                    code: 401,
                    description: "",
                    condition: Some("amqp:unauthorized-access"),
                },
            );
        }
    }

    /// pyamqp compares with an int; a long would never match.
    #[test]
    fn golden_cbs_reply() {
        let mut out = Vec::new();
        Reply::write(&mut out, Some(MessageId::Ulong(0)), None, &Status::OK, Value::Null);
        let expected = b"\0\x53\x73\xc0\x0e\x0d\x40\x40\x40\x40\x40\x44\x40\x40\x40\x40\x40\x40\x40\
            \0\x53\x74\xc1\x2b\x04\xa1\x0bstatus-code\x71\0\0\0\xc8\xa1\x12status-description\xa1\x02OK\
            \0\x53\x77\x40";
        assert_eq!(out, expected);
    }
}
