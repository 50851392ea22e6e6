//! Peers that break the protocol or try to cost more than they send. Each ends its own connection, session or link.

use ironhub_amqp::connection::Event;
use ironhub_amqp::limits::{
    CHANNEL_MAX, ConnectionLimits, DELIVERIES_BEYOND_CREDIT_MAX, FRAME_BYTES_MAX, HANDLE_MAX, LINK_NAME_BYTES_MAX,
    PIPELINED_BYTES_MAX,
};
use ironhub_amqp::performative::{Attach, Flow, Performative, Transfer};
use ironhub_amqp::types::{Encoded, encode};
use proptest::prelude::*;

use crate::peer::{
    AMQP, Peer, SASL, begin, credit, disposition, encoded, open, receiver, rendered, sender, transfer, window,
};

#[track_caller]
fn check_closed(peer: &mut Peer, expected: &str) {
    assert_eq!(peer.hear().last().map(String::as_str), Some(expected));
    assert!(matches!(peer.events().last(), Some(Event::Closed { error: Some(_) })));
    assert!(peer.server.is_finished());
    assert_eq!(peer.server.session_and_link_count(), (0, 0));
}

#[test]
fn broken_frames_close_the_connection() {
    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let (mut peer, _) = Peer::with_session();
        peer.say_bytes(bytes);
        check_closed(&mut peer, expected);
    }
    let oversize = u32::try_from(FRAME_BYTES_MAX).unwrap() + 1;
    check(&oversize.to_be_bytes(), "0 close amqp:connection:framing-error");
    check(b"\xff\xff\xff\xff", "0 close amqp:connection:framing-error");
    check(b"\0\0\0\x07", "0 close amqp:connection:framing-error");
    check(b"\0\0\0\x08\x01\0\0\0", "0 close amqp:connection:framing-error");
    check(b"\0\0\0\x08\x02\x07\0\0", "0 close amqp:connection:framing-error");
    check(b"\0\0\0\x09\x02\0\0\0\x40", "0 close amqp:decode-error");
    check(b"\0\0\0\x0c\x02\0\0\0\0\x53\x19\x45", "0 close amqp:decode-error");
    check(b"\0\0\0\x0c\x02\0\0\0\0\x53\x14\x45", "0 close amqp:decode-error");
    check(
        &encoded(0, &Performative::Open(open()), b""),
        "0 close amqp:not-allowed",
    );
    check(
        &encoded(0, &Performative::Begin(begin()), b""),
        "0 close amqp:not-allowed",
    );
    check(
        &encoded(CHANNEL_MAX + 1, &Performative::Begin(begin()), b""),
        "0 close amqp:connection:framing-error",
    );
}

/// 3,500 nested lists in a frame before any token aborted a server built on a recursive decoder.
#[test]
fn nesting_closes_the_connection() {
    let mut nested = vec![0x40];
    for _ in 0..3500 {
        let mut outer = Vec::new();
        encode::list(&mut outer, |list| list.raw(&nested));
        nested = outer;
    }
    let mut bytes = Vec::new();
    ironhub_amqp::frame::write(&mut bytes, ironhub_amqp::frame::FrameKind::Amqp, 0, |out| {
        encode::composite(out, 0x11, |fields| fields.raw(&nested));
    });
    assert!(bytes.len() < FRAME_BYTES_MAX);
    let mut peer = Peer::new();
    peer.say_bytes(AMQP);
    peer.say(0, &Performative::Open(open()));
    peer.say_bytes(&bytes);
    check_closed(&mut peer, "0 close amqp:decode-error");
}

#[test]
fn too_much_before_the_decision() {
    let mut peer = Peer::new();
    let mut init = Vec::new();
    let (mechanism, initial_response) = ("ANONYMOUS".to_owned(), Vec::new());
    ironhub_amqp::sasl::SaslFrame::Init {
        mechanism,
        initial_response,
        hostname: None,
    }
    .write(&mut init);
    peer.say_bytes(&[SASL, &init].concat());
    peer.say_bytes(&vec![0; PIPELINED_BYTES_MAX]);
    assert!(!peer.server.is_finished());
    peer.say_bytes(&[0]);
    assert!(peer.server.is_finished());
}

