//! What the property bag of a message costs, from the topic's text to the hub's nouns.

use std::hint::black_box;

use criterion::Criterion;
use ironhub_dialect::mqtt::telemetry;

const BODY: &[u8] = &[b'7'; 300];
const BAGS: [(&str, &str); 4] = [
    ("empty", ""),
    // What the Python and Node SDKs write for a JSON message.
    ("json", "%24.ct=application%2Fjson&%24.ce=utf-8"),
    (
        "json_with_ids_and_two_of_its_own",
        "%24.mid=0f8fad5b-d9cb-469f-a165-70867728950e&%24.cid=d9cb&%24.ct=application%2Fjson&%24.ce=utf-8\
         &alert=true&site=ship%207",
    ),
    // The C SDK's form: nothing is encoded.
    (
        "raw",
        "$.mid=0f8fad5b-d9cb-469f-a165-70867728950e&$.ct=application/json&$.ce=utf-8&alert=true",
    ),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("property_bag");
    for (name, bag) in BAGS {
        group.bench_function(name, |bencher| {
            bencher.iter(|| telemetry::parse(black_box(bag), black_box(BODY)).properties.len());
        });
    }
    group.finish();
    criterion.final_summary();
}
