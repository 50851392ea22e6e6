//! The two links of a feature that asks and answers.

use ironhub_amqp::connection::LinkId;
use ironhub_amqp::performative::{Attach, Role, SenderSettleMode};
use ironhub_hub::Ports;

use crate::amqp::io::Io;

/// Messages of the device that may be under way on its link.
const CREDIT: u32 = 100;

#[derive(Debug, Default)]
pub(super) struct Pair {
    pub(super) from_device: Option<LinkId>,
    pub(super) to_device: Option<LinkId>,
    /// What goes to the device is settled by being sent.
    pub(super) sends_settled: bool,
}

impl Pair {
    /// Takes a link. What the device sends on its own has at most `bytes_max`.
    pub(super) fn attach<P: Ports>(&mut self, io: &mut Io<'_, P>, link: LinkId, attach: &Attach, bytes_max: usize) {
        let mut answer = attach.answer();
        if attach.role == Role::Sender {
            answer.max_message_size = Some(bytes_max as u64);
        }
        if io.accept(link, answer).is_err() {
            return;
        }
        *self.place(attach.role) = Some(link);
        match attach.role {
            Role::Sender => {
                let _ = io.amqp.grant(link, CREDIT);
            }
            Role::Receiver => self.sends_settled = attach.snd_settle_mode == Some(SenderSettleMode::Settled),
        }
    }

    /// The place of a link by the peer's role on it.
    pub(super) fn place(&mut self, role: Role) -> &mut Option<LinkId> {
        match role {
            Role::Sender => &mut self.from_device,
            Role::Receiver => &mut self.to_device,
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.from_device.is_some() && self.to_device.is_some()
    }
}
