//! AMQP 1.0 to devices, back ends and Event Hubs clients: one task per connection, whatever it talks to.
//!
//! The frame rules are `ironhub-amqp`'s, the meaning of addresses and annotations is `ironhub-dialect`'s, and what
//! happens is the hub's. Here is what is left: a link talks to a *node* (a file each), nodes keep the hub's futures,
//! and the driver reads, writes and gives up.

mod c2d_send;
mod cbs;
mod claims;
mod device;
mod driver;
mod end;
mod events;
mod feedback;
mod file_notifications;
mod io;
mod management;
mod node;
mod nodes;
mod protocol;
mod ready;
mod redirect;
mod sasl;
mod wire;

use std::fmt::Write;
use std::sync::Arc;

use ironhub_hub::{Hub, Ports};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, info};

use crate::failed_connects::FailedConnects;
use crate::faults::Faults;
use crate::listener::{Drain, Service};
use crate::log_limit::LogLimit;
use crate::peer::Peer;
use crate::socket::Socket;
use crate::websocket::{SubProtocol, WebSocketService, WebSocketStream};
use driver::Driver;
use end::End;

/// Speaks AMQP for a hub, over plain TCP, TLS and WebSocket alike.
#[derive(Debug)]
pub struct AmqpService<P: Ports> {
    hub: Hub<P>,
    faults: Faults,
    /// What all connections call themselves.
    container_id: String,
    failed_connects: FailedConnects,
    refusals: LogLimit,
    endings: LogLimit,
}

impl<P: Ports> AmqpService<P> {
    /// For all ports of one hub: failed attempts to prove something count together.
    pub fn new(hub: Hub<P>) -> Arc<Self> {
        Self::broken(hub, Faults::default())
    }

    /// With links broken as the rules say.
    pub fn broken(hub: Hub<P>, faults: Faults) -> Arc<Self> {
        Arc::new(Self {
            hub,
            faults,
            container_id: container_id(),
            failed_connects: FailedConnects::default(),
            refusals: LogLimit::new(),
            endings: LogLimit::new(),
        })
    }

    /// Serves one byte stream to its end.
    async fn accept<S>(self: Arc<Self>, stream: S, peer: Peer, drain: Drain)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let end = Box::new(Driver::new(Arc::clone(&self), stream, peer.clone()))
            .run(&drain)
            .await;
        self.report(&end, &peer);
    }

    fn report(&self, end: &End, peer: &Peer) {
        metrics::counter!("ironhub_amqp_connections_ended_total", "reason" => end.reason()).increment(1);
        if !end.is_fault() {
            debug!(peer = %peer.address(), %end, "AMQP connection ended");
        } else if let Some(held_back) = self.endings.pass() {
            info!(peer = %peer.address(), reason = end.reason(), %end, held_back, "AMQP connection closed");
        }
    }
}

impl<P: Ports> Service for AmqpService<P> {
    async fn serve(self: Arc<Self>, socket: Socket, peer: Peer, drain: Drain) {
        self.accept(socket, peer, drain).await;
    }
}

impl<P: Ports> WebSocketService for AmqpService<P> {
    async fn serve(self: Arc<Self>, protocol: SubProtocol, stream: WebSocketStream<Socket>, peer: Peer, drain: Drain) {
        match protocol {
            SubProtocol::Amqp => self.accept(stream, peer, drain).await,
            // It ends at once: this service alone does not speak MQTT.
            SubProtocol::Mqtt => {}
        }
    }
}

/// As the real hub names itself, with another number each time.
fn container_id() -> String {
    let mut number = [0; 16];
    // Without random numbers there are no keys either; a name may do without.
    let _ = SystemRandom::new().fill(&mut number);
    let mut id = String::from("DeviceGateway_");
    for byte in number {
        let _ = write!(id, "{byte:02x}");
    }
    id
}