#[test]
fn a_transfer_without_a_link_ends_the_session() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(sender(0, "a"));
    peer.say_transfer(transfer(1, 0), b"");
    peer.expect(&["0 end amqp:session:unattached-handle"]);
    assert!(
        matches!(&peer.events()[..], [Event::Detached { link: gone, .. }, Event::Ended { error: Some(_), .. }]
        if *gone == link)
    );
    assert!(!peer.server.is_finished());
}

#[test]
fn handles_and_names_are_checked() {
    #[track_caller]
    fn check(attach: Attach, expected: &str) {
        let (mut peer, _) = Peer::with_session();
        peer.attach_accepted(sender(0, "a"));
        peer.say(0, &Performative::Attach(Box::new(attach)));
        peer.expect(&[expected]);
    }
    check(sender(0, "b"), "0 end amqp:session:handle-in-use");
    check(sender(HANDLE_MAX + 1, "b"), "0 end amqp:invalid-field");
    check(
        Attach {
            name: "x".repeat(LINK_NAME_BYTES_MAX + 1),
            ..sender(1, "b")
        },
        "0 end amqp:invalid-field",
    );
}

#[test]
fn a_transfer_against_the_direction_ends_the_link() {
    let (mut peer, _) = Peer::with_session();
    peer.attach_accepted(receiver(0, "a"));
    peer.say_transfer(transfer(0, 0), b"");
    peer.expect(&["0 detach #0 amqp:not-allowed"]);
    assert!(matches!(peer.events()[..], [Event::Detached { error: Some(_), .. }]));
}

#[test]
fn broken_deliveries_end_the_link() {
    #[track_caller]
    fn check(transfers: &[Transfer], expected: &str) {
        let (mut peer, _) = Peer::with_session();
        let asked = sender(0, "a");
        let link = peer.attach(asked.clone());
        peer.server
            .accept(
                link,
                Attach {
                    max_message_size: Some(10),
                    ..asked.answer()
                },
            )
            .unwrap();
        peer.hear();
        for transfer in transfers {
            peer.say_transfer(transfer.clone(), b"12345");
        }
        peer.expect(&[expected]);
    }
    let more = |id| Transfer {
        more: true,
        ..transfer(0, id)
    };
    check(
        &[more(0), more(0), more(0)],
        "0 detach #0 amqp:link:message-size-exceeded",
    );
    check(&[more(0), more(1)], "0 detach #0 amqp:not-allowed");
    check(
        &[Transfer {
            delivery_id: None,
            ..transfer(0, 0)
        }],
        "0 detach #0 amqp:invalid-field",
    );
    check(
        &[Transfer {
            delivery_tag: None,
            ..transfer(0, 0)
        }],
        "0 detach #0 amqp:invalid-field",
    );
}

#[test]
fn a_flood_without_credit_ends_the_link() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(sender(0, "a"));
    peer.server.grant(link, 10).unwrap();
    peer.hear();
    for id in 0..DELIVERIES_BEYOND_CREDIT_MAX + 10 {
        peer.say_transfer(transfer(0, id), b"");
    }
    peer.expect(&[]);
    peer.say_transfer(transfer(0, 5000), b"");
    peer.expect(&["0 detach #0 amqp:link:transfer-limit-exceeded"]);
}

#[test]
fn unfinished_and_early_messages_are_bounded() {
    for is_early in [false, true] {
        let (mut peer, _) = Peer::with_session();
        let payload = vec![0; 10_000];
        if is_early {
            peer.attach(sender(0, "a"));
        } else {
            peer.attach_accepted(sender(0, "a"));
        }
        for id in 0..7 {
            assert!(!peer.server.is_finished(), "{id}");
            let id = if is_early { id } else { 0 };
            peer.say_transfer(
                Transfer {
                    more: !is_early,
                    ..transfer(0, id)
                },
                &payload,
            );
        }
        check_closed(&mut peer, "0 close amqp:resource-limit-exceeded");
    }
}

