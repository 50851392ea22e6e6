use super::input::{decode_error, framing_error};
use super::{Connection, Event, Phase, Side};
use crate::frame::{self, FrameKind};
use crate::limits::{FRAME_BYTES_MAX, FRAME_BYTES_MIN, SASL_FRAME_BYTES_MAX};
use crate::performative::{AmqpError, Open, Performative, condition};
use crate::protocol_header::{self, Protocol};
use crate::sasl::{Credentials, OFFERED, SaslFrame, SaslOutcome};
use crate::types::Encoded;

impl Connection {
    /// As a server, answers [`Event::Authenticate`]. Refusing ends the connection with SASL outcome *auth*.
    pub fn decide_sasl(&mut self, is_accepted: bool) {
        if self.phase != Phase::SaslDecision {
            return;
        }
        if !is_accepted {
            return self.refuse_sasl();
        }
        SaslFrame::Outcome(SaslOutcome::Ok).write(self.output.bytes_mut());
        self.phase = Phase::HeaderAfterSasl;
        self.resume_input();
    }

    /// A client speaks first.
    pub(super) fn start(&mut self) {
        match self.side {
            Side::Server => {}
            Side::Client(Some(_)) => self.write_header(Protocol::Sasl),
            Side::Client(None) => self.write_header(Protocol::Amqp),
        }
    }

    pub(super) fn step_header(&mut self, bytes: &[u8]) -> Result<usize, AmqpError> {
        let Some(header) = bytes.get(..protocol_header::BYTES) else {
            return Ok(0);
        };
        let is_after_sasl = self.phase == Phase::HeaderAfterSasl;
        match (Protocol::of(header), &self.side) {
            (Some(Protocol::Sasl), Side::Server) if !is_after_sasl => {
                self.write_header(Protocol::Sasl);
                SaslFrame::Mechanisms(Encoded::symbols(OFFERED)).write(self.output.bytes_mut());
                self.phase = Phase::SaslInit;
            }
            (Some(Protocol::Sasl), Side::Client(Some(_))) if !is_after_sasl => self.phase = Phase::SaslMechanisms,
            (Some(Protocol::Amqp), Side::Server) => {
                self.write_header(Protocol::Amqp);
                self.phase = Phase::OpenFrame;
            }
            (Some(Protocol::Amqp), Side::Client(credentials)) if is_after_sasl || credentials.is_none() => {
                self.write(0, &Performative::Open(self.config.open()));
                self.phase = Phase::OpenFrame;
            }
            _ => {
                // The standard's answer to a header that is not ours: the one we would take, then the end.
                if self.side == Side::Server {
                    self.write_header(Protocol::Sasl);
                }
                return Err(AmqpError::new(
                    condition::FRAMING_ERROR,
                    "The peer does not speak AMQP 1.0.",
                ));
            }
        }
        Ok(protocol_header::BYTES)
    }

    pub(super) fn step_sasl(&mut self, bytes: &[u8]) -> Result<usize, AmqpError> {
        let Some((frame, len)) = frame::first(bytes, SASL_FRAME_BYTES_MAX).map_err(framing_error)? else {
            return Ok(0);
        };
        if frame.kind != FrameKind::Sasl {
            return Err(AmqpError::new(
                condition::FRAMING_ERROR,
                "An AMQP frame where a SASL frame belongs.",
            ));
        }
        match (self.phase, SaslFrame::read(frame.body).map_err(decode_error)?) {
            (
                Phase::SaslInit,
                SaslFrame::Init {
                    mechanism,
                    initial_response,
                    hostname,
                },
            ) => match Credentials::read(&mechanism, &initial_response) {
                Some(credentials) => {
                    self.phase = Phase::SaslDecision;
                    self.events.push_back(Event::Authenticate { credentials, hostname });
                }
                None => self.refuse_sasl(),
            },
            (Phase::SaslMechanisms, SaslFrame::Mechanisms(offered)) => self.choose_mechanism(&offered)?,
            (Phase::SaslOutcome, SaslFrame::Outcome(SaslOutcome::Ok)) => {
                self.write_header(Protocol::Amqp);
                self.phase = Phase::HeaderAfterSasl;
            }
            (Phase::SaslOutcome, SaslFrame::Outcome(_)) => {
                return Err(AmqpError::new(
                    condition::UNAUTHORIZED_ACCESS,
                    "The server refused the credentials.",
                ));
            }
            _ => return Err(AmqpError::new(condition::NOT_ALLOWED, "A SASL frame out of turn.")),
        }
        Ok(len)
    }

    /// Takes the peer's side of the connection; a server answers at once, before anybody is authenticated.
    pub(super) fn handle_open(&mut self, open: Open) {
        let frame_bytes_max = usize::try_from(open.max_frame_size).unwrap_or(usize::MAX);
        self.peer_frame_bytes_max = frame_bytes_max.clamp(FRAME_BYTES_MIN, FRAME_BYTES_MAX);
        self.peer_channel_max = open.channel_max;
        self.heartbeat.set_peer_time_out(open.idle_time_out_ms);
        if self.side == Side::Server {
            self.write(0, &Performative::Open(self.config.open()));
        }
        self.phase = Phase::Open;
        self.events.push_back(Event::Opened(Box::new(open)));
    }

    fn choose_mechanism(&mut self, offered: &Encoded) -> Result<(), AmqpError> {
        let Side::Client(Some(credentials)) = &self.side else {
            return Ok(());
        };
        let (mechanism, initial_response) = credentials.to_response();
        if !offered.texts().any(|name| name == mechanism) {
            let text = format!("The server does not offer {mechanism}.");
            return Err(AmqpError::new(condition::NOT_IMPLEMENTED, text));
        }
        let hostname = self.config.hostname.clone();
        let init = SaslFrame::Init {
            mechanism: mechanism.to_owned(),
            initial_response,
            hostname,
        };
        init.write(self.output.bytes_mut());
        self.phase = Phase::SaslOutcome;
        Ok(())
    }

    fn refuse_sasl(&mut self) {
        SaslFrame::Outcome(SaslOutcome::Auth).write(self.output.bytes_mut());
        self.finish();
    }

    fn write_header(&mut self, protocol: Protocol) {
        self.output.bytes_mut().extend_from_slice(&protocol.header());
    }
}
