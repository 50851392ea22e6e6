//! Requests and replies on `$cbs`, as the SDKs attach and ask.

use ironhub_amqp::connection::{Event, LinkId, SessionId};
use ironhub_amqp::limits::{OUTPUT_BYTES_HIGH, REPLIES_HELD_MAX};
use ironhub_amqp::performative::{Attach, Detach, Flow, Performative, Target};
use ironhub_amqp::request::{ReplyError, Responder};

use crate::peer::{Peer, begin, credit, receiver, sender, transfer, window};

/// A client with a sending link and the given receiving links on one session.
fn asking(receivers: &[Attach]) -> (Peer, Responder) {
    let (mut peer, session) = Peer::with_session();
    let mut responder = Responder::default();
    peer.attach_accepted(sender(100, "$cbs"));
    for attach in receivers {
        let link = peer.attach_accepted(attach.clone());
        responder.handle_attached(session, link, attach);
    }
    (peer, responder)
}

fn receiver_with(handle: u32, name: &str, target: Option<&str>) -> Attach {
    let target = Target {
        address: target.map(str::to_owned),
        ..Target::default()
    };
    Attach {
        name: name.into(),
        target: Some(target),
        ..receiver(handle, "$cbs")
    }
}

fn ask(peer: &mut Peer, responder: &mut Responder, id: u32, reply_to: Option<&str>) -> Result<(), ReplyError> {
    peer.say_transfer(transfer(100, id), b"request");
    let [request] = &peer.deliveries()[..] else {
        panic!("one request")
    };
    responder.reply(&mut peer.server, request.receipt, reply_to, b"reply".to_vec())
}

fn grant(peer: &mut Peer, responder: &mut Responder, handle: u32, link_credit: u32) {
    peer.say(0, &credit(handle, 0, link_credit));
    for event in peer.events() {
        if let Event::Credit { .. } = event {
            responder.send_held(&mut peer.server);
        }
    }
}

/// uamqp: the request comes before there is credit for the reply, and must be seen accepted before the reply.
#[test]
fn a_reply_waits_for_credit_behind_the_disposition() {
    let (mut peer, mut responder) = asking(&[receiver_with(1, "$cbs-receiver", Some("$cbs"))]);
    ask(&mut peer, &mut responder, 0, None).unwrap();
    ask(&mut peer, &mut responder, 1, None).unwrap();
    peer.expect(&[
        "0 disposition receiver 0 accepted settled",
        "0 disposition receiver 1 accepted settled",
    ]);
    grant(&mut peer, &mut responder, 1, 1);
    peer.expect(&["0 transfer #1 id 0 5 bytes settled"]);
    peer.say(0, &credit(1, 1, 10));
    ask(&mut peer, &mut responder, 2, None).unwrap();
    peer.expect(&["0 disposition receiver 2 accepted settled"]);
    grant(&mut peer, &mut responder, 1, 10);
    peer.expect(&[
        "0 transfer #1 id 1 5 bytes settled",
        "0 transfer #1 id 2 5 bytes settled",
    ]);
    ask(&mut peer, &mut responder, 3, None).unwrap();
    peer.expect(&[
        "0 disposition receiver 3 accepted settled",
        "0 transfer #1 id 3 5 bytes settled",
    ]);
}

/// A reply that found the output full goes when some of it was written.
#[test]
fn a_reply_waits_for_room() {
    let (mut peer, mut responder) = asking(&[receiver_with(1, "a", None)]);
    grant(&mut peer, &mut responder, 1, 100);
    while peer.server.output().len() < OUTPUT_BYTES_HIGH {
        peer.say(
            0,
            &Performative::Flow(Flow {
                echo: true,
                ..window(1, 2048)
            }),
        );
    }
    ask(&mut peer, &mut responder, 0, None).unwrap();
    responder.send_held(&mut peer.server);
    assert!(!peer.hear().iter().any(|line| line.contains("transfer")));
    responder.send_held(&mut peer.server);
    peer.expect(&["0 transfer #1 id 0 5 bytes settled"]);
}

#[test]
fn a_reply_finds_its_link() {
    #[track_caller]
    fn check(reply_to: Option<&str>, expected_handle: u32) {
        let receivers = [
            receiver_with(1, "first", Some("guid")),
            receiver_with(2, "second", None),
            receiver_with(3, "third", None),
        ];
        let (mut peer, mut responder) = asking(&receivers);
        for handle in 1..4 {
            grant(&mut peer, &mut responder, handle, 10);
        }
        ask(&mut peer, &mut responder, 0, reply_to).unwrap();
        let expected = format!("0 transfer #{expected_handle} id 0 5 bytes settled");
        peer.expect(&["0 disposition receiver 0 accepted settled", &expected]);
    }
    check(Some("guid"), 1); // .NET, amqp10: the target address.
    check(Some("second"), 2); // The JavaScript Event Hubs SDKs: the link's name.
    check(Some("cbs"), 3); // Node: neither; then the newest.
    check(None, 3);
}

#[test]
fn a_reply_stays_in_its_session() {
    let (mut peer, mut responder) = asking(&[receiver_with(1, "a", Some("cbs"))]);
    peer.say(5, &Performative::Begin(begin()));
    let session = session_of(&mut peer);
    peer.say(5, &Performative::Attach(Box::new(receiver_with(0, "b", Some("cbs")))));
    let other = accept(&mut peer, &receiver_with(0, "b", Some("cbs")));
    responder.handle_attached(session, other, &receiver_with(0, "b", Some("cbs")));
    peer.hear();
    grant(&mut peer, &mut responder, 1, 1);
    ask(&mut peer, &mut responder, 0, Some("cbs")).unwrap();
    peer.expect(&[
        "0 disposition receiver 0 accepted settled",
        "0 transfer #1 id 0 5 bytes settled",
    ]);
}

fn session_of(peer: &mut Peer) -> SessionId {
    let mut events = peer.events().into_iter();
    events
        .find_map(|event| {
            if let Event::Begun(session) = event {
                Some(session)
            } else {
                None
            }
        })
        .expect("a session")
}

fn accept(peer: &mut Peer, attach: &Attach) -> LinkId {
    let link = peer.attached();
    peer.server.accept(link, attach.answer()).unwrap();
    link
}

#[test]
fn a_reply_to_nobody_is_dropped() {
    let (mut peer, mut responder) = asking(&[]);
    assert_eq!(ask(&mut peer, &mut responder, 0, None), Err(ReplyError::NoLink));
    peer.expect(&["0 disposition receiver 0 accepted settled"]);

    let (mut peer, mut responder) = asking(&[receiver_with(1, "a", None)]);
    ask(&mut peer, &mut responder, 0, None).unwrap();
    peer.say(
        0,
        &Performative::Detach(Detach {
            handle: 1,
            closed: true,
            error: None,
        }),
    );
    let Some(Event::Detached { link, .. }) = peer.events().pop() else {
        panic!("a detach")
    };
    responder.handle_detached(link);
    assert_eq!(ask(&mut peer, &mut responder, 1, None), Err(ReplyError::NoLink));
}

#[test]
fn held_replies_are_bounded() {
    let (mut peer, mut responder) = asking(&[receiver_with(1, "a", None)]);
    for id in 0..u32::try_from(REPLIES_HELD_MAX).unwrap() {
        ask(&mut peer, &mut responder, id, None).unwrap();
    }
    assert_eq!(ask(&mut peer, &mut responder, 999, None), Err(ReplyError::TooManyHeld));
}
