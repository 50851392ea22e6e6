//! Golden frames, and performatives against an independent implementation (fe2o3-amqp).
#![cfg(test)]

use fe2o3_amqp_types::definitions as theirs_definitions;
use fe2o3_amqp_types::performatives as theirs;
use ironhub_amqp::frame::{self, FrameKind};
use ironhub_amqp::performative::{
    AmqpError, Attach, Begin, Close, DeliveryState, DeliveryTag, Detach, Disposition, End, Flow, LinkFlow, Open,
    Performative, ReceiverSettleMode, Role, SenderSettleMode, Source, Target, Transfer, condition,
};
use ironhub_amqp::sasl::{OFFERED, SaslFrame, SaslOutcome};
use ironhub_amqp::types::{DecodeError, Encoded, Value};
use serde_amqp::{from_slice, to_vec};

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The frame is exactly these bytes, and these bytes read as the performative.
#[track_caller]
fn check(performative: &Performative, expected: &str) {
    let mut out = Vec::new();
    frame::write(&mut out, FrameKind::Amqp, 0, |out| performative.write(out));
    let expected = unhex(expected);
    assert_eq!(out, expected, "{performative:?}");
    let (frame, len) = frame::first(&expected, 65536).unwrap().unwrap();
    assert_eq!((len, frame.channel), (expected.len(), 0));
    assert_eq!(Performative::read(frame.body), Ok((performative.clone(), &b""[..])));
    for len in 0..frame.body.len() {
        assert!(Performative::read(&frame.body[..len]).is_err(), "truncated to {len}");
    }
}

fn open() -> Open {
    Open {
        container_id: "ironhub".into(),
        hostname: Some("localhost".into()),
        max_frame_size: 65536,
        channel_max: 8191,
        idle_time_out_ms: Some(240_000),
        ..Open::default()
    }
}

fn begin() -> Begin {
    Begin {
        remote_channel: Some(0),
        next_outgoing_id: 1,
        incoming_window: 5000,
        outgoing_window: u32::MAX,
        handle_max: 262_143,
        offered_capabilities: Encoded::null(),
        desired_capabilities: Encoded::null(),
        properties: Encoded::null(),
    }
}

fn attach() -> Attach {
    Attach {
        snd_settle_mode: Some(SenderSettleMode::Unsettled),
        rcv_settle_mode: Some(ReceiverSettleMode::First),
        source: Some(Source::at("$cbs")),
        target: Some(Target::at("$cbs")),
        max_message_size: Some(1 << 20),
        ..Attach::new("$cbs-sender", Role::Receiver)
    }
}

fn transfer() -> Transfer {
    Transfer {
        handle: 1,
        delivery_id: Some(0),
        delivery_tag: DeliveryTag::new(&[1, 0, 0, 0]),
        message_format: Some(0),
        settled: true,
        more: false,
        rcv_settle_mode: None,
        state: None,
        aborted: false,
    }
}

fn flow() -> Flow {
    let link = LinkFlow {
        handle: 0,
        delivery_count: Some(0),
        link_credit: Some(100),
        available: Some(0),
        drain: false,
    };
    Flow {
        next_incoming_id: Some(0),
        incoming_window: 5000,
        next_outgoing_id: 1,
        outgoing_window: u32::MAX,
        link: Some(link),
        echo: false,
    }
}

fn disposition(state: DeliveryState) -> Disposition {
    Disposition {
        role: Role::Receiver,
        first: 0,
        last: None,
        settled: true,
        state: Some(state),
    }
}

#[test]
fn golden_frames() {
    check(
        &Performative::Open(open()),
        "0000003402000000005310c0270aa10769726f6e687562a1096c6f63616c686f73747000010000601fff700003a9804040404040",
    );
    check(
        &Performative::Begin(begin()),
        "0000002502000000005311c018086000005201700000138870ffffffff700003ffff404040",
    );
    check(&Performative::Attach(Box::new(attach())), {
        "0000005802000000005312c04b0ea10b246362732d73656e646572434150005000005328c0110ba104246362734040404040404040
         4040005329c00d07a10424636273404040404040404040800000000000100000404040"
    });
    check(
        &Performative::Flow(flow()),
        "0000002302000000005313c0160b437000001388520170ffffffff4343526443404240",
    );
    check(
        &Performative::Disposition(disposition(DeliveryState::Accepted)),
        "0000001702000000005315c00a06414340410053244540",
    );
    check(
        &Performative::Detach(Detach {
            handle: 0,
            closed: true,
            error: None,
        }),
        "0000001102000000005316c00403434140",
    );
    check(&Performative::End(End::default()), "0000000f02000000005317c0020140");
    check(&Performative::Close(Close::default()), "0000000f02000000005318c0020140");
}