/// Java begins a session for each of its devices before it puts the first token, 4 KiB frames at most.
#[test]
fn a_thousand_sessions_and_a_token_fit_before_authentication() {
    let (mut peer, _) = Peer::with_session();
    for channel in 1..=1000 {
        peer.say(channel, &Performative::Begin(begin()));
    }
    peer.attach_accepted(sender(0, "$cbs"));
    peer.attach_accepted(receiver(1, "$cbs"));
    let token = encoded(0, &Performative::Transfer(transfer(0, 0)), &[0; 1000]);
    peer.say_bytes(&token[..900]);
    peer.say_bytes(&token[900..]);
    assert_eq!(peer.deliveries().len(), 1);
    peer.hear();

    // There is no room for much more.
    peer.say_bytes(&encoded(0, &Performative::Transfer(transfer(0, 1)), &vec![0; 20_000])[..10_000]);
    check_closed(&mut peer, "0 close amqp:resource-limit-exceeded");
}

/// Empty messages are not free either.
#[test]
fn many_empty_early_messages_are_bounded() {
    let (mut peer, _) = Peer::with_session();
    peer.attach(sender(0, "a"));
    for id in 0..DELIVERIES_BEYOND_CREDIT_MAX {
        peer.say_transfer(transfer(0, id), b"");
    }
    assert!(peer.server.is_finished());
}

#[test]
fn sessions_and_links_are_bounded() {
    let (mut peer, _) = Peer::with_session();
    peer.server.set_limits(ConnectionLimits {
        sessions_max: 3,
        links_max: 2,
        ..ConnectionLimits::UNAUTHENTICATED
    });
    for handle in 0..2 {
        peer.attach_accepted(sender(handle, "a"));
    }
    peer.say(0, &Performative::Attach(Box::new(sender(2, "a"))));
    peer.expect(&["0 end amqp:resource-limit-exceeded"]);
    for channel in 1..3 {
        peer.say(channel, &Performative::Begin(begin()));
    }
    assert!(!peer.server.is_finished());
    peer.say(3, &Performative::Begin(begin()));
    check_closed(&mut peer, "0 close amqp:resource-limit-exceeded");
}

#[test]
fn the_peers_handle_max_is_kept() {
    let (mut peer, _) = Peer::with_session_of(
        &open(),
        &ironhub_amqp::performative::Begin {
            handle_max: 0,
            ..begin()
        },
    );
    peer.attach_accepted(sender(5, "a"));
    peer.say(0, &Performative::Attach(Box::new(sender(6, "b"))));
    peer.expect(&["0 end amqp:resource-limit-exceeded"]);
}

/// A peer that asks and never listens is not read any more.
#[test]
fn answers_do_not_pile_up() {
    let (mut peer, _) = Peer::with_session();
    let echo = Performative::Flow(Flow {
        echo: true,
        ..window(1, 1)
    });
    let mut asked = 0;
    while peer.server.wants_input() {
        peer.say(0, &echo);
        asked += 1;
        assert!(asked < 20_000);
    }
    assert!(!peer.server.is_finished());
    peer.hear();
    assert!(peer.server.wants_input());
}

