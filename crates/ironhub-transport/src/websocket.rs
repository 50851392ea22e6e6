//! WebSocket (RFC 6455) as a byte stream: how devices get through firewalls.

mod both;
mod frame;
mod handshake;
mod stream;

use std::future::Future;
use std::sync::Arc;

pub use both::MqttAndAmqp;
pub(crate) use handshake::{Upgrade, accept, is_path, take_stream};
pub use stream::WebSocketStream;

use crate::listener::Drain;
use crate::peer::Peer;
use crate::socket::Socket;

/// What is spoken through a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubProtocol {
    /// `mqtt`.
    Mqtt,
    /// `AMQPWSB10`.
    Amqp,
}

/// Serves upgraded connections.
pub trait WebSocketService: Send + Sync + 'static {
    /// Serves one to its end.
    fn serve(
        self: Arc<Self>,
        protocol: SubProtocol,
        stream: WebSocketStream<Socket>,
        peer: Peer,
        drain: Drain,
    ) -> impl Future<Output = ()> + Send;
}
