//! Messages from the peer: credit, many frames, early ones, settling.

use ironhub_amqp::connection::Event;
use ironhub_amqp::performative::{Attach, DeliveryState, Performative, SenderSettleMode, Transfer};

use crate::peer::{Peer, begin, open, sender, transfer};

#[test]
fn credit_comes_back_by_halves() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(sender(0, "d2c"));
    peer.server.grant(link, 4).unwrap();
    peer.expect(&["0 flow #0 count 0 credit 4"]);
    for id in 0..4 {
        peer.say_transfer(transfer(0, id), b"m");
    }
    let deliveries = peer.deliveries();
    assert_eq!(deliveries.len(), 4);
    peer.expect(&[]);
    peer.server
        .settle(deliveries[0].receipt, DeliveryState::Accepted)
        .unwrap();
    peer.expect(&["0 disposition receiver 0 accepted settled"]);
    peer.server
        .settle(deliveries[1].receipt, DeliveryState::Rejected(None))
        .unwrap();
    peer.expect(&[
        "0 disposition receiver 1 rejected settled",
        "0 flow #0 count 4 credit 2",
    ]);
    peer.server
        .settle(deliveries[2].receipt, DeliveryState::Accepted)
        .unwrap();
    peer.server
        .settle(deliveries[3].receipt, DeliveryState::Accepted)
        .unwrap();
    peer.expect(&[
        "0 disposition receiver 2 accepted settled",
        "0 disposition receiver 3 accepted settled",
        "0 flow #0 count 4 credit 4",
    ]);
    peer.server.grant(link, 0).unwrap();
    peer.expect(&["0 flow #0 count 4 credit 0"]);
}

#[test]
fn many_are_accepted_in_as_few_frames_as_there_are_runs() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(sender(0, "d2c"));
    let other = peer.attach_accepted(sender(1, "twin"));
    for link in [link, other] {
        peer.server.grant(link, 100).unwrap();
    }
    peer.hear();
    for (handle, id) in [(0, 0), (0, 1), (1, 2), (0, 3), (0, 5), (0, 6)] {
        let settled = id == 3;
        peer.say_transfer(
            Transfer {
                settled,
                ..transfer(handle, id)
            },
            b"m",
        );
    }
    let receipts = peer.deliveries().into_iter().map(|delivery| delivery.receipt);
    peer.server.accept_all(receipts);
    peer.expect(&[
        "0 disposition receiver 0..2 accepted settled",
        "0 disposition receiver 5..6 accepted settled",
    ]);
    peer.server.accept_all([]);
    peer.expect(&[]);
}

#[test]
fn credit_comes_back_behind_what_was_accepted() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(sender(0, "d2c"));
    peer.server.grant(link, 4).unwrap();
    peer.hear();
    for id in 0..3 {
        peer.say_transfer(transfer(0, id), b"m");
    }
    let receipts: Vec<_> = peer.deliveries().iter().map(|delivery| delivery.receipt).collect();
    peer.server.accept_all(receipts.clone());
    peer.expect(&[
        "0 disposition receiver 0..1 accepted settled",
        "0 flow #0 count 3 credit 3",
        "0 disposition receiver 2 accepted settled",
    ]);
    peer.server.detach(link, None).unwrap();
    peer.hear();
    peer.server.accept_all(receipts);
    peer.expect(&[]);
}

#[test]
fn more_may_be_taken_than_was_announced() {
    let (mut peer, _) = Peer::with_session();
    let asked = sender(0, "d2c");
    let link = peer.attach(asked.clone());
    let answer = Attach {
        max_message_size: Some(4),
        ..asked.answer()
    };
    peer.server.accept(link, answer).unwrap();
    peer.server.limit_messages(link, 6).unwrap();
    peer.server.grant(link, 10).unwrap();
    peer.say_transfer(transfer(0, 0), b"123456");
    assert_eq!(peer.deliveries().len(), 1);
    peer.say_transfer(transfer(0, 1), b"1234567");
    assert!(matches!(&peer.events()[..], [Event::Detached { .. }]));
}

/// amqp10 counts its deliveries from 1.
#[test]
fn the_count_starts_where_the_client_says() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(Attach {
        initial_delivery_count: Some(1),
        ..sender(0, "d2c")
    });
    peer.server.grant(link, 10).unwrap();
    peer.expect(&["0 flow #0 count 1 credit 10"]);
}

#[test]
fn settled_messages_are_not_answered_and_free_their_credit() {
    let (mut peer, _) = Peer::with_session();
    let asked = Attach {
        snd_settle_mode: Some(SenderSettleMode::Settled),
        ..sender(0, "twin")
    };
    let link = peer.attach_accepted(asked);
    peer.server.grant(link, 1).unwrap();
    peer.hear();
    peer.say_transfer(
        Transfer {
            settled: true,
            ..transfer(0, 0)
        },
        b"get",
    );
    let [delivery] = &peer.deliveries()[..] else {
        panic!("one delivery")
    };
    assert!(delivery.receipt.is_settled());
    peer.server.settle(delivery.receipt, DeliveryState::Accepted).unwrap();
    peer.expect(&["0 flow #0 count 1 credit 1"]);
}

