//! MQTT packets under fault rules: a byte stream between the network and the connection, cut into packets.

use std::io;

use bytes::{Buf, BytesMut};
use ironhub_model::limits::MQTT_PACKET_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};

use super::Faults;
use super::rule::{Action, Target, fits};

/// Bytes under way between the two ends.
const UNDER_WAY_BYTES_MAX: usize = 64 * 1024;

const NAMES: [&str; 16] = [
    "",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// The hub's end, and what has to run beside it.
pub(crate) fn break_packets<S>(stream: S, faults: Faults) -> (DuplexStream, impl Future<Output = ()> + Send)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (near, far) = duplex(UNDER_WAY_BYTES_MAX);
    let pump = async move {
        let (from_peer, to_peer) = split(stream);
        let (from_hub, to_hub) = split(far);
        // Whichever ends first ends both, as a connection does.
        tokio::select! {
            _ = copy(from_peer, to_hub, &faults, Way::In) => {}
            _ = copy(from_hub, to_peer, &faults, Way::Out) => {}
        }
    };
    (near, pump)
}

async fn copy<R, W>(mut from: R, mut to: W, faults: &Faults, way: Way) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = BytesMut::new();
    loop {
        while let Some(mut packet) = next_packet(&mut buffer) {
            match faults.for_packet(&packet, way) {
                Some(Action::Drop) => continue,
                Some(Action::Close) => return to.shutdown().await,
                Some(Action::Duplicate) => to.write_all(&packet.bytes).await?,
                Some(Action::Delay(duration)) => tokio::time::sleep(duration).await,
                Some(action) => packet.change(&action),
                None => {}
            }
            to.write_all(&packet.bytes).await?;
        }
        to.flush().await?;
        if buffer.len() > MQTT_PACKET_BYTES_MAX || from.read_buf(&mut buffer).await? == 0 {
            to.write_all(&buffer).await?;
            return to.shutdown().await;
        }
    }
}

struct Packet {
    bytes: BytesMut,
    /// Where its variable header begins.
    head: usize,
}

/// Takes a whole packet off the buffer.
fn next_packet(buffer: &mut BytesMut) -> Option<Packet> {
    let (mut length, mut head) = (0, 1);
    loop {
        let byte = *buffer.get(head)?;
        length |= usize::from(byte & 0x7f) << (7 * (head - 1));
        head += 1;
        if byte & 0x80 == 0 || head > 4 {
            break;
        }
    }
    (buffer.remaining() >= head + length).then(|| Packet {
        bytes: buffer.split_to(head + length),
        head,
    })
}

impl Packet {
    fn first(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }

    fn name(&self) -> &'static str {
        NAMES.get(usize::from(self.first() >> 4)).copied().unwrap_or_default()
    }

    /// Of a PUBLISH; with the place behind it.
    fn topic(&self) -> Option<(&str, usize)> {
        let rest = self.bytes.get(self.head..).filter(|_| self.name() == "PUBLISH")?;
        let (size, rest) = rest.split_first_chunk::<2>()?;
        let size = usize::from(u16::from_be_bytes(*size));
        Some((std::str::from_utf8(rest.get(..size)?).ok()?, self.head + 2 + size))
    }

    /// Of a PUBLISH, where its payload begins; of any other packet, its end.
    fn payload_start(&self) -> usize {
        let packet_id_bytes = if self.first() & 0x06 == 0 { 0 } else { 2 };
        self.topic()
            .map_or(self.bytes.len(), |(_, topic_end)| topic_end + packet_id_bytes)
    }

    fn change(&mut self, action: &Action) {
        let (from, byte) = match action {
            Action::Connack(code) => (self.head + 1, *code),
            Action::Suback(code) => (self.head + 2, *code),
            Action::Corrupt => (self.payload_start(), b'X'),
            Action::Drop
            | Action::Duplicate
            | Action::Close
            | Action::Delay(_)
            | Action::Status(_)
            | Action::StripHeader(_)
            | Action::EmptyBody
            | Action::Refuse(_)
            | Action::Strip(_)
            | Action::Outcome(_) => return,
        };
        self.bytes.get_mut(from..).unwrap_or_default().fill(byte);
        // A refusal is of no session.
        if matches!(action, Action::Connack(1..))
            && let Some(session_present) = self.bytes.get_mut(self.head)
        {
            *session_present = 0;
        }
    }
}

impl Faults {
    fn for_packet(&self, packet: &Packet, way: Way) -> Option<Action> {
        let rule = self.0.iter().find(|rule| {
            let ((Target::PacketIn(pattern), Way::In) | (Target::PacketOut(pattern), Way::Out)) = (&rule.target, way)
            else {
                return false;
            };
            fits(pattern, packet.name()) || packet.topic().is_some_and(|(topic, _)| fits(pattern, topic))
        })?;
        Some(rule.action.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out at the hub's end of `sent`, from which the peer then hangs up.
    async fn received(rule: &str, sent: &[u8]) -> Vec<u8> {
        let (mut peer, stream) = duplex(1024);
        let (mut hub, pump) = break_packets(stream, Faults::new(vec![rule.parse().unwrap()]));
        let converse = async {
            peer.write_all(sent).await.unwrap();
            peer.shutdown().await.unwrap();
            let mut all = Vec::new();
            hub.read_to_end(&mut all).await.unwrap();
            all
        };
        tokio::join!(converse, pump).0
    }

    const PUBLISH: &[u8] = b"\x32\x09\x00\x03a/b\x00\x07hi";
    const PINGREQ: &[u8] = b"\xc0\x00";

    #[tokio::test]
    async fn packets_from_a_client() {
        let both = [PUBLISH, PINGREQ].concat();
        for (rule, expected) in [
            ("mqtt:in:a/*:drop", PINGREQ.to_vec()),
            ("mqtt:in:PUBLISH:duplicate", [PUBLISH, PUBLISH, PINGREQ].concat()),
            (
                "mqtt:in:a/b:corrupt",
                [b"\x32\x09\x00\x03a/b\x00\x07XX", PINGREQ].concat(),
            ),
            ("mqtt:in:pingreq:close", PUBLISH.to_vec()),
            ("mqtt:in:b:drop", both.clone()),
            ("mqtt:out:*:drop", both.clone()),
        ] {
            assert_eq!(received(rule, &both).await, expected, "{rule}");
        }
    }

    #[tokio::test]
    async fn codes() {
        assert_eq!(
            received("mqtt:in:CONNACK:connack=5", b"\x20\x02\x01\x00").await,
            b"\x20\x02\x00\x05"
        );
        let refused = received("mqtt:in:SUBACK:suback=128", b"\x90\x04\x00\x01\x01\x00").await;
        assert_eq!(refused, b"\x90\x04\x00\x01\x80\x80");
    }

    #[tokio::test]
    async fn what_is_no_packet_passes() {
        assert_eq!(received("mqtt:in:*:drop", b"\x32").await, b"\x32");
        assert_eq!(
            received("mqtt:in:CONNECT:drop", b"\xff\xff\xff\xff\xff").await,
            b"\xff\xff\xff\xff\xff"
        );
    }
}
