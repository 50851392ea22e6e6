//! What a peer does wrong ends what it did it on, with a reason; others are untouched.

use std::time::Duration;

use ironhub_amqp::frame::{self, FrameKind};
use ironhub_amqp::performative::{Attach, Begin, Close, DeliveryTag, Detach, Disposition, End, Open};
use ironhub_amqp::performative::{Performative, Role, Source, Target, Transfer};
use ironhub_amqp::types::Encoded;
use ironhub_model::limits::STALL_MAX;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::pause;

use crate::client::{Answer, Client};
use crate::hub::{HOST, TestHub, start};

const AMQP: &[u8] = b"AMQP\x00\x01\x00\x00";

fn encoded(performative: &Performative, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, FrameKind::Amqp, 0, |out| {
        performative.write(out);
        out.extend_from_slice(payload);
    });
    out
}

fn open() -> Vec<u8> {
    let open = Open {
        container_id: "client".into(),
        hostname: Some(HOST.into()),
        ..Open::default()
    };
    [AMQP, &encoded(&Performative::Open(open), b"")].concat()
}

fn session() -> Vec<u8> {
    let begin = Begin {
        remote_channel: None,
        next_outgoing_id: 0,
        incoming_window: 100,
        outgoing_window: 100,
        handle_max: u32::MAX,
        offered_capabilities: Encoded::null(),
        desired_capabilities: Encoded::null(),
        properties: Encoded::null(),
    };
    [open(), encoded(&Performative::Begin(begin), b"")].concat()
}

fn cbs_sender() -> Vec<u8> {
    let mut attach = Attach::new("cbs", Role::Sender);
    attach.source = Some(Source::at("cbs"));
    attach.target = Some(Target::at("$cbs"));
    [session(), encoded(&Performative::Attach(Box::new(attach)), b"")].concat()
}

fn transfer(handle: u32, payload: &[u8]) -> Vec<u8> {
    let transfer = Transfer {
        handle,
        delivery_id: Some(0),
        delivery_tag: Some(DeliveryTag::counted(0)),
        message_format: Some(0),
        settled: false,
        more: false,
        rcv_settle_mode: None,
        state: None,
        aborted: false,
    };
    encoded(&Performative::Transfer(transfer), payload)
}

/// Everything that the hub says to these bytes, until it closes or has answered CLOSE: the last performative that
/// carries a reason.
async fn reason(hub: &TestHub, bytes: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(hub.address).await.unwrap();
    // The hub may have closed already.
    let _ = stream.write_all(bytes).await;
    let _ = stream
        .write_all(&encoded(&Performative::Close(Close { error: None }), b""))
        .await;
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    let mut rest = said.strip_prefix(AMQP).unwrap_or(&said);
    let mut reason = None;
    while let Ok(Some((frame, len))) = frame::first(rest, 1 << 20) {
        let error = match Performative::read(frame.body).map(|(performative, _)| performative) {
            Ok(
                Performative::Close(Close { error })
                | Performative::End(End { error })
                | Performative::Detach(Detach { error, .. }),
            ) => error,
            _ => None,
        };
        reason = error.map(|error| error.condition.into_owned()).or(reason);
        rest = &rest[len..];
    }
    reason
}

#[tokio::test]
async fn each_mistake_has_its_condition() {
    let hub = start().await;
    let mut neighbour = Client::open(&hub, None).await;
    let cbs = neighbour.pair("$cbs").await;
    let unknown = b"\0\0\0\x10\x02\0\0\0\0\x53\x99\xc0\x03\x01\x40\x40";
    let too_large = b"\x7f\xff\xff\xff\x02\0\0\0";
    let large = vec![0; 60_000];
    let no_frame = b"\0\0\0\x02\x02\0\0\0";
    let ranges = Disposition {
        role: Role::Receiver,
        first: 0,
        last: Some(u32::MAX),
        settled: true,
        state: None,
    };
    for (what, bytes, expected) in [
        (
            "an unknown performative",
            [&open()[..], unknown].concat(),
            Some("amqp:decode-error"),
        ),
        (
            "an oversize frame",
            [&open()[..], too_large].concat(),
            Some("amqp:connection:framing-error"),
        ),
        (
            "a frame smaller than its header",
            [&open()[..], no_frame].concat(),
            Some("amqp:connection:framing-error"),
        ),
        (
            "a transfer on no link",
            [session(), transfer(9, b"x")].concat(),
            Some("amqp:session:unattached-handle"),
        ),
        (
            "a disposition of everything",
            [session(), encoded(&Performative::Disposition(ranges), b"")].concat(),
            None,
        ),
        (
            "a message over the limit of the unknown",
            [cbs_sender(), transfer(0, &large), transfer(0, &large)].concat(),
            None,
        ),
    ] {
        assert_eq!(reason(&hub, &bytes).await.as_deref(), expected, "{what}");
    }
    assert_eq!(
        neighbour.put_token(cbs, &hub.policy_token("service", "")).await,
        Answer::ok()
    );
}

#[tokio::test]
async fn a_header_of_another_protocol_is_answered_with_ours() {
    let hub = start().await;
    for first in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"AMQP\x00\x00\x09\x01",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    ] {
        let mut stream = TcpStream::connect(hub.address).await.unwrap();
        stream.write_all(first).await.unwrap();
        let mut said = [0; 8];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"AMQP\x03\x01\x00\x00");
        // Closed; the rest of what was said may have reset it.
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }
}

/// Tokens without end on a connection that nobody has proved anything on.
#[tokio::test]
async fn a_flood_of_tokens_is_answered_and_bounded() {
    let hub = start().await;
    let mut client = Client::open(&hub, None).await;
    let cbs = client.pair("$cbs").await;
    let large = "SharedAccessSignature sr=".to_owned() + &"x".repeat(60 * 1024);
    let answer = client.put_token(cbs, &large).await;
    assert_eq!(
        (answer.code, answer.condition.as_deref()),
        (429, Some("com.microsoft:device-container-throttled"))
    );
    assert_eq!(
        client.put_token(cbs, &hub.policy_token("service", "")).await,
        Answer::ok()
    );
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut() {
    let hub = start().await;
    let mut stream = TcpStream::connect(hub.address).await.unwrap();
    stream.write_all(&session()).await.unwrap();
    // Links that are refused, each with an answer, until the hub stops to read and its own output is stuck.
    let mut attach = Attach::new("x".repeat(1000), Role::Sender);
    attach.target = Some(Target::at("nowhere"));
    let attach = encoded(&Performative::Attach(Box::new(attach)), b"");
    let detach = encoded(
        &Performative::Detach(Detach {
            handle: 0,
            closed: true,
            error: None,
        }),
        b"",
    );
    let question = [attach, detach].concat();
    // The tests of time-outs have no other way to see that nothing moves any more.
    while let Ok(sent) = tokio::time::timeout(Duration::from_secs(2), stream.write_all(&question)).await {
        sent.unwrap();
    }
    pause();
    tokio::time::sleep(STALL_MAX + Duration::from_secs(1)).await;
    // The network holds what was said before; behind it is the end, which does not come otherwise.
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    assert!(said.starts_with(AMQP));
}
