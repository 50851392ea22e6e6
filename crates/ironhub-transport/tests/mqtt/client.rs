//! A device that does what a test says.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use ironhub_hub::ports::EventLog;
use ironhub_mqtt::packet::{
    ConnAck, Connect, Delivery, Login, Packet, PacketId, Password, Publish, QoS, SubAck, Subscribe, Subscription, Will,
};
use ironhub_mqtt::{DecodeLimits, decode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::hub::{DEVICE, HOST, TestHub};

/// Ten times what any step should take: a test that waits longer has failed.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    input: BytesMut,
}

impl Client {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            input: BytesMut::new(),
        }
    }

    /// A device that keeps little of what it does not read.
    pub(crate) async fn open_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self {
            stream: socket.connect(address).await.unwrap(),
            input: BytesMut::new(),
        }
    }

    /// A connected device.
    pub(crate) async fn connected<L: EventLog>(hub: &TestHub<L>) -> Self {
        let mut client = Self::open(hub.address).await;
        let answer = client.connect(connect(hub)).await;
        assert!(matches!(answer, ConnAck::Accepted { .. }), "{answer:?}");
        client
    }

    pub(crate) async fn connect(&mut self, connect: Connect) -> ConnAck {
        self.send(&Packet::Connect(Box::new(connect))).await;
        match self.receive().await {
            Some(Packet::ConnAck(answer)) => answer,
            other => panic!("instead of CONNACK: {other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, packet: &Packet) {
        let mut out = BytesMut::new();
        packet.encode(&mut out).unwrap();
        self.stream.write_all(&out).await.unwrap();
    }

    /// The next packet, `None` at the end of the connection.
    pub(crate) async fn receive(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = decode(&mut self.input, &DecodeLimits::CONNECTED).unwrap() {
                return Some(packet);
            }
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Exactly so many bytes, or what comes until the end.
    pub(crate) async fn receive_bytes(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count {
            if self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                break;
            }
        }
        let count = count.min(self.input.len());
        self.input.split_to(count).to_vec()
    }

    pub(crate) async fn publish(&mut self, topic: &str, payload: &[u8], packet_id: u16) {
        let delivery = match PacketId::new(packet_id) {
            Some(packet_id) => Delivery::AtLeastOnce { packet_id, dup: false },
            None => Delivery::AtMostOnce,
        };
        let publish = Publish {
            topic: topic.to_owned().into(),
            payload: payload.to_vec().into(),
            delivery,
            retain: false,
        };
        self.send(&Packet::Publish(publish)).await;
    }

    pub(crate) async fn subscribe(&mut self, filter: &str, qos: QoS) -> SubAck {
        let subscribe = Subscribe {
            packet_id: PacketId::MIN,
            subscriptions: vec![Subscription {
                filter: filter.to_owned(),
                qos,
            }],
        };
        self.send(&Packet::Subscribe(subscribe)).await;
        match self.receive().await {
            Some(Packet::SubAck(answer)) => answer,
            other => panic!("instead of SUBACK: {other:?}"),
        }
    }

    /// The next packet, which has to be a message.
    pub(crate) async fn message(&mut self) -> Publish {
        match self.receive().await {
            Some(Packet::Publish(publish)) => publish,
            other => panic!("instead of a message: {other:?}"),
        }
    }
}

/// The device's own CONNECT.
pub(crate) fn connect<L: EventLog>(hub: &TestHub<L>) -> Connect {
    connect_as(hub, DEVICE)
}

pub(crate) fn connect_as<L: EventLog>(hub: &TestHub<L>, id: &str) -> Connect {
    Connect {
        client_id: id.into(),
        clean_session: false,
        keep_alive_s: 60,
        will: None,
        login: Some(Login {
            user_name: format!("{HOST}/{id}/?api-version=2021-04-12"),
            password: Some(Password::new(hub.token(id))),
        }),
    }
}

pub(crate) fn will(topic: &str, qos: QoS) -> Will {
    Will {
        topic: topic.into(),
        payload: "gone".into(),
        qos,
        retain: false,
    }
}
