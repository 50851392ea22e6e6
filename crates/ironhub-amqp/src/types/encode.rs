//! Appends values to a `Vec<u8>`, each in its shortest encoding.
//!
//! Two deliberate exceptions to the shortest: an empty list is `c0 01 00` and arrays have 32-bit sizes, because
//! azure-eventhub for Python reads size bytes that `45` does not have (`_pyamqp/_decode.py`).

use super::format_code as code;
use super::{Descriptor, Value};

/// Appends any value.
pub fn value<'a>(out: &mut Vec<u8>, value: impl Into<Value<'a>>) {
    match value.into() {
        Value::Null => out.push(code::NULL),
        Value::Boolean(true) => out.push(code::TRUE),
        Value::Boolean(false) => out.push(code::FALSE),
        Value::Float(n) => fixed(out, code::FLOAT, n.to_be_bytes()),
        Value::Double(n) => fixed(out, code::DOUBLE, n.to_be_bytes()),
        Value::Decimal32(bytes) => fixed(out, code::DECIMAL_32, bytes),
        Value::Decimal64(bytes) => fixed(out, code::DECIMAL_64, bytes),
        Value::Decimal128(bytes) => fixed(out, code::DECIMAL_128, bytes),
        Value::Char(scalar) => fixed(out, code::CHAR, u32::from(scalar).to_be_bytes()),
        Value::Timestamp(ms) => fixed(out, code::TIMESTAMP, ms.to_be_bytes()),
        Value::Uuid(bytes) => fixed(out, code::UUID, bytes),
        Value::Binary(bytes) => sized(out, (code::BINARY_8, code::BINARY_32), bytes),
        Value::String(text) => sized(out, (code::STRING_8, code::STRING_32), text.as_bytes()),
        Value::Symbol(text) => sized(out, (code::SYMBOL_8, code::SYMBOL_32), text.as_bytes()),
        Value::Described(described) => {
            out.push(code::DESCRIBED);
            out.extend_from_slice(described.encoded());
        }
        Value::List(view) => compound(out, (code::LIST_8, code::LIST_32), view.len(), view.encoded()),
        Value::Map(view) => compound(out, (code::MAP_8, code::MAP_32), view.len() * 2, view.encoded()),
        Value::Array(view) => wide_compound(out, code::ARRAY_32, view.len(), view.encoded()),
        Value::Ubyte(n) => fixed(out, code::UBYTE, [n]),
        Value::Ushort(n) => fixed(out, code::USHORT, n.to_be_bytes()),
        Value::Uint(n) => uint(out, n),
        Value::Ulong(n) => ulong(out, n),
        Value::Byte(n) => fixed(out, code::BYTE, n.to_be_bytes()),
        Value::Short(n) => fixed(out, code::SHORT, n.to_be_bytes()),
        Value::Int(n) => match i8::try_from(n) {
            Ok(small) => fixed(out, code::INT_SMALL, small.to_be_bytes()),
            Err(_) => fixed(out, code::INT, n.to_be_bytes()),
        },
        Value::Long(n) => match i8::try_from(n) {
            Ok(small) => fixed(out, code::LONG_SMALL, small.to_be_bytes()),
            Err(_) => fixed(out, code::LONG, n.to_be_bytes()),
        },
    }
}

fn uint(out: &mut Vec<u8>, n: u32) {
    match u8::try_from(n) {
        Ok(0) => out.push(code::UINT_0),
        Ok(small) => fixed(out, code::UINT_SMALL, [small]),
        Err(_) => fixed(out, code::UINT, n.to_be_bytes()),
    }
}

fn ulong(out: &mut Vec<u8>, n: u64) {
    match u8::try_from(n) {
        Ok(0) => out.push(code::ULONG_0),
        Ok(small) => fixed(out, code::ULONG_SMALL, [small]),
        Err(_) => fixed(out, code::ULONG, n.to_be_bytes()),
    }
}

/// Appends a symbol.
pub fn symbol(out: &mut Vec<u8>, text: &str) {
    value(out, Value::Symbol(text));
}

