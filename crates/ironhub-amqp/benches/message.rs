//! Cost of writing and reading one event: 200 B body, nine annotations, properties, one application property.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ironhub_amqp::message::{self, BareMessage, Message, MessageId, Properties, annotations};
use ironhub_amqp::types::Value;

fn write_bare(out: &mut Vec<u8>) {
    message::write_properties(
        out,
        &Properties {
            message_id: Some(MessageId::String("0f8fad5b-d9cb-469f-a165-70867728950e")),
            content_type: Some("application/json"),
            content_encoding: Some("utf-8"),
            ..Properties::default()
        },
    );
    message::write_application_properties(out, [("alert", Value::String("true"))]);
    message::write_data(out, &[b'x'; 200]);
}

fn write_stored_annotations(out: &mut Vec<u8>) -> usize {
    annotations::push_entry(out, "iothub-connection-device-id", "device-0001");
    annotations::push_entry(
        out,
        "iothub-connection-auth-method",
        r#"{"scope":"device","type":"sas","issuer":"iothub"}"#,
    );
    annotations::push_entry(out, "iothub-connection-auth-generation-id", "638000000000000000");
    annotations::push_entry(out, "iothub-enqueuedtime", Value::Timestamp(1_700_000_000_000));
    annotations::push_entry(out, "iothub-message-source", "Telemetry");
    5
}

fn write_delivery(out: &mut Vec<u8>, stored: &[u8], pairs: usize, bare: &[u8]) {
    annotations::write_message_annotations(out, |map| {
        map.push("x-opt-sequence-number", 123_456i64);
        map.push("x-opt-offset", "123456");
        map.push("x-opt-enqueued-time", Value::Timestamp(1_700_000_000_000));
        map.push("x-opt-partition-key", "device-0001");
        map.push_encoded(pairs, stored);
    });
    out.extend_from_slice(bare);
}

fn benches(criterion: &mut Criterion) {
    let (mut stored, mut bare, mut delivery) = (Vec::new(), Vec::new(), Vec::new());
    let pairs = write_stored_annotations(&mut stored);
    write_bare(&mut bare);
    write_delivery(&mut delivery, &stored, pairs, &bare);

    let mut out = Vec::with_capacity(4096);
    criterion.bench_function("message/write bare", |b| {
        b.iter(|| {
            out.clear();
            write_bare(&mut out);
            black_box(out.len())
        });
    });
    criterion.bench_function("message/write delivery from stored form", |b| {
        b.iter(|| {
            out.clear();
            write_delivery(&mut out, &stored, pairs, &bare);
            black_box(out.len())
        });
    });
    criterion.bench_function("message/read bare", |b| {
        b.iter(|| BareMessage::parse(black_box(&bare)).map(|message| message.application_properties.len()));
    });
    criterion.bench_function("message/read whole", |b| {
        b.iter(|| Message::parse(black_box(&delivery)).map(|message| message.message_annotations.len()));
    });
}

criterion_group!(group, benches);
criterion_main!(group);
