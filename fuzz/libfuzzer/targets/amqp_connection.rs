#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ironhub_fuzz::run("amqp_connection", data));
