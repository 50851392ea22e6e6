use super::{Connection, Phase};
use crate::frame::{self, FrameKind};
use crate::limits::{FRAME_BYTES_MAX, PIPELINED_BYTES_MAX};
use crate::performative::{AmqpError, Performative, condition};
use crate::types::DecodeError;

impl Connection {
    pub(super) fn keep_input(&mut self, bytes: &[u8]) {
        if self.phase == Phase::Done {
            return;
        }
        if self.phase == Phase::SaslDecision && self.input.len() + bytes.len() > PIPELINED_BYTES_MAX {
            let text = "Too much is sent before the credentials are judged.";
            return self.fail(AmqpError::new(condition::RESOURCE_LIMIT_EXCEEDED, text));
        }
        self.input.extend_from_slice(bytes);
    }

    /// What is left is an unfinished frame: it counts, too.
    pub(super) fn check_input(&mut self) {
        if let Err(error) = self.check_held() {
            self.fail(error);
        }
    }

    pub(super) fn resume_input(&mut self) {
        let mut input = std::mem::take(&mut self.input);
        let used = self.consume(&input);
        if used < input.len() && self.phase != Phase::Done {
            input.drain(..used);
            self.input = input;
        }
    }

    pub(super) fn can_step(&self) -> bool {
        !matches!(self.phase, Phase::SaslDecision | Phase::Done)
    }

    /// Reads what is whole; returns how many bytes that were. What is left is less than a frame.
    pub(super) fn consume(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        while self.can_step() {
            match self.step(bytes.get(used..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(len) => used += len,
                Err(error) => self.fail(error),
            }
        }
        used
    }

    /// Reads one protocol header or frame from the front of `bytes`; returns its length, 0 when it is not whole.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, AmqpError> {
        match self.phase {
            Phase::Header | Phase::HeaderAfterSasl => self.step_header(bytes),
            Phase::SaslInit | Phase::SaslMechanisms | Phase::SaslOutcome => self.step_sasl(bytes),
            Phase::OpenFrame | Phase::Open | Phase::Closing => self.step_frame(bytes),
            Phase::SaslDecision | Phase::Done => Ok(0),
        }
    }

    fn step_frame(&mut self, bytes: &[u8]) -> Result<usize, AmqpError> {
        let Some((frame, len)) = frame::first(bytes, FRAME_BYTES_MAX).map_err(framing_error)? else {
            return Ok(0);
        };
        if frame.kind != FrameKind::Amqp {
            return Err(AmqpError::new(
                condition::FRAMING_ERROR,
                "A SASL frame where an AMQP frame belongs.",
            ));
        }
        if !frame.body.is_empty() {
            let (performative, payload) = Performative::read(frame.body).map_err(decode_error)?;
            self.dispatch(frame.channel, performative, payload)?;
        }
        Ok(len)
    }

    fn dispatch(&mut self, channel: u16, performative: Performative, payload: &[u8]) -> Result<(), AmqpError> {
        let not_allowed = |text: &str| Err(AmqpError::new(condition::NOT_ALLOWED, text));
        match (self.phase, performative) {
            (Phase::OpenFrame, Performative::Open(open)) => self.handle_open(open),
            (Phase::Open | Phase::Closing, Performative::Close(close)) => self.handle_close(close),
            (Phase::Closing, _) => {}
            (Phase::Open, Performative::Open(_)) => return not_allowed("The connection is open already."),
            (Phase::Open, Performative::Begin(begin)) => {
                self.handle_begin(channel, &begin)?;
                return self.check_held();
            }
            (Phase::Open, performative) => {
                // Frames for a session that is over are normal: azure-eventhub detaches its links after the end.
                if let Some(session) = self.session_of(channel) {
                    self.dispatch_session(session, performative, payload);
                }
                return self.check_held();
            }
            (_, _) => return not_allowed("The first frame must be open."),
        }
        Ok(())
    }
}

pub(super) fn framing_error(error: frame::FrameError) -> AmqpError {
    AmqpError::new(condition::FRAMING_ERROR, error.to_string())
}

pub(super) fn decode_error(error: DecodeError) -> AmqpError {
    AmqpError::new(condition::DECODE_ERROR, error.to_string())
}
