//! Heartbeats and silence. Time is an argument.

use std::time::Duration;

use ironhub_amqp::connection::{Event, Outgoing};
use ironhub_amqp::performative::{DeliveryTag, Open, Performative};

use crate::peer::{AMQP, Peer, begin, credit, open, receiver};

const MINUTE: Duration = Duration::from_mins(1);

fn with_time_out(idle_time_out_ms: Option<u32>) -> Peer {
    let (peer, _) = Peer::with_session_of(
        &Open {
            idle_time_out_ms,
            ..open()
        },
        &begin(),
    );
    peer
}

/// @azure/event-hubs announces a minute.
#[test]
fn an_empty_frame_after_half_of_the_peers_time() {
    let mut peer = with_time_out(Some(60_000));
    assert_eq!(peer.server.poll_timeout(), Some(peer.now + MINUTE / 2));
    peer.server
        .handle_timeout(peer.now + (MINUTE / 2).saturating_sub(Duration::from_millis(1)));
    peer.expect(&[]);
    peer.now += MINUTE / 2;
    peer.server.handle_timeout(peer.now);
    peer.expect(&["heartbeat"]);
    assert_eq!(peer.server.poll_timeout(), Some(peer.now + MINUTE / 2));
}

#[test]
fn whatever_was_sent_counts() {
    let mut peer = with_time_out(Some(60_000));
    let link = peer.attach_accepted(receiver(0, "a"));
    peer.say(0, &credit(0, 0, 1));
    peer.now += MINUTE / 3;
    let outgoing = Outgoing {
        tag: DeliveryTag::counted(0),
        message_format: 0,
        settled: true,
    };
    peer.server.send(link, outgoing, |_| ()).unwrap();
    peer.expect(&["0 transfer #0 id 0 0 bytes settled"]);
    assert_eq!(peer.server.poll_timeout(), Some(peer.now + MINUTE / 2));
}

#[test]
fn a_write_of_nothing_does_not_count() {
    let mut peer = with_time_out(Some(60_000));
    let due = peer.server.poll_timeout();
    peer.server.handle_written(0, peer.now + MINUTE);
    assert_eq!(peer.server.poll_timeout(), due);
}

#[test]
fn no_heartbeat_for_a_peer_that_wants_none() {
    for idle_time_out_ms in [None, Some(0)] {
        let peer = with_time_out(idle_time_out_ms);
        assert_eq!(
            peer.server.poll_timeout(),
            Some(peer.now + 8 * MINUTE),
            "only its own silence is watched"
        );
    }
    // One millisecond would keep us busy with nothing else.
    let peer = with_time_out(Some(1));
    assert_eq!(peer.server.poll_timeout(), Some(peer.now + Duration::from_millis(100)));
}

#[test]
fn a_silent_peer_is_given_up_after_twice_our_time() {
    let mut peer = with_time_out(None);
    peer.now += 7 * MINUTE;
    peer.say_bytes(b"\0\0\0\x08\x02\0\0\0");
    peer.server
        .handle_timeout(peer.now + (8 * MINUTE).saturating_sub(Duration::from_millis(1)));
    peer.expect(&[]);
    peer.server.handle_timeout(peer.now + 8 * MINUTE);
    peer.expect(&["0 close amqp:connection:forced"]);
    assert!(matches!(&peer.events()[..], [Event::Closed { error: Some(_) }]));
    assert!(peer.server.is_finished());
    assert_eq!(peer.server.poll_timeout(), None);
}

#[test]
fn a_peer_is_not_silent_while_nobody_listens() {
    let mut peer = with_time_out(None);
    peer.server.handle_pause(peer.now + 5 * MINUTE);
    assert_eq!(peer.server.poll_timeout(), Some(peer.now + 13 * MINUTE));
}

#[test]
fn a_peer_that_never_opens_is_given_up() {
    let mut peer = Peer::new();
    peer.say_bytes(AMQP);
    peer.hear();
    peer.say(0, &Performative::Open(open()));
    peer.server.handle_timeout(peer.now + 8 * MINUTE);
    assert!(peer.server.is_finished());
}
