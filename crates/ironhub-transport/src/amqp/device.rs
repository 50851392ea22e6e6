//! A device or module on a connection: its link to the hub, and its AMQP links.
//!
//! The link to the hub opens with the first AMQP link and closes with the last. Whatever cuts it (a newer connection,
//! an operator, the end of a token) detaches the AMQP links of this identity and of no other.

mod c2d;
mod methods;
mod pair;
mod telemetry;
mod twin;

use std::task::{Context, Poll};

use ironhub_amqp::connection::{Delivery, LinkId, Sent};
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, Role, condition};
use ironhub_dialect::amqp::address::DeviceEndpoint;
use ironhub_hub::{AuthKind, CloseReason, DevicePrincipal, Features, Link, LinkEvent, LinkOptions, Ports};
use ironhub_model::IdentityId;
use tracing::debug;

use self::c2d::C2d;
use self::methods::Methods;
use self::telemetry::Telemetry;
use self::twin::Twin;
use super::claims::HubFuture;
use super::io::Io;
use super::node::{NodeEvents, Offer};
use crate::error::amqp_error;

/// Links that wait until their identity has proved itself: each endpoint in each direction, twice.
const OFFERS_WAITING_MAX: usize = 16;

pub(super) struct Device<P: Ports> {
    id: IdentityId,
    stage: Stage<P>,
}

enum Stage<P: Ports> {
    /// Nobody has asked for a link.
    New,
    Opening {
        link: HubFuture<Link<P>>,
        waiting: Vec<(Offer, DeviceEndpoint)>,
    },
    Open(Box<Connected<P>>),
    /// It has ended: what was asked for meanwhile hears the same.
    Over(AmqpError),
}

/// An identity with its link to the hub.
struct Connected<P: Ports> {
    link: Link<P>,
    telemetry: Telemetry<P>,
    c2d: C2d<P>,
    methods: Methods,
    twin: Twin,
    /// A module's input: in IoT Edge messages come on it, here none.
    inputs: Option<LinkId>,
    renewal: Option<HubFuture<DevicePrincipal>>,
    model: Option<HubFuture<()>>,
    /// Notices of changed desired properties are about to begin.
    start: Option<HubFuture<()>>,
}

impl<P: Ports> Device<P> {
    pub(super) fn new(id: IdentityId) -> Self {
        Self { id, stage: Stage::New }
    }

    /// A link of the identity's is asked for; who asks is still to be found out.
    pub(super) fn attach(&mut self, io: &mut Io<'_, P>, offer: Offer, endpoint: DeviceEndpoint) {
        match &mut self.stage {
            Stage::New => {
                let link = open(io, &self.id, &offer.attach);
                self.stage = Stage::Opening {
                    link,
                    waiting: vec![(offer, endpoint)],
                };
            }
            Stage::Opening { waiting, .. } if waiting.len() < OFFERS_WAITING_MAX => waiting.push((offer, endpoint)),
            Stage::Opening { .. } => io.refuse(offer.link, too_many_links()),
            Stage::Open(connected) => connected.attach(io, &offer, endpoint),
            Stage::Over(error) => io.refuse(offer.link, error.clone()),
        }
    }

    fn poll_opening(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) {
        let Stage::Opening { link, waiting } = &mut self.stage else {
            return;
        };
        let Poll::Ready(opened) = link.as_mut().poll(cx) else {
            return;
        };
        let waiting = std::mem::take(waiting);
        match opened {
            Ok(link) => {
                if let AuthKind::X509 { .. } = link.principal().kind {
                    io.claims.note_certificate();
                }
                let mut connected = Box::new(Connected::new(link));
                for (offer, endpoint) in waiting {
                    connected.attach(io, &offer, endpoint);
                }
                self.stage = Stage::Open(connected);
            }
            Err(error) => {
                debug!(id = %self.id, %error, "AMQP links refused");
                let error = amqp_error(&error);
                for (offer, _) in waiting {
                    io.refuse(offer.link, error.clone());
                }
                self.stage = Stage::Over(error);
            }
        }
    }