/// Appends the descriptor of the value that is appended next: `00 53 code` for the standard's own.
pub fn descriptor(out: &mut Vec<u8>, descriptor: Descriptor<'_>) {
    out.push(code::DESCRIBED);
    match descriptor {
        Descriptor::Code(number) => value(out, number),
        Descriptor::Name(name) => symbol(out, name),
        Descriptor::Other => value(out, Value::Null),
    }
}

/// Appends a list of what `fill` pushes.
pub fn list(out: &mut Vec<u8>, fill: impl FnOnce(&mut Elements<'_>)) {
    elements(out, (code::LIST_8, code::LIST_32), fill);
}

/// Appends a map of what `fill` pushes: key, value, key, value.
pub fn map(out: &mut Vec<u8>, fill: impl FnOnce(&mut Elements<'_>)) {
    elements(out, (code::MAP_8, code::MAP_32), fill);
}

/// Appends a composite type of the standard: its descriptor and the list of its fields.
pub fn composite(out: &mut Vec<u8>, code: u8, fields: impl FnOnce(&mut Elements<'_>)) {
    out.extend_from_slice(&[code::DESCRIBED, code::ULONG_SMALL, code]);
    list(out, fields);
}

/// Appends an array of symbols.
pub fn symbol_array<'t>(out: &mut Vec<u8>, texts: impl IntoIterator<Item = &'t str>) {
    array(out, code::SYMBOL_32, texts.into_iter().map(str::as_bytes));
}

/// Appends an array of strings.
pub fn string_array<'t>(out: &mut Vec<u8>, texts: impl IntoIterator<Item = &'t str>) {
    array(out, code::STRING_32, texts.into_iter().map(str::as_bytes));
}

/// The elements of a list or map that is being written.
#[derive(Debug)]
pub struct Elements<'o> {
    out: &'o mut Vec<u8>,
    count: usize,
}

impl Elements<'_> {
    /// Appends one element.
    pub fn push<'a>(&mut self, element: impl Into<Value<'a>>) {
        self.count += 1;
        value(self.out, element);
    }

    /// Appends one element as a symbol, or null.
    pub fn push_symbol<'a>(&mut self, text: impl Into<Option<&'a str>>) {
        self.push(text.into().map(Value::Symbol));
    }

    /// Appends one element that is already encoded. The caller vouches that `encoded` is exactly one value.
    pub fn raw(&mut self, encoded: &[u8]) {
        self.count += 1;
        self.out.extend_from_slice(encoded);
    }

    /// Appends one element by a function that appends exactly one value.
    pub fn nested(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.count += 1;
        write(self.out);
    }
}

fn fixed<const N: usize>(out: &mut Vec<u8>, code: u8, bytes: [u8; N]) {
    out.push(code);
    out.extend_from_slice(&bytes);
}

/// Nothing of 4 GiB is ever written: frames and messages are bounded far below. A length beyond is saturated, which
/// the peer refuses as cut short.
fn u32_bytes(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes()
}

fn sized(out: &mut Vec<u8>, (code_8, code_32): (u8, u8), bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(len) => out.extend_from_slice(&[code_8, len]),
        Err(_) => fixed(out, code_32, u32_bytes(bytes.len())),
    }
    out.extend_from_slice(bytes);
}

/// Appends a compound value whose elements are encoded already.
fn compound(out: &mut Vec<u8>, (code_8, code_32): (u8, u8), count: usize, bytes: &[u8]) {
    if let (Ok(count), Ok(size)) = (u8::try_from(count), u8::try_from(bytes.len() + 1)) {
        out.extend_from_slice(&[code_8, size, count]);
        out.extend_from_slice(bytes);
    } else {
        wide_compound(out, code_32, count, bytes);
    }
}

fn wide_compound(out: &mut Vec<u8>, code_32: u8, count: usize, bytes: &[u8]) {
    fixed(out, code_32, u32_bytes(bytes.len() + 4));
    out.extend_from_slice(&u32_bytes(count));
    out.extend_from_slice(bytes);
}

