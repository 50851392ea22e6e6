//! MQTT 3.1.1 to devices and modules: one task per connection.
//!
//! The packet rules are `ironhub-mqtt`'s, the meaning of topics is `ironhub-dialect`'s, and what happens is the hub's.
//! Here is what is left: when to read, when to write, when to give up.

mod acks;
mod c2d;
mod connect;
mod end;
mod operations;
mod session;
mod state;
mod subscriptions;
mod telemetry;
mod will;
mod wire;

use std::pin::Pin;
use std::sync::Arc;

use ironhub_hub::{Hub, Ports};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, info};

use crate::failed_connects::FailedConnects;
use crate::faults::{Faults, break_packets};
use crate::listener::{Drain, Service};
use crate::log_limit::LogLimit;
use crate::peer::Peer;
use crate::socket::Socket;
use crate::websocket::{SubProtocol, WebSocketService, WebSocketStream};
use connect::Door;
use end::End;
use session::Session;
use wire::Wire;

/// Speaks MQTT for a hub, over plain TCP, TLS and WebSocket alike.
#[derive(Debug)]
pub struct MqttService<P: Ports> {
    hub: Hub<P>,
    faults: Faults,
    failed_connects: FailedConnects,
    refusals: LogLimit,
    endings: LogLimit,
}

impl<P: Ports> MqttService<P> {
    /// For all ports of one hub: failed CONNECTs count together.
    pub fn new(hub: Hub<P>) -> Arc<Self> {
        Self::broken(hub, Faults::default())
    }

    /// With packets broken as the rules say.
    pub fn broken(hub: Hub<P>, faults: Faults) -> Arc<Self> {
        Arc::new(Self {
            hub,
            faults,
            failed_connects: FailedConnects::default(),
            refusals: LogLimit::new(),
            endings: LogLimit::new(),
        })
    }

    /// Serves one byte stream to its end.
    fn accept<S>(self: Arc<Self>, stream: S, peer: Peer, drain: Drain) -> Pin<Box<dyn Future<Output = ()> + Send>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if self.faults.is_empty() {
            return Box::pin(self.converse(stream, peer, drain));
        }
        let (stream, pump) = break_packets(stream, self.faults.clone());
        Box::pin(async move {
            tokio::join!(self.converse(stream, peer, drain), pump);
        })
    }

    fn converse<S>(self: Arc<Self>, stream: S, peer: Peer, drain: Drain) -> impl Future<Output = ()> + Send
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Boxed, and made out here, so that nothing of it remains while the connection idles.
        let opening = Box::pin(Arc::clone(&self).open(stream, peer, drain));
        async move {
            let Some((session, peer)) = opening.await else { return };
            let end = session.run().await;
            self.report(&end, &peer);
        }
    }

    async fn open<S>(self: Arc<Self>, stream: S, peer: Peer, drain: Drain) -> Option<(Box<Session<S, P>>, Peer)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut wire = Wire::new(stream);
        let door = Door {
            hub: &self.hub,
            failed_connects: &self.failed_connects,
            refusals: &self.refusals,
            peer: &peer,
        };
        match door.establish(&mut wire, &drain).await {
            Ok(established) => {
                let session = Session::new(self.hub.clone(), wire, established);
                Some((Box::new(session), peer))
            }
            Err(end) => {
                wire.close().await;
                self.report(&end, &peer);
                None
            }
        }
    }

    fn report(&self, end: &End, peer: &Peer) {
        metrics::counter!("ironhub_mqtt_connections_ended_total", "reason" => end.reason()).increment(1);
        if matches!(end, End::Refused) {
            // Whoever refused has told why.
        } else if !end.is_fault() {
            debug!(peer = %peer.address(), %end, "MQTT connection ended");
        } else if let Some(held_back) = self.endings.pass() {
            info!(peer = %peer.address(), reason = end.reason(), %end, held_back, "MQTT connection closed");
        }
    }
}

impl<P: Ports> Service for MqttService<P> {
    async fn serve(self: Arc<Self>, socket: Socket, peer: Peer, drain: Drain) {
        self.accept(socket, peer, drain).await;
    }
}

impl<P: Ports> WebSocketService for MqttService<P> {
    async fn serve(self: Arc<Self>, protocol: SubProtocol, stream: WebSocketStream<Socket>, peer: Peer, drain: Drain) {
        match protocol {
            SubProtocol::Mqtt => self.accept(stream, peer, drain).await,
            // It ends at once: this service alone does not speak AMQP.
            SubProtocol::Amqp => {}
        }
    }
}
