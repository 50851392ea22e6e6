//! What a connection wrote: protocol headers and frames that read, deliveries that count upwards.

use std::collections::HashMap;

use ironhub_amqp::connection::Side;
use ironhub_amqp::frame::{self, FrameKind};
use ironhub_amqp::limits::FRAME_BYTES_MAX;
use ironhub_amqp::performative::Performative;
use ironhub_amqp::sasl::SaslFrame;

const HEADER_BYTES: usize = 8;

/// The output so far that was not yet looked at.
pub(super) struct Written {
    bytes: Vec<u8>,
    /// The next delivery of each channel, and the handle of the link whose delivery is unfinished.
    deliveries: HashMap<u16, (u32, Option<u32>)>,
    is_client: bool,
}

impl Written {
    pub(super) fn new(side: &Side) -> Self {
        Self {
            bytes: Vec::new(),
            deliveries: HashMap::new(),
            is_client: matches!(side, Side::Client(_)),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let mut used = 0;
        while let Some(len) = self.read(used) {
            used += len;
        }
        self.bytes.drain(..used);
    }

    /// Everything was whole.
    pub(super) fn check(&self) {
        assert!(self.bytes.is_empty(), "the end of the output is not a frame");
    }

    fn read(&mut self, from: usize) -> Option<usize> {
        let bytes = self.bytes.get(from..).filter(|bytes| !bytes.is_empty())?;
        if bytes.starts_with(b"AMQP") {
            return (bytes.len() >= HEADER_BYTES).then_some(HEADER_BYTES);
        }
        if bytes.len() < HEADER_BYTES {
            return None;
        }
        let (frame, len) = frame::first(bytes, FRAME_BYTES_MAX).expect("a frame")?;
        match frame.kind {
            FrameKind::Sasl => drop(SaslFrame::read(frame.body).expect("a SASL frame")),
            FrameKind::Amqp if frame.body.is_empty() => {}
            FrameKind::Amqp => {
                let (performative, _) = Performative::read(frame.body).expect("a performative");
                let channel = frame.channel;
                self.count(channel, &performative);
            }
        }
        Some(len)
    }

    fn count(&mut self, channel: u16, performative: &Performative) {
        match performative {
            Performative::Begin(_) => drop(self.deliveries.insert(channel, (0, None))),
            Performative::Transfer(transfer) => {
                let (next, unfinished) = self
                    .deliveries
                    .get_mut(&channel)
                    .expect("a session before its deliveries");
                if unfinished.is_none() {
                    let id = transfer.delivery_id.expect("a first frame names its delivery");
                    assert_eq!(id, *next, "deliveries of a session are contiguous");
                    *next = id.wrapping_add(1);
                }
                *unfinished = transfer.more.then_some(transfer.handle);
            }
            Performative::Open(_) => assert!(self.is_client || self.deliveries.is_empty()),
            // A link that goes takes its unfinished delivery along.
            Performative::Detach(detach) => {
                if let Some((_, unfinished)) = self.deliveries.get_mut(&channel) {
                    unfinished.take_if(|handle| *handle == detach.handle);
                }
            }
            Performative::Attach(_)
            | Performative::Flow(_)
            | Performative::Disposition(_)
            | Performative::End(_)
            | Performative::Close(_) => {}
        }
    }
}