    /// Ends the identity's part of the connection.
    fn end(&mut self, io: &mut Io<'_, P>, error: &AmqpError) {
        match std::mem::replace(&mut self.stage, Stage::Over(error.clone())) {
            Stage::Opening { waiting, .. } => {
                for (offer, _) in waiting {
                    io.refuse(offer.link, error.clone());
                }
            }
            Stage::Open(connected) => {
                for link in connected.links() {
                    io.detach(link, Some(error.clone()));
                }
            }
            Stage::New | Stage::Over(_) => {}
        }
    }

    fn connected(&mut self) -> Option<&mut Connected<P>> {
        match &mut self.stage {
            Stage::Open(connected) => Some(connected),
            Stage::New | Stage::Opening { .. } | Stage::Over(_) => None,
        }
    }
}

impl<P: Ports> NodeEvents<P> for Device<P> {
    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery) {
        if let Some(connected) = self.connected() {
            connected.handle_delivery(io, delivery);
        }
    }

    fn handle_disposition(&mut self, _: &mut Io<'_, P>, deliveries: &[Sent], state: &DeliveryState, settled: bool) {
        let (Some(connected), Some(first)) = (self.connected(), deliveries.first()) else {
            return;
        };
        if connected.c2d.link == Some(first.link) {
            connected.c2d.handle_disposition(deliveries, state, settled);
        } else if connected.methods.links.to_device == Some(first.link) {
            connected.methods.handle_disposition(&connected.link, deliveries, state);
        }
    }

    fn handle_credit(&mut self, io: &mut Io<'_, P>, link: LinkId, drain: bool) {
        let Some(connected) = self.connected() else { return };
        if connected.c2d.link == Some(link) {
            connected.c2d.drain(drain);
        } else if drain {
            connected.twin.send_answers(io);
            let _ = io.amqp.drained(link); // The credit may be gone with the link.
        }
    }

    fn handle_detached(&mut self, io: &mut Io<'_, P>, link: LinkId) {
        match &mut self.stage {
            Stage::Opening { waiting, .. } => waiting.retain(|(offer, _)| offer.link != link),
            Stage::Open(connected) => connected.handle_detached(link),
            Stage::New | Stage::Over(_) => {}
        }
        let _ = io;
    }

    fn handle_claims_changed(&mut self, io: &mut Io<'_, P>) {
        if let Stage::Open(connected) = &mut self.stage
            && connected.link.principal().expires_at.is_some()
        {
            connected.renewal = Some(io.claims.device(&self.id));
        }
    }

    fn handle_revoked(&mut self, io: &mut Io<'_, P>, error: &AmqpError) {
        self.end(io, error);
    }

    fn is_blocked(&self) -> bool {
        match &self.stage {
            Stage::Open(connected) => connected.telemetry.is_blocked() || connected.twin.is_blocked(),
            Stage::New | Stage::Opening { .. } | Stage::Over(_) => false,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) {
        self.poll_opening(cx, io);
        if let Some(connected) = self.connected()
            && let Err(error) = connected.poll(cx, io)
        {
            self.end(io, &error);
        }
    }
}

impl<P: Ports> Connected<P> {
    fn new(link: Link<P>) -> Self {
        Self {
            telemetry: Telemetry::new(&link),
            c2d: C2d::new(&link),
            methods: Methods::new(),
            twin: Twin::new(),
            inputs: None,
            renewal: None,
            model: None,
            start: None,
            link,
        }
    }

