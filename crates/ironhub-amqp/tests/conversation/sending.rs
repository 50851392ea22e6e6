//! Messages to the peer: credit, windows, many frames, outcomes.

use ironhub_amqp::connection::{Event, LinkId, Outgoing, SendError, Sent};
use ironhub_amqp::performative::{
    Attach, Begin, DeliveryState, DeliveryTag, Detach, Disposition, Flow, LinkFlow, Open, Performative,
    ReceiverSettleMode, Role,
};

use crate::peer::{Peer, begin, credit, disposition, open, receiver, window};

const TAG: [u8; 16] = *b"0123456789abcdef";

fn unsettled() -> Outgoing {
    Outgoing {
        tag: DeliveryTag::from(TAG),
        message_format: 0,
        settled: false,
    }
}

fn settled() -> Outgoing {
    Outgoing {
        settled: true,
        ..unsettled()
    }
}

impl Peer {
    fn send(&mut self, link: LinkId, outgoing: Outgoing, payload: &[u8]) -> Result<Sent, SendError> {
        self.server.send(link, outgoing, |out| out.extend_from_slice(payload))
    }

    fn send_all(&mut self, link: LinkId, count: u32) -> Vec<Sent> {
        (0..count)
            .map(|_| self.send(link, unsettled(), b"m").unwrap())
            .collect()
    }

    /// Delivery-ids, states and whether they are settled, of the dispositions since the last time.
    fn outcomes(&mut self) -> Vec<(Vec<u32>, DeliveryState, bool)> {
        let events = self.events().into_iter();
        let outcomes = events.filter_map(|event| match event {
            Event::Disposition {
                deliveries,
                state,
                settled,
            } => Some((deliveries.iter().map(|sent| sent.delivery_id).collect(), state, settled)),
            _ => None,
        });
        outcomes.collect()
    }
}

#[test]
fn nothing_is_sent_without_credit() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(receiver(7, "c2d"));
    assert_eq!(peer.send(link, settled(), b"m"), Err(SendError::NoCredit));
    peer.say(0, &credit(7, 0, 2));
    assert!(matches!(peer.events()[..], [Event::Credit { drain: false, .. }]));
    assert!(peer.server.can_send(link));
    peer.send(link, settled(), b"one").unwrap();
    peer.send(link, unsettled(), b"three").unwrap();
    assert_eq!(peer.send(link, settled(), b"m"), Err(SendError::NoCredit));
    peer.expect(&["0 transfer #0 id 0 3 bytes settled", "0 transfer #0 id 1 5 bytes"]);
    peer.say(0, &credit(7, 1, 2)); // Granted when one of the two had come.
    assert_eq!(peer.server.credit(link), 1);
}

/// uamqp asks before it has granted credit for the answer; the flow may even come before we took the link.
#[test]
fn credit_before_the_answer_counts() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach(receiver(7, "$cbs"));
    peer.say(0, &credit(7, 0, 1));
    assert!(peer.events().is_empty());
    assert_eq!(peer.send(link, settled(), b"m"), Err(SendError::Gone));
    peer.server.accept(link, receiver(7, "$cbs").answer()).unwrap();
    assert!(matches!(peer.events()[..], [Event::Credit { drain: false, .. }]));
    peer.send(link, settled(), b"m").unwrap();
}

#[test]
fn delivery_ids_rise_by_one_over_all_links() {
    let (mut peer, _) = Peer::with_session();
    let (first, second) = (
        peer.attach_accepted(receiver(0, "a")),
        peer.attach_accepted(receiver(1, "b")),
    );
    peer.say(0, &credit(0, 0, 10));
    peer.say(0, &credit(1, 0, 10));
    for link in [first, second, first] {
        peer.send(link, settled(), b"").unwrap();
    }
    peer.expect(&[
        "0 transfer #0 id 0 0 bytes settled",
        "0 transfer #1 id 1 0 bytes settled",
        "0 transfer #0 id 2 0 bytes settled",
    ]);
}