/// Writes the elements behind a short header and widens it when they turn out to need it.
fn elements(out: &mut Vec<u8>, (code_8, code_32): (u8, u8), fill: impl FnOnce(&mut Elements<'_>)) {
    let start = out.len();
    out.extend_from_slice(&[code_8, 0, 0]);
    let body = out.len();
    let mut elements = Elements { out, count: 0 };
    fill(&mut elements);
    let count = elements.count;
    let len = out.len() - body;
    if let (Ok(count), Ok(size)) = (u8::try_from(count), u8::try_from(len + 1)) {
        patch(out, start, &[code_8, size, count]);
        return;
    }
    out.extend_from_slice(&[0; 6]);
    out.copy_within(body..body + len, body + 6);
    patch(out, start, &[code_32]);
    patch(out, start + 1, &u32_bytes(len + 4));
    patch(out, start + 5, &u32_bytes(count));
}

fn array<'t>(out: &mut Vec<u8>, element_code: u8, items: impl Iterator<Item = &'t [u8]>) {
    let start = out.len();
    out.extend_from_slice(&[code::ARRAY_32, 0, 0, 0, 0, 0, 0, 0, 0, element_code]);
    let mut count = 0;
    for item in items {
        out.extend_from_slice(&u32_bytes(item.len()));
        out.extend_from_slice(item);
        count += 1;
    }
    let size = out.len() - start - 5;
    patch(out, start + 1, &u32_bytes(size));
    patch(out, start + 5, &u32_bytes(count));
}

/// Overwrites bytes that this module has appended before.
pub(crate) fn patch(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Decoder;
    use super::*;

    #[track_caller]
    fn check<'a>(input: impl Into<Value<'a>>, expected: &[u8]) {
        let input = input.into();
        let mut out = Vec::new();
        value(&mut out, input);
        assert_eq!(out, expected);
        assert_eq!(Decoder::new(&out).value(), Ok(input));
    }

    #[test]
    fn shortest_encodings() {
        check(None::<bool>, b"\x40");
        check(0u32, b"\x43");
        check(255u32, b"\x52\xff");
        check(256u32, b"\x70\0\0\x01\0");
        check(0u64, b"\x44");
        check(0x70u64, b"\x53\x70");
        check(256u64, b"\x80\0\0\0\0\0\0\x01\0");
        check(-128i32, b"\x54\x80");
        check(200i32, b"\x71\0\0\0\xc8");
        check(-1i64, b"\x55\xff");
        check(128i64, b"\x81\0\0\0\0\0\0\0\x80");
        check("abc", b"\xa1\x03abc");
        check(Value::Symbol("abc"), b"\xa3\x03abc");
        check(&b"\x01"[..], b"\xa0\x01\x01");
    }

    #[test]
    fn sizes_widen_when_they_must() {
        let text = "x".repeat(256);
        let mut out = Vec::new();
        value(&mut out, text.as_str());
        assert_eq!(out.get(..5), Some(&b"\xb1\0\0\x01\0"[..]));

        for (len, header) in [(252, &b"\xc0\xff\x01"[..]), (253, &b"\xd0\0\0\x01\x03\0\0\0\x01"[..])] {
            let mut out = Vec::new();
            list(&mut out, |list| list.push(&text[..len]));
            assert!(out.starts_with(header), "{len}: {:02x?}", &out[..12]);
            let decoded = Decoder::new(&out).value().unwrap();
            assert_eq!(
                decoded.as_list().unwrap().iter().next(),
                Some(Value::String(&text[..len]))
            );
        }
    }

    #[test]
    fn no_list_is_written_as_list0() {
        let mut out = Vec::new();
        list(&mut out, |_| ());
        assert_eq!(out, b"\xc0\x01\x00");
    }

    #[test]
    fn arrays_have_wide_sizes() {
        let mut out = Vec::new();
        symbol_array(&mut out, ["ab", "c"]);
        assert_eq!(out, b"\xf0\0\0\0\x10\0\0\0\x02\xb3\0\0\0\x02ab\0\0\0\x01c");
    }
}