    /// Takes a link. An older one to the same place in the same direction ends.
    fn attach(&mut self, io: &mut Io<'_, P>, offer: &Offer, endpoint: DeviceEndpoint) {
        let (link, attach) = (offer.link, &*offer.attach);
        let is_module = self.link.principal().id.module.is_some();
        let place = match (endpoint, attach.role) {
            (DeviceEndpoint::Events, Role::Sender) => &mut self.telemetry.link,
            (DeviceEndpoint::Events, Role::Receiver) if is_module => &mut self.inputs,
            (DeviceEndpoint::C2d, Role::Receiver) => &mut self.c2d.link,
            (DeviceEndpoint::Methods, role) => self.methods.links.place(role),
            (DeviceEndpoint::Twin, role) => self.twin.links.place(role),
            (DeviceEndpoint::Events, Role::Receiver) | (DeviceEndpoint::C2d, Role::Sender) => {
                return io.refuse(link, wrong_way());
            }
        };
        if let Some(older) = place.take() {
            self.handle_detached(older);
            io.detach(older, Some(stolen()));
        }
        self.announce_model(attach);
        match endpoint {
            DeviceEndpoint::Events if attach.role == Role::Sender => self.telemetry.attach(io, link, attach),
            DeviceEndpoint::Events => {
                self.inputs = io.accept(link, attach.answer()).is_ok().then_some(link);
            }
            DeviceEndpoint::C2d => self.c2d.attach(io, link, attach),
            DeviceEndpoint::Methods => self.methods.attach(io, link, attach),
            DeviceEndpoint::Twin => self.twin.attach(io, link, attach),
        }
        self.listen();
    }

    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery) {
        let link = Some(delivery.receipt.link());
        if link == self.telemetry.link {
            return self.telemetry.handle_delivery(io.amqp, delivery);
        }
        // Telemetry asks for itself; all else may not pass a link that was cut either.
        if self.link.check_open().is_err() {
            return;
        }
        if link == self.methods.links.from_device {
            self.methods.handle_answer(io.amqp, &self.link, &delivery);
        } else if link == self.twin.links.from_device {
            self.twin.handle_request(io.amqp, &delivery);
        }
    }

    fn handle_detached(&mut self, link: LinkId) {
        let link = Some(link);
        if link == self.telemetry.link {
            self.telemetry.link = None;
        } else if link == self.c2d.link {
            self.c2d.handle_detached();
        } else if link == self.inputs {
            self.inputs = None;
        }
        for place in [Role::Sender, Role::Receiver] {
            if link == *self.methods.links.place(place) {
                *self.methods.links.place(place) = None;
            }
            if link == *self.twin.links.place(place) {
                *self.twin.links.place(place) = None;
                if place == Role::Sender {
                    self.twin.handle_requests_detached();
                }
            }
        }
        self.listen();
    }

    fn poll(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) -> Result<(), AmqpError> {
        self.poll_own(cx)?;
        let features = self.features();
        self.twin
            .poll(cx, io, &self.link, features)
            .map_err(|_| too_many_answers())?;
        self.telemetry.poll(cx, io.amqp).map_err(|error| amqp_error(&error))?;
        self.poll_link(cx, io)?;
        self.c2d.poll(cx, io);
        Ok(())
    }

    /// Takes what the hub wants of the device, as far as the device can be told.
    fn poll_link(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) -> Result<(), AmqpError> {
        loop {
            let room = Features {
                methods: self.methods.can_call(io.amqp),
                desired: self.twin.can_notify(io.amqp),
                c2d: true,
            };
            let Poll::Ready(event) = self.link.poll_next(cx, room) else {
                break;
            };
            match event {
                LinkEvent::Method { request_id, call } => {
                    self.methods.call(io.amqp, &self.link, request_id, &call);
                }
                LinkEvent::Desired { patch, .. } => self.twin.notify(io.amqp, &patch),
                LinkEvent::C2dReady => self.c2d.ready(),
                LinkEvent::Close(reason) => return Err(cut(reason)),
            }
        }
        let links = [self.methods.links.to_device, self.twin.links.to_device];
        let is_busy = |link: LinkId| io.amqp.credit(link) > 0 && !io.amqp.can_send(link);
        if links.into_iter().flatten().any(is_busy) {
            io.want_output();
        }
        Ok(())
    }

    /// Drives what the identity itself has under way.
    fn poll_own(&mut self, cx: &mut Context<'_>) -> Result<(), AmqpError> {
        if let Some(renewal) = &mut self.renewal
            && let Poll::Ready(proved) = renewal.as_mut().poll(cx)
        {
            self.renewal = None;
            // Who cannot prove himself anew stays as long as the old proof is good.
            if let Ok(principal) = proved {
                self.link.renew(principal).map_err(|error| amqp_error(&error))?;
            }
        }
        for under_way in [&mut self.model, &mut self.start] {
            if let Some(future) = under_way
                && let Poll::Ready(result) = future.as_mut().poll(cx)
            {
                *under_way = None;
                result.map_err(|error| amqp_error(&error))?;
            }
        }
        Ok(())
    }

    /// What the device takes, by the links that are up.
    fn features(&self) -> Features {
        Features {
            methods: self.methods.links.is_whole(),
            desired: self.twin.is_subscribed && self.twin.links.is_whole(),
            c2d: self.c2d.link.is_some(),
        }
    }

    fn listen(&mut self) {
        if let Some(start) = self.link.set_features(self.features()) {
            self.start = Some(Box::pin(start));
        }
    }

    /// Telemetry links, and in .NET others too, tell the model; it may come after the identity's first link.
    fn announce_model(&mut self, attach: &Attach) {
        let Some(model_id) = model_id(attach).filter(|model_id| self.link.model_id() != Some(model_id)) else {
            return;
        };
        match self.link.announce_model(model_id) {
            Ok(announcing) => {
                self.model = Some(Box::pin(announcing));
                self.telemetry.renew(&self.link);
            }
            Err(error) => debug!(id = %self.link.principal().id, %error, "model ID ignored"),
        }
    }

    fn links(&self) -> impl Iterator<Item = LinkId> {
        let (methods, twin) = (&self.methods.links, &self.twin.links);
        let links = [
            self.telemetry.link,
            self.c2d.link,
            self.inputs,
            methods.from_device,
            methods.to_device,
            twin.from_device,
            twin.to_device,
        ];
        links.into_iter().flatten()
    }
}

