//! Delivers reports on what became of cloud-to-device messages.

use std::marker::PhantomData;

use ironhub_amqp::connection::Delivery;
use ironhub_amqp::performative::{AmqpError, DeliveryState};
use ironhub_hub::Ports;

use super::io::Io;
use super::node::{NodeEvents, Offer, not_implemented};

pub(super) struct Feedback<P: Ports>(PhantomData<fn() -> P>);

impl<P: Ports> Feedback<P> {
    pub(super) fn attach(io: &mut Io<'_, P>, offer: &Offer) -> Option<Self> {
        io.refuse(offer.link, not_implemented());
        None
    }
}

impl<P: Ports> NodeEvents<P> for Feedback<P> {
    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery) {
        let _ = io
            .amqp
            .settle(delivery.receipt, DeliveryState::Rejected(Some(not_implemented())));
    }

    fn handle_revoked(&mut self, io: &mut Io<'_, P>, error: &AmqpError) {
        let _ = (io, error);
    }
}
