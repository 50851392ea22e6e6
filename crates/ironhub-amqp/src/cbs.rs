//! Claims-based security: tokens put on `$cbs` (AMQP Claims-based Security 1.0, working draft).

use crate::message::{Body, MessageId, Properties, write_application_properties, write_properties, write_value};
use crate::request::{Request, RequestError};
use crate::types::Value;

/// Address of the node that takes tokens.
pub const NODE: &str = "$cbs";

/// The one operation of the node.
pub const PUT_TOKEN: &str = "put-token";

/// A client puts a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PutToken<'a> {
    /// The token's kind: `servicebus.windows.net:sastoken`, `azure-devices.net:sastoken` or `jwt`.
    pub kind: &'a str,
    /// What the client says the token is for. SDKs disagree how to write it, and the token itself says it too.
    pub audience: &'a str,
    /// The token: a secret, never to be logged.
    pub token: &'a str,
}

impl<'a> PutToken<'a> {
    /// Reads a request of the operation [`PUT_TOKEN`].
    pub fn read(request: &Request<'a>) -> Result<Self, RequestError> {
        if request.operation != PUT_TOKEN {
            return Err(RequestError::Property("operation"));
        }
        let token = if let Body::Value(value) = &request.body {
            value.as_text()
        } else {
            None
        };
        let token = token.ok_or(RequestError::Body("a token as a string"))?;
        Ok(Self {
            kind: request.kind,
            audience: request.name,
            token,
        })
    }

    /// Appends the request.
    pub fn write(&self, out: &mut Vec<u8>, message_id: MessageId<'_>, reply_to: &str) {
        write_properties(
            out,
            &Properties {
                message_id: Some(message_id),
                to: Some(NODE),
                reply_to: Some(reply_to),
                ..Properties::default()
            },
        );
        write_application_properties(
            out,
            [("operation", PUT_TOKEN), ("type", self.kind), ("name", self.audience)],
        );
        write_value(out, Value::String(self.token));
    }
}

impl std::fmt::Debug for PutToken<'_> {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("PutToken");
        debug
            .field("kind", &self.kind)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: PutToken<'static> = PutToken {
        kind: "servicebus.windows.net:sastoken",
        audience: "sb://hub/eh",
        token: "SharedAccessSignature sr=x",
    };

    #[test]
    fn what_is_put_is_read() {
        let mut out = Vec::new();
        TOKEN.write(&mut out, MessageId::Uuid([1; 16]), "cbs");
        let request = Request::read(&out).unwrap();
        assert_eq!(PutToken::read(&request), Ok(TOKEN));
        assert_eq!(
            (request.message_id, request.reply_to),
            (Some(MessageId::Uuid([1; 16])), Some("cbs"))
        );
    }

    #[test]
    fn what_is_not_a_token() {
        let mut out = Vec::new();
        write_application_properties(&mut out, [("operation", "delete-token"), ("type", "t"), ("name", "n")]);
        assert_eq!(
            PutToken::read(&Request::read(&out).unwrap()),
            Err(RequestError::Property("operation"))
        );
        let mut out = Vec::new();
        write_application_properties(&mut out, [("operation", PUT_TOKEN), ("type", "t"), ("name", "n")]);
        crate::message::write_data(&mut out, b"token");
        assert_eq!(
            PutToken::read(&Request::read(&out).unwrap()),
            Err(RequestError::Body("a token as a string"))
        );
    }

    #[test]
    fn a_token_is_not_printed() {
        assert!(!format!("{TOKEN:?}").contains("SharedAccess"));
    }
}