/// A message larger than the peer's frames goes in several, none longer than allowed, as far as the window is open.
#[test]
fn large_messages_are_split_and_wait_for_the_window() {
    let narrow = Begin {
        incoming_window: 2,
        ..begin()
    };
    let (mut peer, _) = Peer::with_session_of(
        &Open {
            max_frame_size: 512,
            ..open()
        },
        &narrow,
    );
    let (link, other) = (
        peer.attach_accepted(receiver(0, "a")),
        peer.attach_accepted(receiver(1, "b")),
    );
    let grant = |peer: &mut Peer, handle, next_incoming_id| {
        let Performative::Flow(flow) = credit(handle, 0, 10) else {
            panic!("a flow")
        };
        let flow = Flow {
            next_incoming_id: Some(next_incoming_id),
            incoming_window: 2,
            ..flow
        };
        peer.say(0, &Performative::Flow(flow));
    };
    grant(&mut peer, 0, 1);
    grant(&mut peer, 1, 1);
    peer.send(link, unsettled(), &[7; 1200]).unwrap();
    assert_eq!(
        peer.send(other, settled(), b"m"),
        Err(SendError::Busy),
        "not between the frames of another"
    );
    let output = peer.server.output().to_vec();
    assert_eq!(output.len(), 1024, "two frames of 512 bytes");
    peer.expect(&["0 transfer #0 id 0 470 bytes more", "0 transfer #0 id 0 470 bytes more"]);
    peer.say(0, &Performative::Flow(window(3, 2)));
    peer.expect(&["0 transfer #0 id 0 260 bytes"]);
    peer.send(other, settled(), b"m").unwrap();
    assert_eq!(
        peer.send(other, settled(), b"m"),
        Err(SendError::Busy),
        "the window is closed"
    );
    peer.expect(&["0 transfer #1 id 1 1 bytes settled"]);
}

#[test]
fn a_frame_is_as_long_as_the_peer_takes_and_no_longer() {
    #[track_caller]
    fn check(payload_bytes: usize, expected: &[&str]) {
        let (mut peer, _) = Peer::with_session_of(
            &Open {
                max_frame_size: 512,
                ..open()
            },
            &begin(),
        );
        let link = peer.attach_accepted(receiver(0, "a"));
        peer.say(0, &credit(0, 0, 1));
        peer.send(link, settled(), &vec![7; payload_bytes]).unwrap();
        peer.expect(expected);
    }
    check(470, &["0 transfer #0 id 0 470 bytes settled"]);
    check(
        471,
        &[
            "0 transfer #0 id 0 470 bytes settled more",
            "0 transfer #0 id 0 1 bytes settled",
        ],
    );
}

#[test]
fn a_detached_link_takes_its_unsent_frames_along() {
    let narrow = Begin {
        incoming_window: 1,
        ..begin()
    };
    let (mut peer, _) = Peer::with_session_of(
        &Open {
            max_frame_size: 512,
            ..open()
        },
        &narrow,
    );
    let link = peer.attach_accepted(receiver(0, "a"));
    let Performative::Flow(flow) = credit(0, 0, 10) else {
        panic!("a flow")
    };
    peer.say(
        0,
        &Performative::Flow(Flow {
            next_incoming_id: Some(1),
            incoming_window: 1,
            ..flow
        }),
    );
    peer.send(link, unsettled(), &[7; 1200]).unwrap();
    peer.hear();
    peer.say(
        0,
        &Performative::Detach(Detach {
            handle: 0,
            closed: true,
            error: None,
        }),
    );
    peer.say(0, &Performative::Flow(window(2, 100)));
    peer.expect(&["0 detach #0"]);
}

#[test]
fn the_peer_may_limit_the_message_size() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(Attach {
        max_message_size: Some(10),
        ..receiver(0, "a")
    });
    peer.say(0, &credit(0, 0, 10));
    assert_eq!(peer.send(link, settled(), &[0; 11]), Err(SendError::TooLarge));
    assert_eq!(peer.server.credit(link), 10);
    peer.expect(&[]);
    peer.send(link, settled(), &[0; 10]).unwrap();
    peer.expect(&["0 transfer #0 id 0 10 bytes settled"]);
}

