//! Values survive a round trip, and no bytes whatever make the decoder panic or disagree with itself.
#![cfg(test)]

use ironhub_amqp::types::{Decoder, Descriptor, Value, encode};
use proptest::prelude::*;

/// A value that owns its parts, so that proptest can make and shrink it.
#[derive(Debug, Clone)]
enum Tree {
    Scalar(Scalar),
    Described(u64, Box<Tree>),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
    Symbols(Vec<String>),
}

#[derive(Debug, Clone)]
enum Scalar {
    Null,
    Boolean(bool),
    Ubyte(u8),
    Ushort(u16),
    Uint(u32),
    Ulong(u64),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Double(f64),
    Char(char),
    Timestamp(i64),
    Uuid([u8; 16]),
    Binary(Vec<u8>),
    String(String),
    Symbol(String),
}

impl Scalar {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(v) => Value::Boolean(*v),
            Self::Ubyte(v) => Value::Ubyte(*v),
            Self::Ushort(v) => Value::Ushort(*v),
            Self::Uint(v) => Value::Uint(*v),
            Self::Ulong(v) => Value::Ulong(*v),
            Self::Byte(v) => Value::Byte(*v),
            Self::Short(v) => Value::Short(*v),
            Self::Int(v) => Value::Int(*v),
            Self::Long(v) => Value::Long(*v),
            Self::Double(v) => Value::Double(*v),
            Self::Char(v) => Value::Char(*v),
            Self::Timestamp(v) => Value::Timestamp(*v),
            Self::Uuid(v) => Value::Uuid(*v),
            Self::Binary(v) => Value::Binary(v),
            Self::String(v) => Value::String(v),
            Self::Symbol(v) => Value::Symbol(v),
        }
    }
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        Just(Scalar::Null),
        any::<bool>().prop_map(Scalar::Boolean),
        any::<u8>().prop_map(Scalar::Ubyte),
        any::<u16>().prop_map(Scalar::Ushort),
        any::<u32>().prop_map(Scalar::Uint),
        (0u32..300).prop_map(Scalar::Uint),
        any::<u64>().prop_map(Scalar::Ulong),
        (0u64..300).prop_map(Scalar::Ulong),
        any::<i8>().prop_map(Scalar::Byte),
        any::<i16>().prop_map(Scalar::Short),
        any::<i32>().prop_map(Scalar::Int),
        (-200i32..200).prop_map(Scalar::Int),
        any::<i64>().prop_map(Scalar::Long),
        (-200i64..200).prop_map(Scalar::Long),
        any::<f64>()
            .prop_filter("NaN is not equal to itself", |v| !v.is_nan())
            .prop_map(Scalar::Double),
        any::<char>().prop_map(Scalar::Char),
        any::<i64>().prop_map(Scalar::Timestamp),
        any::<[u8; 16]>().prop_map(Scalar::Uuid),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Scalar::Binary),
        ".{0,100}".prop_map(Scalar::String),
        "[ -~]{0,300}".prop_map(Scalar::Symbol),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    scalar().prop_map(Tree::Scalar).prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            (any::<u64>(), inner.clone()).prop_map(|(code, tree)| Tree::Described(code, Box::new(tree))),
            prop::collection::vec(inner.clone(), 0..8).prop_map(Tree::List),
            prop::collection::vec(("[a-z]{0,20}", inner), 0..8).prop_map(Tree::Map),
            prop::collection::vec("[a-z]{0,20}", 0..8).prop_map(Tree::Symbols),
        ]
    })
}

fn write(out: &mut Vec<u8>, tree: &Tree) {
    match tree {
        Tree::Scalar(scalar) => encode::value(out, scalar.value()),
        Tree::Described(code, inner) => {
            encode::descriptor(out, Descriptor::Code(*code));
            write(out, inner);
        }
        Tree::List(items) => encode::list(out, |list| {
            for item in items {
                list.nested(|out| write(out, item));
            }
        }),
        Tree::Map(pairs) => encode::map(out, |map| {
            for (key, value) in pairs {
                map.push(key.as_str());
                map.nested(|out| write(out, value));
            }
        }),
        Tree::Symbols(texts) => encode::symbol_array(out, texts.iter().map(String::as_str)),
    }
}

fn assert_same(value: Value<'_>, tree: &Tree) {
    match tree {
        Tree::Scalar(scalar) => assert_eq!(value, scalar.value()),
        Tree::Described(code, inner) => {
            let described = value.as_described().unwrap();
            assert_eq!(described.descriptor(), Descriptor::Code(*code));
            assert_same(described.value(), inner);
        }
        Tree::List(items) => {
            let list = value.as_list().unwrap();
            assert_eq!((list.len(), list.iter().count()), (items.len(), items.len()));
            list.iter()
                .zip(items)
                .for_each(|(value, item)| assert_same(value, item));
        }
        Tree::Map(pairs) => {
            let map = value.as_map().unwrap();
            assert_eq!((map.len(), map.iter().count()), (pairs.len(), pairs.len()));
            for ((key, value), (name, inner)) in map.iter().zip(pairs) {
                assert_eq!(key, Value::String(name));
                assert_same(value, inner);
            }
        }
        Tree::Symbols(texts) => {
            let Value::Array(array) = value else {
                panic!("{value:?}")
            };
            assert!(array.iter().eq(texts.iter().map(|text| Value::Symbol(text))));
        }
    }
}

/// Reads every nested value and returns how many there are.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "everything that is not compound is one value"
)]
fn walk(value: Value<'_>) -> usize {
    match value {
        Value::List(list) => {
            assert_eq!(list.iter().count(), list.len(), "a checked list gives all its elements");
            1 + list.iter().map(walk).sum::<usize>()
        }
        Value::Map(map) => {
            assert_eq!(map.iter().count(), map.len(), "a checked map gives all its pairs");
            1 + map.iter().map(|(key, value)| walk(key) + walk(value)).sum::<usize>()
        }
        Value::Array(array) => {
            assert_eq!(
                array.iter().count(),
                array.len(),
                "a checked array gives all its elements"
            );
            1 + array.iter().map(walk).sum::<usize>()
        }
        Value::Described(described) => {
            let _ = described.descriptor();
            1 + walk(described.value())
        }
        _ => 1,
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(tree in tree()) {
        let mut bytes = Vec::new();
        write(&mut bytes, &tree);
        let mut decoder = Decoder::new(&bytes);
        let value = decoder.value().unwrap();
        prop_assert!(decoder.is_empty());
        assert_same(value, &tree);

        let mut again = Vec::new();
        encode::value(&mut again, value);
        prop_assert_eq!(Decoder::new(&again).value().unwrap(), value, "a view writes what it shows");
    }

    #[test]
    fn every_truncation_is_an_error(tree in tree()) {
        let mut bytes = Vec::new();
        write(&mut bytes, &tree);
        for len in 0..bytes.len() {
            prop_assert!(Decoder::new(&bytes[..len]).value().is_err(), "{} of {}", len, bytes.len());
        }
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = Decoder::new(&bytes).value() {
            walk(value);
        }
    }

    /// Random bytes seldom get past a header; a few flipped bytes in a good value do.
    #[test]
    fn damaged_values_are_a_value_or_an_error(
        tree in tree(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = Vec::new();
        write(&mut bytes, &tree);
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(value) = Decoder::new(&bytes).value() {
            walk(value);
        }
    }
}
