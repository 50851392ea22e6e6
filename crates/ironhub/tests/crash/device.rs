//! A device on MQTT without TLS: packets in order, nothing done by itself.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;
use ironhub_model::SymmetricKey;
use ironhub_mqtt::packet::{
    ConnAck, Connect, Delivery, Login, Packet, PacketId, Password, Publish, PublishRef, QoS, SubAck, SubAckCode,
    Subscribe, Subscription, encode_connect, encode_puback, encode_publish, encode_subscribe,
};
use ironhub_mqtt::{DecodeLimits, decode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::hub_process::Hub;
use crate::service::{Dead, token};

const HOST_NAME: &str = "127.0.0.1";
/// The key of every device of the test.
pub(crate) const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
/// A hub that says nothing for so long, though it should, has hung.
const SILENCE_MAX: Duration = Duration::from_secs(30);

pub(crate) fn key() -> SymmetricKey {
    SymmetricKey::parse(KEY).unwrap()
}

/// A connected device.
pub(crate) struct Device {
    socket: TcpStream,
    input: BytesMut,
    output: BytesMut,
    /// Messages that came while an answer was waited for.
    early: VecDeque<Publish>,
    packet_id: u16,
    pub(crate) session_present: bool,
}

impl Device {
    /// Connects with the session of last time.
    pub(crate) async fn connect(hub: &Hub, id: &str) -> Result<Self, Dead> {
        let socket = TcpStream::connect((HOST_NAME, hub.mqtt_port)).await.map_err(|_| Dead)?;
        socket.set_nodelay(true).map_err(|_| Dead)?;
        let (input, output) = (BytesMut::new(), BytesMut::new());
        let early = VecDeque::new();
        let mut device = Self {
            socket,
            input,
            output,
            early,
            packet_id: 0,
            session_present: false,
        };
        let password = token(&format!("{HOST_NAME}/devices/{id}"), &key(), None);
        let connect = Connect {
            client_id: id.into(),
            clean_session: false,
            keep_alive_s: 0,
            will: None,
            login: Some(Login {
                user_name: format!("{HOST_NAME}/{id}/?api-version=2021-04-12"),
                password: Some(Password::new(password.as_bytes().to_vec())),
            }),
        };
        encode_connect(&mut device.output, &connect).unwrap();
        device.flush().await?;
        let packet = device.next().await?;
        let Packet::ConnAck(ConnAck::Accepted { session_present }) = packet else {
            panic!("{id} got {packet:?}")
        };
        device.session_present = session_present;
        Ok(device)
    }

    /// Asks for messages and waits until the hub agrees. The first messages may come before that.
    pub(crate) async fn subscribe(&mut self, filter: &str, qos: QoS) -> Result<(), Dead> {
        let packet_id = self.next_packet_id();
        let subscriptions = vec![Subscription {
            filter: filter.into(),
            qos,
        }];
        encode_subscribe(
            &mut self.output,
            &Subscribe {
                packet_id,
                subscriptions,
            },
        )
        .unwrap();
        self.flush().await?;
        loop {
            let packet = timeout(SILENCE_MAX, self.read()).await.expect("the hub is silent")?;
            if let Packet::Publish(publish) = packet {
                self.early.push_back(publish);
                continue;
            }
            let suback = SubAck {
                packet_id,
                codes: vec![SubAckCode::grant(qos)],
            };
            assert_eq!(packet, Packet::SubAck(suback), "SUBSCRIBE to {filter}");
            return Ok(());
        }
    }

    /// Puts a message of QoS 1 into the output.
    pub(crate) fn queue_publish(&mut self, topic: &str, payload: &[u8]) -> PacketId {
        let packet_id = self.next_packet_id();
        let delivery = Delivery::AtLeastOnce { packet_id, dup: false };
        encode_publish(
            &mut self.output,
            &PublishRef {
                topic,
                payload,
                delivery,
                retain: false,
            },
        )
        .unwrap();
        packet_id
    }

    /// Sends a message of QoS 0.
    pub(crate) async fn publish_once(&mut self, topic: &str, payload: &[u8]) -> Result<(), Dead> {
        let publish = PublishRef {
            topic,
            payload,
            delivery: Delivery::AtMostOnce,
            retain: false,
        };
        encode_publish(&mut self.output, &publish).unwrap();
        self.flush().await
    }

    /// Takes over a message.
    pub(crate) async fn acknowledge(&mut self, packet_id: PacketId) -> Result<(), Dead> {
        encode_puback(&mut self.output, packet_id);
        self.flush().await
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Dead> {
        self.socket.write_all_buf(&mut self.output).await.map_err(|_| Dead)
    }

    /// The next packet, which must come.
    pub(crate) async fn next(&mut self) -> Result<Packet, Dead> {
        timeout(SILENCE_MAX, self.next_if_any())
            .await
            .expect("the hub is silent")
    }

    /// The next message, which must come.
    pub(crate) async fn message(&mut self) -> Result<Publish, Dead> {
        let packet = self.next().await?;
        let Packet::Publish(publish) = packet else {
            panic!("not a message: {packet:?}")
        };
        Ok(publish)
    }

    /// The next packet; waits for it as long as the hub lives. Cancel-safe.
    pub(crate) async fn next_if_any(&mut self) -> Result<Packet, Dead> {
        match self.early.pop_front() {
            Some(publish) => Ok(Packet::Publish(publish)),
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> Result<Packet, Dead> {
        loop {
            if let Some(packet) = decode(&mut self.input, &DecodeLimits::CONNECTED).unwrap() {
                return Ok(packet);
            }
            match self.socket.read_buf(&mut self.input).await {
                Ok(0) | Err(_) => return Err(Dead),
                Ok(_) => {}
            }
        }
    }

    fn next_packet_id(&mut self) -> PacketId {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        PacketId::new(self.packet_id).unwrap()
    }
}
