//! A back end listens for uploaded files. There are none yet, so it hears nothing.

use ironhub_amqp::connection::{Delivery, LinkId};
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, Role, SenderSettleMode};
use ironhub_hub::Ports;

use super::io::Io;
use super::node::{NodeEvents, Offer, not_allowed};

/// One receiver link.
pub(super) struct FileNotifications {
    link: LinkId,
}

impl FileNotifications {
    /// Takes the link, or refuses one that goes the other way.
    pub(super) fn attach<P: Ports>(io: &mut Io<'_, P>, offer: &Offer) -> Option<Self> {
        if offer.attach.role != Role::Receiver {
            io.refuse(offer.link, not_allowed());
            return None;
        }
        let answer = Attach {
            snd_settle_mode: Some(SenderSettleMode::Unsettled),
            ..offer.attach.answer()
        };
        io.accept(offer.link, answer).ok()?;
        Some(Self { link: offer.link })
    }
}

impl<P: Ports> NodeEvents<P> for FileNotifications {
    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery) {
        // Nobody sends to a reader.
        let _ = io.amqp.settle(delivery.receipt, DeliveryState::Released);
    }

    fn handle_credit(&mut self, io: &mut Io<'_, P>, link: LinkId, drain: bool) {
        if drain {
            // A link that has gone meanwhile has nothing to drain.
            let _ = io.amqp.drained(link);
        }
    }

    fn handle_revoked(&mut self, io: &mut Io<'_, P>, error: &AmqpError) {
        io.detach(self.link, Some(error.clone()));
    }
}
