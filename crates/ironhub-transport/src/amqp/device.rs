//! A device or module on a connection: its link to the hub, and its AMQP links.

mod c2d;
mod methods;
mod telemetry;
mod twin;

use std::marker::PhantomData;

use ironhub_amqp::connection::Delivery;
use ironhub_amqp::performative::{AmqpError, DeliveryState};
use ironhub_dialect::amqp::address::DeviceEndpoint;
use ironhub_hub::Ports;
use ironhub_model::IdentityId;

use super::io::Io;
use super::node::{NodeEvents, Offer, not_implemented};

pub(super) struct Device<P: Ports> {
    id: IdentityId,
    ports: PhantomData<fn() -> P>,
}

impl<P: Ports> Device<P> {
    pub(super) fn new(id: IdentityId) -> Self {
        Self { id, ports: PhantomData }
    }

    /// A link of the identity's is asked for; who asks is still to be found out, by `io.claims.device`.
    pub(super) fn attach(&mut self, io: &mut Io<'_, P>, offer: Offer, endpoint: DeviceEndpoint) {
        let _ = (&self.id, endpoint);
        io.refuse(offer.link, not_implemented());
    }
}

impl<P: Ports> NodeEvents<P> for Device<P> {
    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery) {
        let _ = io
            .amqp
            .settle(delivery.receipt, DeliveryState::Rejected(Some(not_implemented())));
    }

    fn handle_revoked(&mut self, io: &mut Io<'_, P>, error: &AmqpError) {
        let _ = (io, error);
    }
}
