use crate::performative::{Attach, LinkFlow, ReceiverSettleMode};
use crate::serial::remaining;

/// Our end of a link on which we send: credit granted by the peer.
#[derive(Debug)]
pub(crate) struct Sender {
    delivery_count: u32,
    credit: u32,
    is_draining: bool,
    settles_second: bool,
    /// Largest message the peer takes, in bytes.
    message_bytes_max: u64,
}

impl Sender {
    pub(crate) fn new(attach: &Attach) -> Self {
        let mut sender = Self {
            delivery_count: 0,
            credit: 0,
            is_draining: false,
            settles_second: false,
            message_bytes_max: u64::MAX,
        };
        sender.set_peer_limit(attach.max_message_size);
        sender
    }

    pub(crate) fn set_peer_limit(&mut self, max_message_size: Option<u64>) {
        self.message_bytes_max = max_message_size.filter(|size| *size > 0).unwrap_or(u64::MAX);
    }

    pub(crate) fn set_settle_mode(&mut self, mode: Option<ReceiverSettleMode>) {
        self.settles_second = mode == Some(ReceiverSettleMode::Second);
    }

    /// Whether the peer waits for our word after its outcome.
    pub(crate) fn settles_second(&self) -> bool {
        self.settles_second
    }

    pub(crate) fn message_bytes_max(&self) -> u64 {
        self.message_bytes_max
    }

    pub(crate) fn credit(&self) -> u32 {
        self.credit
    }

    pub(crate) fn delivery_count(&self) -> u32 {
        self.delivery_count
    }

    /// Takes the peer's grant (AMQP 1.0 part 2, §2.6.7). A receiver that does not know our count yet counts from 0.
    pub(crate) fn handle_flow(&mut self, flow: &LinkFlow) {
        if let Some(granted) = flow.link_credit {
            self.credit = remaining(granted, flow.delivery_count.unwrap_or(0), self.delivery_count);
        }
        self.is_draining = flow.drain;
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Uses one credit up; false when there is none.
    pub(crate) fn take_credit(&mut self) -> bool {
        let Some(left) = self.credit.checked_sub(1) else {
            return false;
        };
        self.credit = left;
        self.delivery_count = self.delivery_count.wrapping_add(1);
        true
    }

    /// Uses all credit up because the peer asked for it; false when it did not.
    pub(crate) fn drain(&mut self) -> bool {
        if !self.is_draining {
            return false;
        }
        self.delivery_count = self.delivery_count.wrapping_add(self.credit);
        self.credit = 0;
        self.is_draining = false;
        true
    }
}
