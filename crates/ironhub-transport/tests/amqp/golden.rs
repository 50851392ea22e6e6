//! The first frames of a connection, byte by byte: what the positional decoder of the Python Event Hubs client needs,
//! and what the real service is known to send.

use std::fmt::Write as _;

use ironhub_amqp::frame::{self, FrameKind};
use ironhub_amqp::message::{MessageId, Properties, write_application_properties, write_properties, write_value};
use ironhub_amqp::performative::{
    Attach, Begin, DeliveryTag, Flow, LinkFlow, Open, Performative, ReceiverSettleMode, Role, SenderSettleMode, Source,
    Target, Transfer,
};
use ironhub_amqp::sasl::SaslFrame;
use ironhub_amqp::types::{Encoded, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::hub::{HOST, start};

struct Raw(TcpStream);

impl Raw {
    async fn say(&mut self, performative: &Performative, payload: &[u8]) {
        let mut out = Vec::new();
        frame::write(&mut out, FrameKind::Amqp, 0, |out| {
            performative.write(out);
            out.extend_from_slice(payload);
        });
        self.0.write_all(&out).await.unwrap();
    }

    async fn hear_bytes(&mut self, count: usize) -> String {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).await.unwrap();
        hex(&bytes)
    }

    /// The next frame.
    async fn hear(&mut self) -> String {
        let mut size = [0; 4];
        self.0.read_exact(&mut size).await.unwrap();
        let rest = u32::from_be_bytes(size) as usize - size.len();
        hex(&size) + &self.hear_bytes(rest).await
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // Writing to a string cannot fail.
        text
    })
}

fn attach(name: &str, role: Role, handle: u32) -> Performative {
    let mut attach = Attach::new(name, role);
    attach.handle = handle;
    attach.snd_settle_mode = Some(SenderSettleMode::Unsettled);
    attach.rcv_settle_mode = Some(ReceiverSettleMode::First);
    attach.source = Some(Source::at("$cbs"));
    attach.target = Some(Target::at("$cbs"));
    Performative::Attach(Box::new(attach))
}

#[tokio::test]
async fn from_the_first_byte_to_an_accepted_token() {
    let hub = start().await;
    let mut raw = Raw(TcpStream::connect(hub.address).await.unwrap());
    raw.0.write_all(b"AMQP\x03\x01\x00\x00").await.unwrap();
    assert_eq!(raw.hear_bytes(8).await, "414d515003010000");
    assert_eq!(
        raw.hear().await,
        "0000004502010000005340c03801f00000003200000004b30000000845585445524e414c000000074d53534243425300000009414e4f4e\
         594d4f555300000005504c41494e"
    );
    let init = SaslFrame::Init {
        mechanism: "ANONYMOUS".into(),
        initial_response: Vec::new(),
        hostname: Some(HOST.into()),
    };
    let mut bytes = Vec::new();
    init.write(&mut bytes);
    // As azure-eventhub does: the next frames come along.
    bytes.extend_from_slice(b"AMQP\x00\x01\x00\x00");
    raw.0.write_all(&bytes).await.unwrap();
    let open = Open {
        container_id: "client".into(),
        ..Open::default()
    };
    raw.say(&Performative::Open(open), b"").await;
    raw.say(&Performative::Begin(begin()), b"").await;
    assert_eq!(raw.hear().await, "0000001a02010000005344c00d025000a00857656c636f6d6521");
    assert_eq!(raw.hear_bytes(8).await, "414d515000010000");
    let opened = raw.hear().await;
    // The container's name differs each time; all else is the real hub's.
    let tail = "a1096c6f63616c686f73747000010000601fff700003a9804040404040";
    assert!(opened.ends_with(tail), "{opened}");
    assert_eq!(
        raw.hear().await,
        "0000002502000000005311c018086000005201700000138870ffffffff700003ffff404040"
    );

    raw.say(&attach("$cbs-sender", Role::Sender, 0), b"").await;
    assert_eq!(
        raw.hear().await,
        "0000005802000000005312c04b0ea10b246362732d73656e646572434150005000005328c0110ba104246362734040404040404040\
         4040005329c00d07a10424636273404040404040404040800000000000100000404040"
    );
    assert_eq!(
        raw.hear().await,
        "0000002302000000005313c0160b437000001388520170ffffffff4343526443404240"
    );
    raw.say(&attach("$cbs-receiver", Role::Receiver, 1), b"").await;
    raw.hear().await;
    put_token(&mut raw, &hub.policy_token("service", "")).await;
    assert_eq!(raw.hear().await, "0000001702000000005315c00a06414340410053244540");
    // No credit yet, as uamqp does it: the reply waits.
    raw.say(&Performative::Flow(credit(1)), b"").await;
    let reply = raw.hear().await;
    // Between the two the delivery tag and the batchable hint, which nobody reads.
    assert!(reply.starts_with("0000006602000000005314c0120b520143a004"), "{reply}");
    let message = "005373c00e0d40404040404440404040404040005374c12b04a10b7374617475732d636f646571000000c8a1127374617475\
                   732d6465736372697074696f6ea1024f4b00537740";
    assert!(reply.ends_with(message), "{reply}");
}

async fn put_token(raw: &mut Raw, token: &str) {
    let mut payload = Vec::new();
    let properties = Properties {
        message_id: Some(MessageId::Ulong(0)),
        ..Properties::default()
    };
    write_properties(&mut payload, &properties);
    let kind = ("type", "servicebus.windows.net:sastoken");
    write_application_properties(&mut payload, [("operation", "put-token"), kind, ("name", HOST)]);
    write_value(&mut payload, Value::String(token));
    let transfer = Transfer {
        handle: 0,
        delivery_id: Some(0),
        delivery_tag: Some(DeliveryTag::counted(0)),
        message_format: Some(0),
        settled: false,
        more: false,
        rcv_settle_mode: None,
        state: None,
        aborted: false,
    };
    raw.say(&Performative::Transfer(transfer), &payload).await;
}

fn credit(handle: u32) -> Flow {
    Flow {
        next_incoming_id: Some(1),
        incoming_window: 100,
        next_outgoing_id: 1,
        outgoing_window: 100,
        link: Some(LinkFlow {
            handle,
            delivery_count: Some(0),
            link_credit: Some(10),
            available: None,
            drain: false,
        }),
        echo: false,
    }
}

fn begin() -> Begin {
    Begin {
        remote_channel: None,
        next_outgoing_id: 0,
        incoming_window: 100,
        outgoing_window: 100,
        handle_max: u32::MAX,
        offered_capabilities: Encoded::null(),
        desired_capabilities: Encoded::null(),
        properties: Encoded::null(),
    }
}
