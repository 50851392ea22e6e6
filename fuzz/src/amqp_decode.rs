//! Everything of AMQP that is read from bytes. What was read can be written, and reads as the same again.

use ironhub_amqp::frame;
use ironhub_amqp::limits::FRAME_BYTES_MAX;
use ironhub_amqp::message::{BareMessage, Body, Message, Sections, append_bare, batch};
use ironhub_amqp::performative::Performative;
use ironhub_amqp::request::Request;
use ironhub_amqp::sasl::{Credentials, SaslFrame};
use ironhub_amqp::types::{Decoder, encode};

pub(crate) fn run(data: &[u8]) {
    values(data);
    performative(data);
    sasl(data);
    message(data);
    if let Ok(Some((frame, len))) = frame::first(data, FRAME_BYTES_MAX) {
        assert!(len <= data.len() && frame.body.len() < len);
        performative(frame.body);
        sasl(frame.body);
    }
}

fn values(data: &[u8]) {
    let mut decoder = Decoder::new(data);
    while !decoder.is_empty() {
        let Ok(value) = decoder.value() else { return };
        let mut once = Vec::new();
        encode::value(&mut once, value);
        let again = Decoder::new(&once).value().expect("what was written is read");
        let mut twice = Vec::new();
        encode::value(&mut twice, again);
        assert_eq!(once, twice);
    }
}

fn performative(body: &[u8]) {
    let Ok((performative, payload)) = Performative::read(body) else {
        return;
    };
    assert!(payload.len() < body.len());
    let mut once = Vec::new();
    performative.write(&mut once);
    let (again, rest) = Performative::read(&once).expect("what was written is read");
    assert!(rest.is_empty());
    let mut twice = Vec::new();
    again.write(&mut twice);
    assert_eq!(once, twice);
}

fn sasl(body: &[u8]) {
    let Ok(frame) = SaslFrame::read(body) else { return };
    let mut once = Vec::new();
    frame.write(&mut once);
    let (again, _) = frame::first(&once, FRAME_BYTES_MAX)
        .expect("what was written is a frame")
        .expect("a whole one");
    let mut twice = Vec::new();
    SaslFrame::read(again.body)
        .expect("what was written is read")
        .write(&mut twice);
    assert_eq!(once, twice);
    if let SaslFrame::Init {
        mechanism,
        initial_response,
        ..
    } = &frame
        && let Some(credentials) = Credentials::read(mechanism, initial_response)
    {
        let (name, response) = credentials.to_response();
        assert_eq!(Credentials::read(name, &response), Some(credentials));
    }
}

fn message(data: &[u8]) {
    for section in Sections::new(data) {
        let Ok(section) = section else { break };
        assert!(section.encoded.len() <= data.len());
    }
    for inner in batch::messages(data) {
        let Ok(inner) = inner else { break };
        assert!(inner.len() <= data.len());
    }
    let _ = Request::return_address(data);
    let Ok(message) = Message::parse(data) else {
        assert!(Request::read(data).is_err());
        return;
    };
    let mut bare = Vec::new();
    append_bare(&mut bare, data).expect("a message that parses has a bare part");
    let again = Message::parse(&bare).expect("a bare message is a message");
    assert_eq!(again.bare.properties, message.bare.properties);
    assert_eq!(told(&again.bare), told(&message.bare));
    let mut twice = Vec::new();
    append_bare(&mut twice, &bare).expect("a bare message has a bare part");
    assert_eq!(bare, twice);
}

/// What a bare message says, wherever in the received bytes it says so.
fn told(bare: &BareMessage<'_>) -> String {
    let body = match &bare.body {
        Body::Empty => "nothing".to_owned(),
        Body::Value(value) => format!("{value:?}"),
        Body::Data(sections) => format!("{:?}", sections.clone().collect::<Vec<_>>()),
        Body::Sequence(sections) => format!("{:?}", sections.clone().collect::<Vec<_>>()),
    };
    format!("{:?} {body}", bare.application_properties)
}
