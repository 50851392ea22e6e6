//! Headers, authentication, opening, refusing, ending.

use ironhub_amqp::connection::Event;
use ironhub_amqp::frame::FrameKind;
use ironhub_amqp::performative::{
    AmqpError, Attach, Close, Detach, End, Performative, ReceiverSettleMode, Role, Target, condition,
};
use ironhub_amqp::sasl::{Credentials, SaslFrame};
use ironhub_amqp::types::Encoded;

use crate::peer::{AMQP, Peer, SASL, begin, encoded, open, receiver, sender};

fn init(mechanism: &str, response: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mechanism, initial_response) = (mechanism.to_owned(), response.to_owned());
    SaslFrame::Init {
        mechanism,
        initial_response,
        hostname: Some("hub".into()),
    }
    .write(&mut out);
    out
}

/// Node device and service, .NET, X.509 devices: no SASL at all.
#[test]
fn without_sasl() {
    let mut peer = Peer::new();
    peer.say_bytes(AMQP);
    peer.say(0, &Performative::Open(open()));
    peer.say(0, &Performative::Begin(begin()));
    peer.expect(&["AMQP", "0 open ironhub", "0 begin for 0"]);
    let events = peer.events();
    assert!(matches!(&events[..], [Event::Opened(open), Event::Begun(_)] if open.container_id == "client"));
}

