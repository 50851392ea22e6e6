//! A partition of the event hub, seen by a consumer group: one receiver (Event Hubs).

use std::marker::PhantomData;

use ironhub_amqp::connection::Delivery;
use ironhub_amqp::performative::{AmqpError, DeliveryState};
use ironhub_dialect::amqp::address::PartitionAddress;
use ironhub_hub::Ports;

use super::io::Io;
use super::node::{NodeEvents, Offer, not_implemented};

pub(super) struct Events<P: Ports>(PhantomData<fn() -> P>);

impl<P: Ports> Events<P> {
    pub(super) fn attach(io: &mut Io<'_, P>, offer: &Offer, address: &PartitionAddress<'_>) -> Option<Self> {
        let _ = address;
        io.refuse(offer.link, not_implemented());
        None
    }
}

impl<P: Ports> NodeEvents<P> for Events<P> {
    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery) {
        let _ = io
            .amqp
            .settle(delivery.receipt, DeliveryState::Rejected(Some(not_implemented())));
    }

    fn handle_revoked(&mut self, io: &mut Io<'_, P>, error: &AmqpError) {
        let _ = (io, error);
    }
}