/// Continuation frames repeat the id and the tag (all SDKs) or leave them off (the standard allows it).
#[test]
fn a_message_of_many_frames() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(sender(0, "d2c"));
    peer.server.grant(link, 10).unwrap();
    let bare = Transfer {
        delivery_id: None,
        delivery_tag: None,
        message_format: None,
        ..transfer(0, 0)
    };
    peer.say_transfer(
        Transfer {
            more: true,
            message_format: Some(0x8001_3700),
            ..transfer(0, 0)
        },
        b"ab",
    );
    peer.say_transfer(
        Transfer {
            more: true,
            ..transfer(0, 0)
        },
        b"cd",
    );
    peer.say_transfer(Transfer { settled: true, ..bare }, b"ef");
    let [delivery] = &peer.deliveries()[..] else {
        panic!("one delivery")
    };
    assert_eq!(
        (&delivery.payload[..], delivery.message_format),
        (&b"abcdef"[..], 0x8001_3700)
    );
    assert!(delivery.receipt.is_settled(), "settled by its last frame");

    peer.say_transfer(
        Transfer {
            more: true,
            ..transfer(0, 1)
        },
        b"ab",
    );
    peer.say_transfer(
        Transfer {
            aborted: true,
            ..transfer(0, 1)
        },
        b"",
    );
    peer.say_transfer(transfer(0, 2), b"next");
    let deliveries = peer.deliveries();
    assert_eq!(
        deliveries
            .iter()
            .map(|delivery| &delivery.payload[..])
            .collect::<Vec<_>>(),
        [b"next"]
    );
}

/// An aborted delivery takes credit as any other (AMQP 1.0 part 2, §2.6.7), and nobody settles it.
#[test]
fn credit_comes_back_for_what_was_aborted() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(sender(0, "d2c"));
    peer.server.grant(link, 4).unwrap();
    peer.hear();
    for (id, expected) in [(0, None), (1, Some(2)), (2, None), (3, Some(4))] {
        let begun = Transfer {
            more: true,
            ..transfer(0, id)
        };
        let aborted = Transfer {
            aborted: true,
            ..transfer(0, id)
        };
        peer.say_transfer(begun, b"ab");
        peer.say_transfer(aborted, b"");
        let flow = expected.map(|count| format!("0 flow #0 count {count} credit 4"));
        assert_eq!(peer.hear(), Vec::from_iter(flow));
    }
    assert!(peer.events().is_empty());
}

#[test]
fn messages_before_the_answer_are_kept_in_order() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach(sender(0, "d2c"));
    peer.say_transfer(transfer(0, 0), b"one");
    peer.say_transfer(
        Transfer {
            more: true,
            ..transfer(0, 1)
        },
        b"tw",
    );
    assert!(peer.events().is_empty());
    peer.server.accept(link, sender(0, "d2c").answer()).unwrap();
    peer.say_transfer(transfer(0, 1), b"o");
    let payloads: Vec<_> = peer.deliveries().into_iter().map(|delivery| delivery.payload).collect();
    assert_eq!(payloads, [&b"one"[..], b"two"]);
}

#[test]
fn messages_before_a_refusal_are_dropped() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach(sender(0, "d2c"));
    peer.say_transfer(transfer(0, 0), b"one");
    let error = ironhub_amqp::performative::AmqpError::new("amqp:not-found", "");
    peer.server.refuse(link, error).unwrap();
    peer.say_transfer(transfer(0, 1), b"two");
    peer.expect(&["0 attach #0 receiver null -> null", "0 detach #0 amqp:not-found"]);
    assert!(peer.events().is_empty());
}

/// The peer's window of 5,000 frames is opened again before it closes, also without any link credit news.
#[test]
fn the_session_window_is_kept_open() {
    let (mut peer, _) = Peer::with_session_of(&open(), &begin());
    let link = peer.attach_accepted(sender(0, "d2c"));
    peer.server.grant(link, 10_000).unwrap();
    peer.hear();
    for id in 0..2500 {
        peer.say_transfer(
            Transfer {
                settled: true,
                ..transfer(0, id)
            },
            b"",
        );
    }
    peer.expect(&[]);
    peer.say_transfer(
        Transfer {
            settled: true,
            ..transfer(0, 2500)
        },
        b"",
    );
    peer.expect(&["0 flow next 2501 window 5000"]);
}

#[test]
fn an_echo_is_answered() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(sender(0, "d2c"));
    peer.server.grant(link, 10).unwrap();
    peer.hear();
    let Performative::Flow(flow) = crate::peer::credit(0, 0, 0) else {
        panic!("a flow")
    };
    peer.say(
        0,
        &Performative::Flow(ironhub_amqp::performative::Flow { echo: true, ..flow }),
    );
    peer.expect(&["0 flow #0 count 0 credit 10"]);
    let session_flow = ironhub_amqp::performative::Flow {
        echo: true,
        link: None,
        ..flow
    };
    peer.say(0, &Performative::Flow(session_flow));
    peer.expect(&["0 flow next 0 window 5000"]);
}

#[test]
fn a_settled_link_answers_nothing_after_it_is_gone() {
    let (mut peer, session) = Peer::with_session();
    let link = peer.attach_accepted(sender(0, "d2c"));
    peer.server.grant(link, 10).unwrap();
    peer.hear();
    peer.say_transfer(transfer(0, 0), b"m");
    let [delivery] = &peer.deliveries()[..] else {
        panic!("one delivery")
    };
    peer.say(0, &Performative::End(ironhub_amqp::performative::End::default()));
    peer.expect(&["0 end"]);
    assert!(peer.server.settle(delivery.receipt, DeliveryState::Accepted).is_err());
    assert!(peer.server.end(session, None).is_err());
    peer.expect(&[]);
    assert!(matches!(
        peer.events()[..],
        [Event::Detached { .. }, Event::Ended { .. }]
    ));
}
