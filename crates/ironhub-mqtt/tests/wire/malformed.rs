//! What must be refused, and by which name.

use bytes::BytesMut;
use ironhub_mqtt::codec::FixedHeader;
use ironhub_mqtt::{DecodeLimits, decode};

use crate::decoding::decode_all;
use crate::notation::bytes;

#[track_caller]
fn check(notation: &str, reason: &str) {
    match decode_all(&bytes(notation)) {
        Err(error) => assert_eq!(error.reason(), reason, "{notation}: {error}"),
        Ok(packet) => panic!("{notation} was accepted: {packet:?}"),
    }
}

#[test]
fn fixed_header() {
    check("00 00", "packet_type");
    check("f0 00", "packet_type");
    check("11 * <MQTT> 04 00 003c <d>", "fixed_header_flags");
    check("21 02 00 00", "fixed_header_flags");
    check("41 02 0001", "fixed_header_flags");
    check("52 02 0001", "fixed_header_flags");
    check("60 02 0001", "fixed_header_flags");
    check("71 02 0001", "fixed_header_flags");
    check("80 * 0001 <a> 00", "fixed_header_flags");
    check("8a * 0001 <a> 00", "fixed_header_flags");
    check("92 03 0001 00", "fixed_header_flags");
    check("a0 * 0001 <a>", "fixed_header_flags");
    check("b2 02 0001", "fixed_header_flags");
    check("c1 00", "fixed_header_flags");
    check("d8 00", "fixed_header_flags");
    check("e4 00", "fixed_header_flags");
    check("30 80808080", "remaining_length_too_long");
    check("30 8080808001", "remaining_length_too_long");
    check("30 ffffffff", "remaining_length_too_long");
    check("c0 8000", "remaining_length_padded");
    check("40 8200 0001", "remaining_length_padded");
    check("30 80808000", "remaining_length_padded");
    check("30 ffffff7f", "packet_too_large");
}

#[test]
fn connect() {
    check("10 00", "truncated");
    check("10 * 0006 'MQTT'", "truncated");
    check("10 * <MQTX> 04 00 003c <d>", "protocol_name");
    check("10 * <mqtt> 04 00 003c <d>", "protocol_name");
    check("10 * <> 04 00 003c <d>", "protocol_name");
    check("10 * <MQTT>", "truncated");
    check("10 * <MQTT> 04", "truncated");
    check("10 * <MQTT> 03 00 003c <d>", "protocol_level");
    check("10 * <MQIsdp> 04 00 003c <d>", "protocol_level");
    check("10 * <MQTT> 04 01 003c <d>", "connect_reserved_flag");
    check("10 * <MQTT> 04 08 003c <d>", "will_flags_without_will");
    check("10 * <MQTT> 04 20 003c <d>", "will_flags_without_will");
    check("10 * <MQTT> 04 1c 003c <d> <t> <m>", "will_qos");
    check("10 * <MQTT> 04 04 003c <d> <> <m>", "empty_topic");
    check("10 * <MQTT> 04 04 003c <d>", "truncated");
    check("10 * <MQTT> 04 04 003c <d> <t>", "truncated");
    check("10 * <MQTT> 04 40 003c <d> <p>", "password_without_user_name");
    check("10 * <MQTT> 04 c0 003c <d> <u>", "truncated");
    check("10 * <MQTT> 04 80 003c <d>", "truncated");
    check("10 * <MQTT> 04 00 00", "truncated");
    check("10 * <MQTT> 04 00 003c 0002 'd'", "truncated");
    check("10 * <MQTT> 04 00 003c <d> 00", "trailing_bytes");
    check("10 * <MQTT> 04 80 003c <d> <u> <p>", "trailing_bytes");
    check("10 * <MQTT> 04 00 003c 0002 c328", "utf8");
    check("10 * <MQTT> 04 00 003c 0003 eda080", "utf8");
    check("10 * <MQTT> 04 80 003c <d> 0001 ff", "utf8");
    check("10 * <MQTT> 04 00 003c 0003 610062", "nul");
    check("10 * <MQTT> 04 04 003c <d> 0001 00 <m>", "nul");
}

