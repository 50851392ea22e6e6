use std::sync::Arc;

use ironhub_hub::Ports;

use super::{SubProtocol, WebSocketService, WebSocketStream};
use crate::amqp::AmqpService;
use crate::listener::Drain;
use crate::mqtt::MqttService;
use crate::peer::Peer;
use crate::socket::Socket;

/// Serves each upgraded connection by what it speaks: both protocols share port 443.
#[derive(Debug)]
pub struct MqttAndAmqp<P: Ports> {
    /// For `mqtt`.
    pub mqtt: Arc<MqttService<P>>,
    /// For `AMQPWSB10`.
    pub amqp: Arc<AmqpService<P>>,
}

impl<P: Ports> WebSocketService for MqttAndAmqp<P> {
    async fn serve(self: Arc<Self>, protocol: SubProtocol, stream: WebSocketStream<Socket>, peer: Peer, drain: Drain) {
        match protocol {
            SubProtocol::Mqtt => WebSocketService::serve(Arc::clone(&self.mqtt), protocol, stream, peer, drain).await,
            SubProtocol::Amqp => WebSocketService::serve(Arc::clone(&self.amqp), protocol, stream, peer, drain).await,
        }
    }
}