#[test]
fn golden_transfer_with_payload() {
    let mut body = Vec::new();
    Performative::Transfer(transfer()).write(&mut body);
    assert_eq!(body, unhex("005314c0120b520143a004010000004341424040404040"));
    body.extend_from_slice(b"payload");
    assert_eq!(
        Performative::read(&body),
        Ok((Performative::Transfer(transfer()), &b"payload"[..]))
    );
}

#[test]
fn golden_sasl() {
    #[track_caller]
    fn check(frame: &SaslFrame, expected: &str) {
        let mut out = Vec::new();
        frame.write(&mut out);
        assert_eq!(out, unhex(expected));
        let (read, _) = frame::first(&out, 512).unwrap().unwrap();
        assert_eq!(
            (read.kind, SaslFrame::read(read.body)),
            (FrameKind::Sasl, Ok(frame.clone()))
        );
    }
    check(&SaslFrame::Mechanisms(Encoded::symbols(OFFERED)), {
        "0000004502010000005340c03801f00000003200000004b30000000845585445524e414c000000074d53534243425300000009414e4f
         4e594d4f555300000005504c41494e"
    });
    check(
        &SaslFrame::Outcome(SaslOutcome::Ok),
        "0000001a02010000005344c00d025000a00857656c636f6d6521",
    );
}

#[test]
fn what_sdks_leave_out_or_write_differently() {
    #[track_caller]
    fn check(body: &[u8], expected: &Performative) {
        assert_eq!(Performative::read(body).map(|(read, _)| read).as_ref(), Ok(expected));
    }
    // The empty list, and only the fields that matter.
    check(b"\0\x53\x18\x45", &Performative::Close(Close::default()));
    check(b"\0\x53\x16\xc0\x03\x02\x43\x41", {
        &Performative::Detach(Detach {
            handle: 0,
            closed: true,
            error: None,
        })
    });
    // A wide descriptor, and one by name.
    check(b"\0\x80\0\0\0\0\0\0\0\x17\x45", &Performative::End(End::default()));
    check(b"\0\xa3\x0damqp:end:list\x45", &Performative::End(End::default()));
    // amqp10: locales as a single symbol, properties as an empty map.
    let read =
        Performative::read(b"\0\x53\x10\xc0\x15\x0a\xa1\x01c\x40\x40\x40\x40\xa3\x05en-US\x40\x40\x40\xc1\x01\0");
    let Ok((Performative::Open(open), _)) = read else {
        panic!("{read:?}")
    };
    assert_eq!(open.outgoing_locales.texts().collect::<Vec<_>>(), ["en-US"]);
    assert_eq!(
        (open.max_frame_size, open.channel_max, open.idle_time_out_ms),
        (u32::MAX, u16::MAX, None)
    );
}

#[test]
fn broken_performatives() {
    #[track_caller]
    fn check(body: &[u8], expected: DecodeError) {
        assert_eq!(Performative::read(body).unwrap_err(), expected);
    }
    check(b"\x40", DecodeError::Expected("a performative"));
    check(b"\0\x53\x19\x45", DecodeError::UnknownDescriptor);
    check(b"\0\x53\x10\x40", DecodeError::Expected("a list of fields"));
    check(b"\0\x53\x12\x45", DecodeError::Missing("name"));
    check(b"\0\x53\x14\x45", DecodeError::Missing("handle"));
    check(
        b"\0\x53\x14\xc0\x06\x03\x43\x43\xa1\x01x",
        DecodeError::Expected("delivery-tag"),
    );
    check(b"\0\x53\x15\xc0\x04\x03\x41\x43\x41", DecodeError::Expected("last"));
}

fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(ours: &Performative) -> (T, Performative) {
    let mut bytes = Vec::new();
    ours.write(&mut bytes);
    let theirs: T = from_slice(&bytes).unwrap();
    let back = to_vec(&theirs).unwrap();
    (theirs, Performative::read(&back).unwrap().0)
}

/// What we write, they read; what they write of it (shorter), we read as the same.
#[test]
fn they_read_ours_and_we_read_theirs() {
    let filter = Encoded::map(|map| {
        map.push_symbol("apache.org:selector-filter:string");
        map.raw(b"\0\x80\0\0\x46\x8c\0\0\0\x04\xa1\x28amqp.annotation.x-opt-offset > '@latest'");
    });
    let attach = Performative::Attach(Box::new(Attach {
        source: Some(Source {
            filter: filter.clone(),
            ..Source::at("hub/ConsumerGroups/$Default/Partitions/0")
        }),
        target: Some(Target::at("guid")),
        handle: 3,
        properties: Encoded::map(|map| {
            map.push_symbol("com.microsoft:epoch");
            map.push(7i64);
        }),
        desired_capabilities: Encoded::symbols(["com.microsoft:enable-receiver-runtime-metric"]),
        ..Attach::new("receiver", Role::Sender)
    }));
    let (read, back) = round_trip::<theirs::Attach>(&attach);
    assert_eq!((read.name.as_str(), read.handle.0), ("receiver", 3));
    assert_eq!(read.source.as_ref().unwrap().filter.as_ref().unwrap().len(), 1);
    let Performative::Attach(back) = back else {
        panic!("{back:?}")
    };
    assert_eq!(back.source.unwrap().filter, filter);
    assert_eq!(back.properties.entry("com.microsoft:epoch"), Some(Value::Long(7)));
    assert!(
        back.desired_capabilities
            .texts()
            .eq(["com.microsoft:enable-receiver-runtime-metric"])
    );
    assert_eq!(
        (back.role, back.initial_delivery_count, back.handle),
        (Role::Sender, Some(0), 3)
    );

    assert_eq!(
        round_trip::<theirs::Open>(&Performative::Open(open())).1,
        Performative::Open(open())
    );
    assert_eq!(
        round_trip::<theirs::Begin>(&Performative::Begin(begin())).1,
        Performative::Begin(begin())
    );
    assert_eq!(
        round_trip::<theirs::Transfer>(&Performative::Transfer(transfer())).1,
        Performative::Transfer(transfer())
    );
    let (read, back) = round_trip::<theirs::Flow>(&Performative::Flow(flow()));
    assert_eq!((read.link_credit, read.next_incoming_id), (Some(100), Some(0)));
    assert_eq!(back, Performative::Flow(flow()));
}

#[test]
fn they_read_our_states_and_errors() {
    let error = AmqpError {
        info: Encoded::map(|map| {
            map.push_symbol("hostname");
            map.push("hub");
        }),
        ..AmqpError::new(condition::LINK_REDIRECT, "elsewhere")
    };
    let detach = Performative::Detach(Detach {
        handle: 1,
        closed: true,
        error: Some(error.clone()),
    });
    let (read, back) = round_trip::<theirs::Detach>(&detach);
    let read = read.error.unwrap();
    assert_eq!(read.condition, theirs_definitions::LinkError::Redirect.into());
    assert_eq!(read.description.as_deref(), Some("elsewhere"));
    assert_eq!(back, detach);

    let modified = DeliveryState::Modified {
        delivery_failed: true,
        undeliverable_here: false,
        message_annotations: Encoded::null(),
    };
    let received = DeliveryState::Received {
        section_number: 1,
        section_offset: 2,
    };
    let states = [
        DeliveryState::Accepted,
        DeliveryState::Released,
        DeliveryState::Rejected(None),
        DeliveryState::Rejected(Some(error)),
        modified,
        received,
    ];
    for state in states {
        let ours = Performative::Disposition(disposition(state));
        assert_eq!(round_trip::<theirs::Disposition>(&ours).1, ours);
    }
}
