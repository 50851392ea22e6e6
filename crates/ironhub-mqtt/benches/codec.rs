//! What a message costs before anyone looks at its meaning: QoS 1, a topic of 91 characters, 200 bytes of payload.

use std::hint::black_box;

use bytes::{Buf, BytesMut};
use criterion::{Criterion, Throughput};
use ironhub_mqtt::codec::Frame;
use ironhub_mqtt::connection::{Connection, Event};
use ironhub_mqtt::packet::{Connect, Delivery, Packet, PacketId, PublishRef, encode_connect, encode_publish};
use ironhub_mqtt::{DecodeLimits, decode};

const TOPIC: &str = "devices/device-000001/messages/events/%24.mid=0123456789&%24.ct=application%2Fjson&%24.ce=u";
const _: () = assert!(TOPIC.len() == 91);
const PAYLOAD: [u8; 200] = [b'7'; 200];
/// What one read of a busy socket brings.
const CHUNK_BYTES: usize = 64 * 1024;
const LIMITS: DecodeLimits = DecodeLimits::CONNECTED;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    encode(&mut criterion);
    decode_one(&mut criterion);
    decode_chunk(&mut criterion);
    criterion.final_summary();
}

fn publish() -> PublishRef<'static> {
    let delivery = Delivery::AtLeastOnce {
        packet_id: PacketId::MIN,
        dup: false,
    };
    PublishRef {
        topic: TOPIC,
        payload: &PAYLOAD,
        delivery,
        retain: false,
    }
}

fn append(out: &mut BytesMut) {
    assert!(encode_publish(out, &publish()).is_ok());
}

fn encode(criterion: &mut Criterion) {
    let mut out = BytesMut::with_capacity(1024);
    criterion.bench_function("encode_publish", |bencher| {
        bencher.iter(|| {
            out.clear();
            let _ = black_box(encode_publish(&mut out, black_box(&publish())));
        });
    });
}

fn decode_one(criterion: &mut Criterion) {
    let mut wire = BytesMut::new();
    append(&mut wire);
    criterion.bench_function("decode_publish_borrowed", |bencher| {
        bencher.iter(|| {
            let Ok(Some(frame)) = Frame::parse(black_box(&wire), &LIMITS) else {
                panic!("a whole frame")
            };
            black_box(frame.decode(&LIMITS).is_ok())
        });
    });
}

fn decode_chunk(criterion: &mut Criterion) {
    let mut chunk = BytesMut::new();
    let mut count = 0;
    while chunk.len() < CHUNK_BYTES {
        append(&mut chunk);
        count += 1;
    }
    let mut group = criterion.benchmark_group("decode_chunk_of_64_kib");
    group.throughput(Throughput::Elements(count));
    group.bench_function("borrowed", |bencher| {
        let mut connection = open_connection();
        bencher.iter(|| {
            assert_eq!(read_borrowed(&mut connection, black_box(&chunk)), count);
        });
    });
    // The copy into a buffer of its own stands for the read from the socket.
    group.bench_function("owned", |bencher| {
        bencher.iter(|| assert_eq!(read_owned(BytesMut::from(&chunk[..])), count));
    });
    group.finish();
}

fn open_connection() -> Connection {
    let mut connection = Connection::new(LIMITS);
    let (mut wire, mut out) = (BytesMut::new(), BytesMut::new());
    let connect = Connect {
        client_id: "d".into(),
        clean_session: true,
        keep_alive_s: 0,
        will: None,
        login: None,
    };
    assert!(encode_connect(&mut wire, &connect).is_ok());
    assert!(connection.handle_input(&wire).is_ok());
    connection.accept(false, &mut out);
    connection
}

fn read_borrowed(connection: &mut Connection, mut input: &[u8]) -> u64 {
    let mut count = 0;
    while let Ok(Some((event, bytes))) = connection.handle_input(input) {
        count += u64::from(matches!(black_box(event), Event::Publish(_)));
        input.advance(bytes);
    }
    count
}

fn read_owned(mut input: BytesMut) -> u64 {
    let mut count = 0;
    while let Ok(Some(packet)) = decode(&mut input, &LIMITS) {
        count += u64::from(matches!(black_box(packet), Packet::Publish(_)));
    }
    count
}
