//! MQTT 3.1.1 without I/O: bytes in, packets and decisions out.
//!
//! No sockets, no clock, no tasks: whoever owns the socket feeds bytes and instants, and writes what comes back. All
//! packets are decoded and encoded in both directions, so servers and clients share this crate.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`packet`] | the fourteen packets and an encoder for each, which appends to the caller's buffer |
//! | [`codec`] | from bytes to packets: borrowed from the input, or owned |
//! | [`connection`] | a server's state: which packet may come when |
//! | [`ack_queue`] | PUBACKs that wait until a message is safe, and leave in order |
//! | [`inflight`] | QoS 1 deliveries to the peer: packet identifiers and a bounded window |
//! | [`keep_alive`] | when silence means that the peer is gone |
//! | [`filter`] | topic filters and what they match |
//! | [`limits`] | every bound, with its reason |
//!
//! # A server
//!
//! One [`Connection`] stands for one client. It takes packets off the start of the input and says what they ask for; the
//! caller gives them their meaning. A message borrows its topic and payload from the input, so looking at it copies
//! nothing; how far to advance comes with it.
//!
//! ```
//! use std::task::Poll;
//! use std::time::Duration;
//!
//! use bytes::{Buf, BytesMut};
//! use ironhub_mqtt::ack_queue::AckQueue;
//! use ironhub_mqtt::keep_alive::KeepAlive;
//! use ironhub_mqtt::packet::{self, SubAckCode};
//! use ironhub_mqtt::{Connection, DecodeLimits, Event, ProtocolError};
//!
//! # fn authenticate(_: &packet::Connect) -> Result<bool, packet::ConnectRefusal> { Ok(true) }
//! # fn store(_topic: &str, _payload: &[u8]) -> Ticket { Ticket }
//! # struct Ticket;
//! # impl Ticket { fn poll(&mut self) -> Poll<Result<(), StoreError>> { Poll::Ready(Ok(())) } }
//! # #[derive(Debug)] struct StoreError;
//! /// Handles all whole packets in `input`; what to send is appended to `out`.
//! fn handle(
//!     connection: &mut Connection,
//!     acks: &mut AckQueue<Ticket>,
//!     input: &mut BytesMut,
//!     out: &mut BytesMut,
//! ) -> Result<(), ProtocolError> {
//!     // A full queue is where back-pressure begins: the rest stays in the input, and nothing more is read.
//!     while !acks.is_full() {
//!         let step = connection.handle_input(input).inspect_err(|error| {
//!             // Only a foreign protocol level has an answer; then, as always after an error: close.
//!             if let Some(refusal) = error.refusal() {
//!                 connection.refuse(refusal, out);
//!             }
//!         })?;
//!         let Some((event, packet_bytes)) = step else { break };
//!         match event {
//!             Event::Connect(connect) => match authenticate(&connect) {
//!                 Ok(session_present) => connection.accept(session_present, out),
//!                 Err(refusal) => connection.refuse(refusal, out),
//!             },
//!             Event::Publish(publish) => {
//!                 let ticket = store(publish.topic, publish.payload);
//!                 if let Some(packet_id) = publish.delivery.packet_id() {
//!                     acks.push(packet_id, ticket).map_err(|_| ()).expect("checked above");
//!                 }
//!             }
//!             Event::Subscribe(subscribe) => {
//!                 let codes: Vec<_> = subscribe.subscriptions.iter().map(|each| SubAckCode::grant(each.qos)).collect();
//!                 packet::encode_suback(out, subscribe.packet_id, &codes).expect("a SUBSCRIBE is never empty");
//!             }
//!             Event::Unsubscribe(unsubscribe) => packet::encode_unsuback(out, unsubscribe.packet_id),
//!             Event::PingReq => packet::encode_pingresp(out),
//!             Event::PubAck(_packet_id) => { /* settles a delivery: see `inflight` */ }
//!             Event::Disconnect => { /* close, and forget the will */ }
//!         }
//!         input.advance(packet_bytes);
//!     }
//!     Ok(())
//! }
//!
//! let mut connection = Connection::new(DecodeLimits::CONNECTED);
//! let mut acks = AckQueue::new(64);
//! let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
//! input.extend_from_slice(b"\x10\x0d\0\x04MQTT\x04\0\0\x3c\0\x01d"); // CONNECT, client id "d"
//! input.extend_from_slice(b"\x32\x07\0\x01t\0\x0ahi"); // PUBLISH at QoS 1 to "t", packet identifier 10
//! handle(&mut connection, &mut acks, &mut input, &mut out).unwrap();
//!
//! // Later, when the store has written: every PUBACK that is due, in one write.
//! acks.poll_ready(Ticket::poll, &mut out).unwrap();
//! assert_eq!(out, &b"\x20\x02\x01\0\x40\x02\0\x0a"[..]);
//! ```
//!
//! Authentication may take its time: until `accept`, packets behind the CONNECT stay in the input.
//!
//! Beside it run the [`KeepAlive`](keep_alive::KeepAlive), paused while the caller does not read, and for messages to
//! the device an [`Inflight`](inflight::Inflight) window, whose packet identifiers go into
//! [`encode_publish_to_device`](packet::encode_publish_to_device).
//!
//! # A client
//!
//! A client writes with the same encoders and reads owned packets with [`decode`], whose topic and payload are slices of
//! the buffer they came in.
//!
//! ```
//! use bytes::BytesMut;
//! use ironhub_mqtt::packet::{ConnAck, Connect, Packet, encode_connect};
//! use ironhub_mqtt::{DecodeLimits, decode};
//!
//! let connect = Connect { client_id: "d".into(), clean_session: false, keep_alive_s: 60, will: None, login: None };
//! let mut out = BytesMut::new();
//! encode_connect(&mut out, &connect)?;
//!
//! let mut input = BytesMut::from(&b"\x20\x02\x01"[..]);
//! assert_eq!(decode(&mut input, &DecodeLimits::CONNECTED)?, None, "a byte is missing");
//! input.extend_from_slice(b"\0");
//! let answer = Packet::ConnAck(ConnAck::Accepted { session_present: true });
//! assert_eq!(decode(&mut input, &DecodeLimits::CONNECTED)?, Some(answer));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is refused, and what is let through
//!
//! Structure is strict: reserved flags, identifiers of zero, padded or overlong lengths, bytes behind the last field, bad
//! UTF-8, NUL characters, empty lists are errors, each with its own [`DecodeError`] and a short stable
//! [`reason`](DecodeError::reason) for a metric. Two things are looser than the specification, because IoT Hub's topics
//! are: `+` and `#` may appear in the topic of a PUBLISH and anywhere in a filter of a SUBSCRIBE, since property bags and
//! device ids contain them. [`TopicFilter`](filter::TopicFilter) is the check for those who route by filters.

pub mod ack_queue;
pub mod codec;
pub mod connection;
pub mod error;
pub mod filter;
pub mod inflight;
pub mod keep_alive;
pub mod limits;
pub mod packet;
mod reader;
mod writer;

pub use codec::decode;
pub use connection::{Connection, Event, ProtocolError, Violation};
pub use error::{DecodeError, EncodeError};
pub use limits::DecodeLimits;
