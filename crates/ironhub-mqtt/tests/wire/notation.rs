//! A notation for packets that reads like the specification's tables.
//!
//! Words are: hexadecimal bytes (`82`, `000a`); `*`, the remaining length of what follows; `<text>`, a
//! length-prefixed field; `'text'`, the text itself. The tests of whoever speaks MQTT over a socket read it too.

/// The bytes of one packet.
pub(crate) fn bytes(notation: &str) -> Vec<u8> {
    match notation.split_once('*') {
        Some((first, body)) => {
            let body = words(body);
            [words(first), remaining_length(body.len()), body].concat()
        }
        None => words(notation),
    }
}

fn words(notation: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = notation.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, tail) = match first {
            '<' => rest[1..].split_once('>').expect("a closing >"),
            '\'' => rest[1..].split_once('\'').expect("a closing '"),
            _ => rest.split_at(rest.find(' ').unwrap_or(rest.len())),
        };
        match first {
            '<' => {
                out.extend(u16::try_from(word.len()).unwrap().to_be_bytes());
                out.extend(word.as_bytes());
            }
            '\'' => out.extend(word.as_bytes()),
            _ => out.extend(hex(word)),
        }
        rest = tail.trim_start();
    }
    out
}

fn hex(word: &str) -> impl Iterator<Item = u8> {
    assert!(word.len().is_multiple_of(2), "half a byte in {word:?}");
    (0..word.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&word[at..at + 2], 16).expect("hexadecimal digits"))
}

/// MQTT 3.1.1, 2.2.3, for the sizes that tests need.
pub(crate) fn remaining_length(length: usize) -> Vec<u8> {
    let low = u8::try_from(length % 128).unwrap();
    match length / 128 {
        0 => vec![low],
        high => [vec![low | 0x80], remaining_length(high)].concat(),
    }
}