#[test]
fn publish() {
    check("36 * <t> 0001", "publish_qos");
    check("38 * <t>", "dup_on_qos_0");
    check("39 * <t>", "dup_on_qos_0");
    check("32 * <t> 0000 'x'", "packet_id_zero");
    check("34 * <t> 0000 'x'", "packet_id_zero");
    check("32 * <t> 01", "truncated");
    check("32 * <t>", "truncated");
    check("30 00", "truncated");
    check("30 01 00", "truncated");
    check("30 * 0005 'abcd'", "truncated");
    check("30 * <> 'x'", "empty_topic");
    check("30 * 0001 00 'x'", "nul");
    check("30 * 0002 c0af 'x'", "utf8");
    check("30 * 0001 ff 'x'", "utf8");
}

#[test]
fn acknowledgements() {
    check("40 02 0000", "packet_id_zero");
    check("40 01 00", "truncated");
    check("40 03 0001 00", "trailing_bytes");
    check("50 02 0000", "packet_id_zero");
    check("62 03 0001 00", "trailing_bytes");
    check("70 00", "truncated");
    check("b0 02 0000", "packet_id_zero");
    check("b0 03 0001 00", "trailing_bytes");
    check("20 00", "truncated");
    check("20 03 00 00 00", "trailing_bytes");
    check("20 02 02 00", "connack_flags");
    check("20 02 01 05", "connack_flags");
    check("20 02 00 06", "connack_code");
    check("90 02 0001", "no_entries");
    check("90 03 0000 00", "packet_id_zero");
    check("90 03 0001 03", "suback_code");
    check("90 03 0001 81", "suback_code");
}

#[test]
fn subscriptions() {
    check("82 02 0001", "no_entries");
    check("82 * 0000 <a> 00", "packet_id_zero");
    check("82 * 0001 <a>", "truncated");
    check("82 * 0001 <a> 03", "requested_qos");
    check("82 * 0001 <a> 04", "requested_qos");
    check("82 * 0001 <> 00", "empty_topic");
    check("82 * 0001 <a> 00 00", "truncated");
    check("82 * 0001 0001 ff 00", "utf8");
    check("82 * 0001 0001 00 00", "nul");
    check("a2 02 0001", "no_entries");
    check("a2 * 0000 <a>", "packet_id_zero");
    check("a2 * 0001 <>", "empty_topic");
    check("a2 * 0001 0002 'a'", "truncated");
    let many = "<a> 00 ".repeat(65);
    check(&format!("82 * 0001 {many}"), "too_many_filters");
    let many = "<a> ".repeat(65);
    check(&format!("a2 * 0001 {many}"), "too_many_filters");
    let many = "00".repeat(65);
    check(&format!("90 * 0001 {many}"), "too_many_filters");
}

#[test]
fn pings_and_disconnect() {
    check("c0 01 00", "trailing_bytes");
    check("d0 01 00", "trailing_bytes");
    check("e0 02 0000", "trailing_bytes");
}

#[test]
fn size_is_judged_by_the_fixed_header_alone() {
    let limits = DecodeLimits {
        packet_bytes_max: 100,
        ..DecodeLimits::BEFORE_CONNECT
    };
    let reason = |input: &[u8]| FixedHeader::parse(input, &limits).map_err(|error| error.reason());
    // 98 bytes of body and two of header are the most.
    assert_eq!(reason(&[0x10, 98]).unwrap().unwrap().packet_bytes(), 100);
    assert_eq!(reason(&[0x10, 99]), Err("packet_too_large"));
    assert_eq!(reason(&[0x10, 0xff]), Ok(None));
    assert_eq!(reason(&[0x10, 0xff, 0x01]), Err("packet_too_large"));
    assert_eq!(
        decode(&mut BytesMut::from(&[0x10, 99][..]), &limits)
            .unwrap_err()
            .reason(),
        "packet_too_large"
    );
}