/// Any frame in any state: no panic, and what we answer is well-formed.
fn arbitrary_frame() -> impl Strategy<Value = Vec<u8>> {
    let handle = 0..3u32;
    let id = 0..6u32;
    prop_oneof![
        (0..3u16).prop_map(|channel| encoded(channel, &Performative::Begin(begin()), b"")),
        (0..3u16, handle.clone(), any::<bool>()).prop_map(|(channel, handle, is_sender)| {
            let attach = if is_sender {
                sender(handle, "a")
            } else {
                receiver(handle, "b")
            };
            encoded(channel, &Performative::Attach(Box::new(attach)), b"")
        }),
        (0..3u16, handle.clone(), id.clone(), any::<(bool, bool, bool)>()).prop_map(|(channel, handle, id, flags)| {
            let (settled, more, aborted) = flags;
            encoded(
                channel,
                &Performative::Transfer(Transfer {
                    settled,
                    more,
                    aborted,
                    ..transfer(handle, id)
                }),
                b"abc",
            )
        }),
        (handle.clone(), any::<u32>(), 0..20u32)
            .prop_map(|(handle, count, link_credit)| { encoded(0, &credit(handle, count, link_credit), b"") }),
        (any::<u32>(), any::<u32>(), any::<bool>()).prop_map(|(first, last, settled)| {
            encoded(
                0,
                &disposition(
                    first,
                    last,
                    settled,
                    ironhub_amqp::performative::DeliveryState::Accepted,
                ),
                b"",
            )
        }),
        (0..3u16, handle).prop_map(|(channel, handle)| {
            let detach = ironhub_amqp::performative::Detach {
                handle,
                closed: true,
                error: None,
            };
            encoded(channel, &Performative::Detach(detach), b"")
        }),
        (0..3u16).prop_map(|channel| encoded(
            channel,
            &Performative::End(ironhub_amqp::performative::End::default()),
            b""
        )),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|body| {
            let mut out = Vec::new();
            ironhub_amqp::frame::write(&mut out, ironhub_amqp::frame::FrameKind::Amqp, 0, |out| {
                out.extend(body);
            });
            out
        }),
    ]
}

/// A caller that does something with every event.
fn answer(peer: &mut Peer, choice: u8) {
    for event in peer.events() {
        match event {
            Event::Attach { link, attach, .. } if choice.is_multiple_of(3) => {
                let _ = peer.server.refuse(
                    link,
                    ironhub_amqp::performative::AmqpError::new("amqp:not-found", &*attach.name),
                );
            }
            Event::Attach { link, attach, .. } if choice % 3 == 1 => {
                let _ = peer.server.accept(link, attach.answer());
                let _ = peer.server.grant(link, 5);
            }
            Event::Delivery(delivery) => {
                let _ = peer
                    .server
                    .settle(delivery.receipt, ironhub_amqp::performative::DeliveryState::Accepted);
            }
            Event::Credit { link, drain } => {
                let tag = ironhub_amqp::performative::DeliveryTag::counted(0);
                let outgoing = ironhub_amqp::connection::Outgoing {
                    tag,
                    message_format: 0,
                    settled: choice.is_multiple_of(2),
                };
                let _ = peer.server.send(link, outgoing, |out| out.extend([1, 2, 3]));
                if drain {
                    let _ = peer.server.drained(link);
                }
            }
            Event::Detached { link, .. } => assert!(!peer.server.can_send(link)),
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn any_frames_in_any_order(
        frames in prop::collection::vec((arbitrary_frame(), any::<u8>()), 1..60),
    ) {
        let (mut peer, _) = Peer::with_session();
        for (frame, choice) in frames {
            peer.say_bytes(&frame);
            answer(&mut peer, choice);
            peer.hear(); // Panics when it is not made of well-formed frames.
        }
    }

    #[test]
    fn any_bytes_from_the_start(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..10)) {
        for prefix in [&b""[..], AMQP, SASL] {
            let mut peer = Peer::new();
            peer.say_bytes(prefix);
            for chunk in &chunks {
                peer.say_bytes(chunk);
                peer.server.decide_sasl(true);
            }
            rendered(peer.server.output());
        }
    }
}

#[test]
fn a_fat_open_is_fine() {
    let properties = Encoded::map(|map| {
        map.push_symbol("user-agent");
        map.push("x".repeat(2000).as_str());
    });
    let fat = ironhub_amqp::performative::Open { properties, ..open() };
    let (peer, _) = Peer::with_session_of(&fat, &begin());
    assert!(!peer.server.is_finished());
}
