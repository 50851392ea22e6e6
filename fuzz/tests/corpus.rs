//! What the fuzzers have found, replayed.
#![cfg(test)]

use std::fs;
use std::path::Path;

use ironhub_fuzz::TARGETS;

#[test]
fn corpora_hold() {
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        let entries = fs::read_dir(&folder).expect("every target has a corpus");
        let mut count = 0;
        for entry in entries {
            let data = fs::read(entry.expect("a readable folder").path()).expect("a readable file");
            (target.run)(&data);
            count += 1;
        }
        assert!(count > 0, "the corpus of {} is empty", target.name);
    }
}