/// azure-eventhub for Python sends everything up to both `$cbs` links with its SASL choice, on channel 1.
#[test]
fn pipelined_behind_sasl() {
    let mut peer = Peer::new();
    peer.say_bytes(SASL);
    peer.expect(&["SASL", "mechanisms EXTERNAL MSSBCBS ANONYMOUS PLAIN"]);
    let mut bytes = [&init("ANONYMOUS", b"")[..], AMQP].concat();
    bytes.extend(encoded(0, &Performative::Open(open()), b""));
    bytes.extend(encoded(1, &Performative::Begin(begin()), b""));
    bytes.extend(encoded(1, &Performative::Attach(Box::new(sender(2, "$cbs"))), b""));
    bytes.extend(encoded(1, &Performative::Attach(Box::new(receiver(1, "$cbs"))), b""));
    peer.say_bytes(&bytes);

    peer.expect(&[]);
    let events = peer.events();
    let [
        Event::Authenticate {
            credentials: Credentials::Anonymous,
            hostname: Some(hostname),
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(hostname, "hub");
    assert!(!peer.server.wants_input());

    peer.server.decide_sasl(true);
    peer.expect(&["outcome Ok", "AMQP", "0 open ironhub", "0 begin for 1"]);
    let links: Vec<_> = peer
        .events()
        .into_iter()
        .filter(|event| matches!(event, Event::Attach { .. }))
        .collect();
    for event in links {
        let Event::Attach { link, attach, .. } = event else {
            continue;
        };
        peer.server.accept(link, attach.answer()).unwrap();
    }
    peer.expect(&["0 attach #0 receiver  -> $cbs", "0 attach #1 sender $cbs -> "]);
}

#[test]
fn refused_credentials_end_the_connection() {
    let refused = ["SASL", "mechanisms EXTERNAL MSSBCBS ANONYMOUS PLAIN", "outcome Auth"];
    for (mechanism, response) in [("SCRAM-SHA-256", &b"n,,"[..]), ("PLAIN", b"no separators")] {
        let mut peer = Peer::new();
        peer.say_bytes(&[SASL, &init(mechanism, response)].concat());
        peer.expect(&refused);
        assert!(peer.server.is_finished() && peer.events().is_empty(), "{mechanism}");
    }

    let mut peer = Peer::new();
    peer.say_bytes(&[SASL, &init("PLAIN", b"\0policy@sas.root.hub\0token"), AMQP].concat());
    assert!(
        matches!(&peer.events()[..], [Event::Authenticate { credentials: Credentials::Plain { user, .. }, .. }]
        if user == "policy@sas.root.hub")
    );
    peer.server.decide_sasl(false);
    peer.expect(&refused);
    assert!(peer.server.is_finished());
}

#[test]
fn every_split_of_the_input_is_the_same_conversation() {
    let mut bytes = [SASL, &init("MSSBCBS", b""), AMQP].concat();
    bytes.extend(encoded(0, &Performative::Open(open()), b""));
    bytes.extend(encoded(0, &Performative::Begin(begin()), b""));
    let expected = {
        let mut peer = Peer::new();
        peer.say_bytes(&bytes);
        peer.server.decide_sasl(true);
        peer.hear()
    };
    assert_eq!(expected.len(), 6);
    for split in 1..bytes.len() {
        let mut peer = Peer::new();
        for part in [&bytes[..split], &bytes[split..]] {
            peer.say_bytes(part);
            peer.server.decide_sasl(true);
        }
        assert_eq!(peer.hear(), expected, "split at {split}");
    }
}

/// The golden bytes of an answer to uamqp's `$cbs` sender: nothing but what the client asked, and a size.
#[test]
fn an_answer_echoes_what_was_asked() {
    let attach = Attach {
        properties: Encoded::map(|map| {
            map.push_symbol("com.microsoft:client-version");
            map.push("py/1");
        }),
        desired_capabilities: Encoded::symbols(["x"]),
        rcv_settle_mode: Some(ReceiverSettleMode::Second),
        ..sender(7, "/devices/d/messages/events")
    };
    let answer = attach.answer();
    assert_eq!(answer.role, Role::Receiver);
    assert_eq!((answer.target, answer.source), (attach.target, attach.source));
    assert_eq!(
        answer.rcv_settle_mode,
        Some(ReceiverSettleMode::First),
        "uamqp stalls when second is granted"
    );
    assert_eq!(
        answer.properties.entry("com.microsoft:client-version"),
        Some("py/1".into())
    );
    assert_eq!(
        (answer.max_message_size, answer.initial_delivery_count),
        (Some(1 << 20), None)
    );
    assert!(answer.desired_capabilities.is_null() && answer.offered_capabilities.is_null());
}

#[test]
fn a_refusal_is_an_attach_without_ends_and_a_detach_that_is_not_answered_twice() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach(receiver(4, "messages/events/$management"));
    let error = AmqpError {
        description: None,
        ..AmqpError::new(condition::LINK_REDIRECT, "")
    };
    peer.server.refuse(link, error).unwrap();
    peer.expect(&["0 attach #0 sender null -> null", "0 detach #0 amqp:link:redirect"]);

    peer.say(0, &crate::peer::credit(4, 0, 100)); // Late, and of no interest.
    peer.say(
        0,
        &Performative::Detach(Detach {
            handle: 4,
            closed: true,
            error: None,
        }),
    );
    peer.expect(&[]);
    assert!(peer.events().is_empty());
    assert!(peer.server.accept(link, receiver(4, "x").answer()).is_err());

    // The handles are free again.
    let again = peer.attach(receiver(4, "elsewhere"));
    peer.server.accept(again, receiver(4, "elsewhere").answer()).unwrap();
    peer.expect(&["0 attach #0 sender elsewhere -> "]);
}

#[test]
fn an_accepted_link_has_both_ends() {
    let (mut peer, _) = Peer::with_session();
    let asked = Attach {
        target: None,
        ..receiver(0, "$cbs")
    };
    let link = peer.attach(asked.clone());
    peer.server
        .accept(
            link,
            Attach {
                target: None,
                ..asked.answer()
            },
        )
        .unwrap();
    peer.expect(&["0 attach #0 sender $cbs -> "]);
}

#[test]
fn the_client_detaches_ends_and_closes() {
    let (mut peer, session) = Peer::with_session();
    let link = peer.attach_accepted(sender(3, "a"));
    let other = peer.attach_accepted(sender(5, "b"));
    peer.say(
        0,
        &Performative::Detach(Detach {
            handle: 3,
            closed: true,
            error: None,
        }),
    );
    peer.expect(&["0 detach #0"]);
    assert!(matches!(peer.events()[..], [Event::Detached { link: detached, error: None }] if detached == link));

    peer.say(0, &Performative::End(End::default()));
    peer.expect(&["0 end"]);
    let events = peer.events();
    assert!(
        matches!(events[..], [Event::Detached { link, .. }, Event::Ended { session: ended, .. }]
        if link == other && ended == session)
    );

    // azure-eventhub detaches its links after it has ended their session.
    peer.say(
        0,
        &Performative::Detach(Detach {
            handle: 5,
            closed: true,
            error: None,
        }),
    );
    peer.expect(&[]);

    let error = AmqpError::new(condition::CONNECTION_FORCED, "bye");
    peer.say(
        0,
        &Performative::Close(Close {
            error: Some(error.clone()),
        }),
    );
    peer.expect(&["0 close"]);
    assert!(matches!(&peer.events()[..], [Event::Closed { error: Some(reason) }] if *reason == error));
    assert!(peer.server.is_finished());
}

#[test]
fn the_client_gives_up_a_link_before_it_is_answered() {
    let (mut peer, _) = Peer::with_session();
    let link = peer.attach(sender(0, "slow"));
    peer.say(
        0,
        &Performative::Detach(Detach {
            handle: 0,
            closed: true,
            error: None,
        }),
    );
    peer.expect(&["0 attach #0 receiver null -> null", "0 detach #0"]);
    assert!(matches!(peer.events()[..], [Event::Detached { link: gone, .. }] if gone == link));
    assert!(peer.server.accept(link, sender(0, "slow").answer()).is_err());
}

#[test]
fn the_server_ends_and_closes() {
    let (mut peer, session) = Peer::with_session();
    let link = peer.attach_accepted(sender(0, "a"));
    peer.server
        .end(session, Some(AmqpError::new(condition::INTERNAL_ERROR, "")))
        .unwrap();
    peer.expect(&["0 end amqp:internal-error"]);
    assert!(peer.server.detach(link, None).is_err());
    peer.say_transfer(crate::peer::transfer(0, 0), b"late");
    peer.say(0, &Performative::Attach(Box::new(sender(1, "late"))));
    peer.say(0, &Performative::End(End::default()));
    peer.expect(&[]);
    assert!(peer.events().is_empty());
    peer.say(0, &Performative::Begin(begin()));
    peer.expect(&["0 begin for 0"]);

    peer.server
        .close(Some(AmqpError::new(condition::CONNECTION_FORCED, "drain")));
    peer.expect(&["0 close amqp:connection:forced"]);
    peer.say(0, &Performative::Begin(begin()));
    assert!(!peer.server.is_finished());
    peer.say(0, &Performative::Close(Close::default()));
    peer.expect(&[]);
    assert!(peer.server.is_finished());
}

#[test]
fn wrong_headers() {
    for bytes in [
        &b"GET / HT"[..],
        b"AMQP\x02\x01\x00\x00",
        b"AMQP\x00\x00\x09\x01",
        &[0; 8],
    ] {
        let mut peer = Peer::new();
        peer.say_bytes(bytes);
        peer.expect(&["SASL"]);
        assert!(peer.server.is_finished(), "{bytes:?}");
    }
    let mut peer = Peer::new();
    peer.say_bytes(&[SASL, &init("ANONYMOUS", b""), SASL].concat());
    peer.server.decide_sasl(true);
    assert_eq!(peer.hear().last().unwrap(), "SASL", "SASL twice");
    assert!(peer.server.is_finished());
}

#[test]
fn frames_of_the_wrong_kind() {
    let mut peer = Peer::new();
    peer.say_bytes(&[SASL, &encoded(0, &Performative::Open(open()), b"")].concat());
    assert!(peer.server.is_finished());

    let mut sasl = Vec::new();
    ironhub_amqp::frame::write(&mut sasl, FrameKind::Sasl, 0, |_| ());
    let mut peer = Peer::new();
    peer.say_bytes(&[AMQP, &sasl].concat());
    peer.expect(&["AMQP", "0 open ironhub", "0 close amqp:connection:framing-error"]);

    let mut peer = Peer::new();
    peer.say_bytes(AMQP);
    peer.say(0, &Performative::Begin(begin()));
    peer.expect(&["AMQP", "0 open ironhub", "0 close amqp:not-allowed"]);
}

#[test]
fn several_sessions_have_several_channels() {
    let (mut peer, _) = Peer::with_session();
    peer.say(9, &Performative::Begin(begin()));
    peer.expect(&["1 begin for 9"]);
    let mut attach = sender(0, "x");
    attach.target = Some(Target::at("x"));
    peer.say(9, &Performative::Attach(Box::new(attach.clone())));
    let link = peer.attached();
    peer.server.accept(link, attach.answer()).unwrap();
    peer.expect(&["1 attach #0 receiver  -> x"]);
}