#[test]
fn outcomes_are_reported_once() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(receiver(0, "c2d"));
    peer.say(0, &credit(0, 0, 100));
    peer.send_all(link, 6);
    peer.events();
    peer.say(0, &disposition(1, 1, true, DeliveryState::Accepted));
    peer.say(0, &disposition(0, 2, true, DeliveryState::Released));
    peer.say(0, &disposition(0, 2, true, DeliveryState::Accepted));
    peer.say(0, &disposition(90, 99, true, DeliveryState::Accepted));
    let expected = [
        (vec![1], DeliveryState::Accepted, true),
        (vec![0, 2], DeliveryState::Released, true),
    ];
    assert_eq!(peer.outcomes(), expected);
    // The widest range there is means those that are there.
    peer.say(0, &disposition(0, u32::MAX, true, DeliveryState::Rejected(None)));
    assert_eq!(peer.outcomes(), [(vec![3, 4, 5], DeliveryState::Rejected(None), true)]);
    peer.expect(
        &[
            &["0 transfer #0 id 0 1 bytes"; 1][..],
            &[
                "0 transfer #0 id 1 1 bytes",
                "0 transfer #0 id 2 1 bytes",
                "0 transfer #0 id 3 1 bytes",
                "0 transfer #0 id 4 1 bytes",
                "0 transfer #0 id 5 1 bytes",
            ],
        ]
        .concat(),
    );
}

/// A client that settles what it sent itself says nothing about what we sent, though the ids are the same.
#[test]
fn the_peers_own_deliveries_are_not_ours() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(receiver(0, "c2d"));
    peer.say(0, &credit(0, 0, 100));
    peer.send_all(link, 1);
    peer.events();
    let Performative::Disposition(of_receiver) = disposition(0, 0, true, DeliveryState::Accepted) else {
        panic!("a disposition");
    };
    let of_sender = Disposition {
        role: Role::Sender,
        ..of_receiver.clone()
    };
    peer.say(0, &Performative::Disposition(of_sender));
    assert!(peer.events().is_empty());
    peer.say(0, &Performative::Disposition(of_receiver));
    assert_eq!(peer.outcomes(), [(vec![0], DeliveryState::Accepted, true)]);
}

/// Clients settle what was sent settled, too; nothing comes of it.
#[test]
fn settled_messages_have_no_outcome() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(receiver(0, "events"));
    peer.say(0, &credit(0, 0, 100));
    peer.send(link, settled(), b"").unwrap();
    peer.events();
    peer.say(0, &disposition(0, 0, true, DeliveryState::Accepted));
    assert!(peer.events().is_empty());
}

/// .NET receives in mode second: it names an outcome, waits, and learns whether it took.
#[test]
fn an_outcome_of_mode_second_is_confirmed() {
    let (mut peer, _) = Peer::with_session();
    let asked = Attach {
        rcv_settle_mode: Some(ReceiverSettleMode::Second),
        ..receiver(0, "c2d")
    };
    let link = peer.attach_accepted(asked);
    peer.say(0, &credit(0, 0, 100));
    let sent = peer.send_all(link, 2);
    peer.hear();
    peer.events();
    for _ in 0..3 {
        peer.say(0, &disposition(0, 1, false, DeliveryState::Accepted));
    }
    assert_eq!(
        peer.outcomes(),
        [(vec![0, 1], DeliveryState::Accepted, false)],
        "once, however often it is said"
    );
    peer.server.confirm(&sent[0], DeliveryState::Accepted).unwrap();
    peer.server.confirm(&sent[1], DeliveryState::Rejected(None)).unwrap();
    assert!(
        peer.server.confirm(&sent[1], DeliveryState::Accepted).is_err(),
        "settled already"
    );
    peer.expect(&[
        "0 disposition sender 0 accepted settled",
        "0 disposition sender 1 rejected settled",
    ]);
    peer.say(0, &disposition(0, 1, true, DeliveryState::Accepted));
    assert!(peer.events().is_empty());
}

