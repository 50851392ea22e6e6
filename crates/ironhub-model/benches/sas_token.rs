//! What it costs to let a device in: its token parsed and verified, as each CONNECT and each HTTPS request has it.

use std::hint::black_box;

use criterion::Criterion;
use ironhub_model::{SasToken, SymmetricKey, Timestamp, sas_token};

const RESOURCE: &str = "my-hub.example.com/devices/device-000001";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let Ok(key) = SymmetricKey::from_bytes(&[7; 32]) else {
        panic!("32 bytes are a key")
    };
    let expires_at = Timestamp::from_secs(4_000_000_000);
    let text = sas_token::sign(RESOURCE, &key, expires_at, None);
    criterion.bench_function("sas_token/parse_and_verify", |bencher| {
        bencher.iter(|| {
            let Ok(token) = SasToken::parse(black_box(&text)) else {
                panic!("our own token")
            };
            assert!(token.is_signed_with(black_box(&key)));
        });
    });
    criterion.bench_function("sas_token/parse", |bencher| {
        bencher.iter(|| black_box(SasToken::parse(black_box(&text)).is_ok()));
    });
    criterion.bench_function("sas_token/sign", |bencher| {
        bencher.iter(|| sas_token::sign(black_box(RESOURCE), black_box(&key), expires_at, None));
    });
    criterion.final_summary();
}
