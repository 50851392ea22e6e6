//! Frames that decode, with fields of the script's choosing.

use ironhub_amqp::frame::{self, FrameKind};
use ironhub_amqp::performative::{
    AmqpError, Attach, Begin, Close, DeliveryState, DeliveryTag, Detach, Disposition, End, Flow, LinkFlow, Open,
    Performative, ReceiverSettleMode, Role, SenderSettleMode, Source, Target, Transfer, condition,
};
use ironhub_amqp::sasl::SaslFrame;
use ironhub_amqp::types::Encoded;

use crate::script::Script;

pub(super) fn header(script: &mut Script<'_>) -> &'static [u8] {
    match script.byte() % 3 {
        0 => b"AMQP\x00\x01\x00\x00",
        1 => b"AMQP\x03\x01\x00\x00",
        _ => b"AMQP\x02\x01\x00\x00",
    }
}

pub(super) fn sasl(script: &mut Script<'_>) -> Vec<u8> {
    let mechanism = match script.byte() % 4 {
        0 => "PLAIN",
        1 => "MSSBCBS",
        2 => "EXTERNAL",
        _ => "ANONYMOUS",
    };
    let init = SaslFrame::Init {
        mechanism: mechanism.into(),
        initial_response: script.bytes(64).to_vec(),
        hostname: script.flag().then(|| "hub".into()),
    };
    let mut out = Vec::new();
    init.write(&mut out);
    out
}

/// One frame; a transfer carries a payload.
pub(super) fn frame(script: &mut Script<'_>) -> Vec<u8> {
    let channel = match script.byte() {
        small @ ..=249 => u16::from(small % 3),
        large => u16::from(large) * 257,
    };
    let performative = performative(script);
    let payload: &[u8] = if matches!(performative, Performative::Transfer(_)) {
        script.bytes(255)
    } else {
        b""
    };
    let mut out = Vec::new();
    frame::write(&mut out, FrameKind::Amqp, channel, |out| {
        performative.write(out);
        out.extend_from_slice(payload);
    });
    out
}

pub(super) fn state(script: &mut Script<'_>) -> Option<DeliveryState> {
    Some(match script.byte() % 8 {
        0 => return None,
        1 => DeliveryState::Released,
        2 => DeliveryState::Rejected(error(script)),
        3 => DeliveryState::Modified {
            delivery_failed: script.flag(),
            undeliverable_here: script.flag(),
            message_annotations: Encoded::null(),
        },
        4 => DeliveryState::Received {
            section_number: script.number(),
            section_offset: u64::from(script.number()),
        },
        _ => DeliveryState::Accepted,
    })
}

fn error(script: &mut Script<'_>) -> Option<AmqpError> {
    script.flag().then(|| AmqpError::new(condition::NOT_ALLOWED, "no"))
}

fn performative(script: &mut Script<'_>) -> Performative {
    match script.byte() % 16 {
        0 => Performative::Open(open(script)),
        1 | 2 => Performative::Begin(begin(script)),
        3..=5 => Performative::Attach(Box::new(attach(script))),
        6 | 7 => Performative::Flow(flow(script)),
        8..=10 => Performative::Transfer(transfer(script)),
        11 | 12 => Performative::Disposition(disposition(script)),
        13 => Performative::Detach(Detach {
            handle: script.number(),
            closed: script.flag(),
            error: error(script),
        }),
        14 => Performative::End(End { error: error(script) }),
        _ => Performative::Close(Close { error: error(script) }),
    }
}

fn open(script: &mut Script<'_>) -> Open {
    Open {
        container_id: "peer".into(),
        max_frame_size: script.number().saturating_mul(64),
        channel_max: script.short_number(),
        idle_time_out_ms: script.optional_number(),
        ..Open::default()
    }
}

fn begin(script: &mut Script<'_>) -> Begin {
    Begin {
        remote_channel: script.flag().then(|| script.short_number()),
        next_outgoing_id: script.number(),
        incoming_window: script.number(),
        outgoing_window: script.number(),
        handle_max: script.number(),
        offered_capabilities: Encoded::null(),
        desired_capabilities: Encoded::null(),
        properties: Encoded::null(),
    }
}

fn attach(script: &mut Script<'_>) -> Attach {
    let role = if script.flag() { Role::Sender } else { Role::Receiver };
    let name = match script.byte() {
        small @ ..=239 => format!("link-{}", small % 4),
        large => "l".repeat(usize::from(large) * 5),
    };
    let is_whole = !script.once_in(8);
    Attach {
        handle: script.number(),
        snd_settle_mode: script
            .choose(&[None, Some(SenderSettleMode::Settled), Some(SenderSettleMode::Unsettled)])
            .flatten(),
        rcv_settle_mode: script
            .choose(&[None, Some(ReceiverSettleMode::First), Some(ReceiverSettleMode::Second)])
            .flatten(),
        source: is_whole.then(|| Source::at("$cbs")),
        target: is_whole.then(|| Target::at("$cbs")),
        initial_delivery_count: script.optional_number(),
        max_message_size: script.optional_number().map(u64::from),
        ..Attach::new(name, role)
    }
}

fn flow(script: &mut Script<'_>) -> Flow {
    Flow {
        next_incoming_id: script.optional_number(),
        incoming_window: script.number(),
        next_outgoing_id: script.number(),
        outgoing_window: script.number(),
        link: script.flag().then(|| LinkFlow {
            handle: script.number(),
            delivery_count: script.optional_number(),
            link_credit: script.optional_number(),
            available: script.optional_number(),
            drain: script.flag(),
        }),
        echo: script.flag(),
    }
}

fn transfer(script: &mut Script<'_>) -> Transfer {
    Transfer {
        handle: script.number(),
        delivery_id: script.optional_number(),
        delivery_tag: DeliveryTag::new(script.bytes(32)),
        message_format: script.optional_number(),
        settled: script.flag(),
        more: script.once_in(4),
        rcv_settle_mode: None,
        state: state(script),
        aborted: script.once_in(16),
    }
}

fn disposition(script: &mut Script<'_>) -> Disposition {
    Disposition {
        role: if script.once_in(8) {
            Role::Sender
        } else {
            Role::Receiver
        },
        first: script.number(),
        last: script.optional_number(),
        settled: script.flag(),
        state: state(script),
    }
}