fn open<P: Ports>(io: &Io<'_, P>, id: &IdentityId, attach: &Attach) -> HubFuture<Link<P>> {
    let (proof, hub) = (io.claims.device(id), io.hub.clone());
    let options = LinkOptions {
        model_id: model_id(attach),
        product_info: text(attach, "com.microsoft:client-version"),
        ..LinkOptions::default()
    };
    Box::pin(async move {
        let principal = proof.await?;
        hub.connections.open_sessionless(principal, options).await
    })
}

fn model_id(attach: &Attach) -> Option<String> {
    text(attach, "com.microsoft:model-id").filter(|model_id| !model_id.is_empty())
}

fn text(attach: &Attach, name: &str) -> Option<String> {
    Some(attach.properties.entry(name)?.as_text()?.to_owned())
}

/// What the links of an identity hear that was cut. Who was revoked comes again and is refused then: Java does not try
/// again by itself after anything that says so now.
fn cut(reason: CloseReason) -> AmqpError {
    match reason {
        CloseReason::Replaced => AmqpError::new(condition::LINK_STOLEN, "A newer connection of the device exists."),
        CloseReason::TokenExpired => AmqpError::new(condition::UNAUTHORIZED_ACCESS, "The token has expired."),
        CloseReason::Revoked => AmqpError::new(
            condition::DETACH_FORCED,
            "The device was changed in a way that ends its connections.",
        ),
        CloseReason::Draining => AmqpError::new(condition::DETACH_FORCED, "The hub is stopping."),
        CloseReason::Stalled => AmqpError::new(condition::DETACH_FORCED, "The device takes too little."),
        CloseReason::Ended => AmqpError::new(condition::DETACH_FORCED, "The device's connection has ended."),
    }
}

fn stolen() -> AmqpError {
    AmqpError::new(
        condition::LINK_STOLEN,
        "A newer link of the device to the same address exists.",
    )
}

fn wrong_way() -> AmqpError {
    AmqpError::new(condition::NOT_ALLOWED, "Messages do not go that way at this address.")
}

fn too_many_links() -> AmqpError {
    AmqpError::new(
        condition::RESOURCE_LIMIT_EXCEEDED,
        "Too many links are asked for at once.",
    )
}

fn too_many_answers() -> AmqpError {
    AmqpError::new(
        condition::RESOURCE_LIMIT_EXCEEDED,
        "Too many answers wait for credit on the twin's link.",
    )
}