/// One range over links in both modes: what is final is gone, what waits is there to be confirmed.
#[test]
fn a_range_over_links_in_both_modes() {
    let (mut peer, _) = Peer::with_session();
    let second = Attach {
        rcv_settle_mode: Some(ReceiverSettleMode::Second),
        ..receiver(1, "b")
    };
    let (first, second) = (peer.attach_accepted(receiver(0, "a")), peer.attach_accepted(second));
    peer.say(0, &credit(0, 0, 10));
    peer.say(0, &credit(1, 0, 10));
    peer.send_all(first, 1);
    let waiting = peer.send_all(second, 1);
    peer.send_all(first, 2);
    peer.events();
    peer.say(0, &disposition(0, 2, false, DeliveryState::Released));
    let expected = [
        (vec![1], DeliveryState::Released, false),
        (vec![0, 2], DeliveryState::Released, true),
    ];
    assert_eq!(peer.outcomes(), expected);
    peer.server.confirm(&waiting[0], DeliveryState::Released).unwrap();
    peer.say(0, &disposition(0, 9, true, DeliveryState::Accepted));
    assert_eq!(peer.outcomes(), [(vec![3], DeliveryState::Accepted, true)]);
}

/// In mode first an outcome is final, settled or not, and gets no answer: pyamqp would settle its own sends by it.
#[test]
fn an_outcome_of_mode_first_is_final() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(receiver(0, "c2d"));
    peer.say(0, &credit(0, 0, 100));
    peer.send_all(link, 1);
    peer.hear();
    peer.events();
    peer.say(
        0,
        &disposition(
            0,
            0,
            false,
            DeliveryState::Received {
                section_number: 0,
                section_offset: 1,
            },
        ),
    );
    assert!(peer.events().is_empty());
    peer.say(0, &disposition(0, 0, false, DeliveryState::Accepted));
    assert_eq!(peer.outcomes(), [(vec![0], DeliveryState::Accepted, true)]);
    peer.expect(&[]);
}

#[test]
fn credit_is_drained_when_asked() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(receiver(0, "a"));
    let drain = LinkFlow {
        handle: 0,
        delivery_count: Some(0),
        link_credit: Some(5),
        available: None,
        drain: true,
    };
    peer.say(
        0,
        &Performative::Flow(Flow {
            link: Some(drain),
            ..window(1, 2048)
        }),
    );
    assert!(matches!(peer.events()[..], [Event::Credit { drain: true, .. }]));
    peer.send(link, settled(), b"last").unwrap();
    peer.server.drained(link).unwrap();
    peer.server.drained(link).unwrap();
    peer.expect(&["0 transfer #0 id 0 4 bytes settled", "0 flow #0 count 5 credit 0 drain"]);
    assert_eq!(peer.send(link, settled(), b"m"), Err(SendError::NoCredit));
    peer.say(0, &credit(0, 5, 1));
    assert!(peer.server.can_send(link));
}

#[test]
fn a_full_output_says_so() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach_accepted(receiver(0, "a"));
    peer.say(0, &credit(0, 0, 1000));
    let mut sent = 0;
    while peer.server.can_send(link) {
        peer.send(link, settled(), &[0; 10_000]).unwrap();
        sent += 1;
    }
    assert_eq!(sent, 7, "64 KiB are passed by the seventh");
    assert_eq!(peer.send(link, settled(), b""), Err(SendError::Busy));
    peer.server.handle_written(20_000, peer.now);
    assert!(peer.server.can_send(link));
}

#[test]
fn unsettled_messages_are_bounded() {
    let huge = Begin {
        incoming_window: u32::MAX,
        ..begin()
    };
    let (mut peer, _) = Peer::with_session_of(&open(), &huge);
    let link = peer.attach_accepted(receiver(0, "a"));
    let Performative::Flow(flow) = credit(0, 0, u32::MAX) else {
        panic!("a flow")
    };
    peer.say(
        0,
        &Performative::Flow(Flow {
            incoming_window: u32::MAX,
            ..flow
        }),
    );
    let mut sent = 0;
    while peer.send(link, unsettled(), b"").is_ok() {
        peer.hear();
        sent += 1;
    }
    assert_eq!(sent, ironhub_amqp::limits::UNSETTLED_SENT_MAX);
    assert_eq!(peer.send(link, unsettled(), b""), Err(SendError::Busy));
}
