use crate::limits::{HANDLE_MAX, SESSION_WINDOW};
use crate::performative::{Begin, Flow};
use crate::serial::remaining;
use crate::types::Encoded;

/// How many transfer frames either side may send (AMQP 1.0 part 2, §2.5.6). Ours is announced and not enforced: uamqp-c
/// and pyamqp count one transfer-id for a delivery of many frames.
#[derive(Debug)]
pub(crate) struct Windows {
    next_incoming_id: u32,
    incoming_left: u32,
    next_outgoing_id: u32,
    outgoing_left: u32,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            next_incoming_id: 0,
            incoming_left: SESSION_WINDOW,
            next_outgoing_id: Self::OUTGOING_ID_FIRST,
            outgoing_left: 0,
        }
    }
}

impl Windows {
    /// What the real service begins with.
    const OUTGOING_ID_FIRST: u32 = 1;

    pub(crate) fn handle_begin(&mut self, begin: &Begin) {
        self.next_incoming_id = begin.next_outgoing_id;
        self.outgoing_left = begin.incoming_window;
    }

    pub(crate) fn handle_flow(&mut self, flow: &Flow) {
        let counted_at = flow.next_incoming_id.unwrap_or(Self::OUTGOING_ID_FIRST);
        self.outgoing_left = remaining(flow.incoming_window, counted_at, self.next_outgoing_id);
    }

    /// Counts a transfer frame of the peer; whether it is time to open the window again.
    pub(crate) fn handle_transfer(&mut self) -> bool {
        self.next_incoming_id = self.next_incoming_id.wrapping_add(1);
        self.incoming_left = self.incoming_left.saturating_sub(1);
        self.incoming_left < SESSION_WINDOW / 2
    }

    /// How many transfer frames we may send.
    pub(crate) fn outgoing_left(&self) -> u32 {
        self.outgoing_left
    }

    /// Counts a transfer frame of ours.
    pub(crate) fn take_outgoing(&mut self) {
        self.next_outgoing_id = self.next_outgoing_id.wrapping_add(1);
        self.outgoing_left = self.outgoing_left.saturating_sub(1);
    }

    pub(crate) fn begin(&self, remote_channel: Option<u16>) -> Begin {
        Begin {
            remote_channel,
            next_outgoing_id: self.next_outgoing_id,
            incoming_window: SESSION_WINDOW,
            outgoing_window: u32::MAX,
            handle_max: HANDLE_MAX,
            offered_capabilities: Encoded::null(),
            desired_capabilities: Encoded::null(),
            properties: Encoded::null(),
        }
    }

    /// A flow that opens our window again.
    pub(crate) fn flow(&mut self) -> Flow {
        self.incoming_left = SESSION_WINDOW;
        Flow {
            next_incoming_id: Some(self.next_incoming_id),
            incoming_window: SESSION_WINDOW,
            next_outgoing_id: self.next_outgoing_id,
            outgoing_window: u32::MAX,
            link: None,
            echo: false,
        }
    }
}
