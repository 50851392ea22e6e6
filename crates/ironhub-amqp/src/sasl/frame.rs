use crate::frame::{self, FrameKind};
use crate::types::{DecodeError, Decoder, Descriptor, Encoded, Fields, Value, encode};

/// A frame body of the authentication phase (§5.3.3). Challenge and response are not among them: no mechanism that Azure
/// offers uses them.
#[derive(Debug, Clone, PartialEq)]
pub enum SaslFrame {
    /// The server's mechanisms.
    Mechanisms(Encoded),
    /// The client's choice.
    Init {
        /// Its name.
        mechanism: String,
        /// What the client says first; absent and empty differ on the wire and mean the same.
        initial_response: Vec<u8>,
        /// The host the client means to reach.
        hostname: Option<String>,
    },
    /// How it ended.
    Outcome(SaslOutcome),
}

/// How authentication ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslOutcome {
    /// Authenticated, or allowed to go on without.
    Ok,
    /// Bad credentials.
    Auth,
    /// The server failed; the number is the code it sent, 2 to 4.
    System(u8),
}

impl SaslOutcome {
    fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Auth => 1,
            Self::System(code) => code,
        }
    }

    fn of(code: u8) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::Auth,
            other => Self::System(other),
        }
    }
}

impl SaslFrame {
    /// Reads a frame body.
    pub fn read(body: &[u8]) -> Result<Self, DecodeError> {
        let described = Decoder::new(body)
            .value()?
            .as_described()
            .ok_or(DecodeError::Expected("a SASL frame"))?;
        let mut fields = Fields::of(described.value())?;
        match described.descriptor() {
            Descriptor::Code(0x40) | Descriptor::Name("amqp:sasl-mechanisms:list") => {
                Ok(Self::Mechanisms(fields.value().into()))
            }
            Descriptor::Code(0x41) | Descriptor::Name("amqp:sasl-init:list") => Ok(Self::Init {
                mechanism: fields
                    .text("mechanism")?
                    .ok_or(DecodeError::Missing("mechanism"))?
                    .to_owned(),
                initial_response: fields
                    .optional("initial-response", bytes)?
                    .unwrap_or_default()
                    .to_owned(),
                hostname: fields.text("hostname")?.map(str::to_owned),
            }),
            Descriptor::Code(0x44) | Descriptor::Name("amqp:sasl-outcome:list") => {
                let code = fields.required("code", |value| value.as_u64().and_then(|n| u8::try_from(n).ok()))?;
                Ok(Self::Outcome(SaslOutcome::of(code)))
            }
            Descriptor::Code(_) | Descriptor::Name(_) | Descriptor::Other => Err(DecodeError::UnknownDescriptor),
        }
    }

    /// Appends the whole frame, all fields written.
    pub fn write(&self, out: &mut Vec<u8>) {
        frame::write(out, FrameKind::Sasl, 0, |out| match self {
            Self::Mechanisms(mechanisms) => encode::composite(out, 0x40, |fields| {
                fields.push(mechanisms);
            }),
            Self::Init {
                mechanism,
                initial_response,
                hostname,
            } => encode::composite(out, 0x41, |fields| {
                fields.push_symbol(mechanism.as_str());
                fields.push(initial_response.as_slice());
                fields.push(hostname.as_deref());
            }),
            Self::Outcome(outcome) => encode::composite(out, 0x44, |fields| {
                fields.push(outcome.code());
                // What the real service says; some client logs show it.
                fields.push((*outcome == SaslOutcome::Ok).then_some(&b"Welcome!"[..]));
            }),
        });
    }
}

fn bytes(value: Value<'_>) -> Option<&[u8]> {
    value.as_binary().or_else(|| value.as_text().map(str::as_bytes))
}
