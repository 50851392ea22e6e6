use super::{Array, Described, List, Map};

/// One AMQP value, borrowing its bytes. Compound values are views whose bytes were checked when the value was decoded.
///
/// `Option<T>` converts to `Null` for `None`, so that optional fields are written without ceremony.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Absence of a value.
    Null,
    /// `boolean`.
    Boolean(bool),
    /// `ubyte`: 8-bit unsigned.
    Ubyte(u8),
    /// `ushort`: 16-bit unsigned.
    Ushort(u16),
    /// `uint`: 32-bit unsigned.
    Uint(u32),
    /// `ulong`: 64-bit unsigned.
    Ulong(u64),
    /// `byte`: 8-bit signed.
    Byte(i8),
    /// `short`: 16-bit signed.
    Short(i16),
    /// `int`: 32-bit signed.
    Int(i32),
    /// `long`: 64-bit signed.
    Long(i64),
    /// `float`: IEEE 754 binary32.
    Float(f32),
    /// `double`: IEEE 754 binary64.
    Double(f64),
    /// `decimal32`, as its big-endian bytes: carried, not computed with.
    Decimal32([u8; 4]),
    /// `decimal64`, as its big-endian bytes.
    Decimal64([u8; 8]),
    /// `decimal128`, as its big-endian bytes.
    Decimal128([u8; 16]),
    /// `char`: one Unicode scalar value.
    Char(char),
    /// `timestamp`: milliseconds since 1970-01-01T00:00:00Z, negative before.
    Timestamp(i64),
    /// `uuid`: 16 bytes in the order of RFC 4122.
    Uuid([u8; 16]),
    /// `binary`.
    Binary(&'a [u8]),
    /// `string`: UTF-8.
    String(&'a str),
    /// `symbol`: ASCII by the standard; any UTF-8 is taken, since SDKs put user text (content types) into symbols.
    Symbol(&'a str),
    /// A value with a descriptor that says what it means.
    Described(Described<'a>),
    /// `list`: values of any types.
    List(List<'a>),
    /// `map`: pairs in the order they were written.
    Map(Map<'a>),
    /// `array`: values of one type.
    Array(Array<'a>),
}

impl<'a> Value<'a> {
    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a string or a symbol: SDKs disagree which of the two many places need.
    pub fn as_text(&self) -> Option<&'a str> {
        if let Self::String(text) | Self::Symbol(text) = *self {
            Some(text)
        } else {
            None
        }
    }

    /// The bytes of a uuid, in the order of RFC 4122.
    pub fn as_uuid(&self) -> Option<[u8; 16]> {
        if let Self::Uuid(bytes) = *self {
            Some(bytes)
        } else {
            None
        }
    }

    /// The bytes of a binary.
    pub fn as_binary(&self) -> Option<&'a [u8]> {
        if let Self::Binary(bytes) = *self {
            Some(bytes)
        } else {
            None
        }
    }

    /// The boolean.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(value) = *self {
            Some(value)
        } else {
            None
        }
    }

    /// A non-negative integer of any width and sign.
    pub fn as_u64(&self) -> Option<u64> {
        match self.as_i128()? {
            number @ 0.. => u64::try_from(number).ok(),
            _ => None,
        }
    }

    /// A non-negative integer of any width and sign that fits 32 bits.
    pub fn as_u32(&self) -> Option<u32> {
        self.as_u64().and_then(|number| u32::try_from(number).ok())
    }

    /// An integer of any width and sign that fits 64 bits signed.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_i128().and_then(|number| i64::try_from(number).ok())
    }

    /// Milliseconds since 1970 of a timestamp.
    pub fn as_timestamp_ms(&self) -> Option<i64> {
        if let Self::Timestamp(ms) = *self {
            Some(ms)
        } else {
            None
        }
    }

    /// The list.
    pub fn as_list(&self) -> Option<List<'a>> {
        if let Self::List(list) = *self { Some(list) } else { None }
    }

    /// The map.
    pub fn as_map(&self) -> Option<Map<'a>> {
        if let Self::Map(map) = *self { Some(map) } else { None }
    }

    /// The described value.
    pub fn as_described(&self) -> Option<Described<'a>> {
        if let Self::Described(described) = *self {
            Some(described)
        } else {
            None
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the integers are listed, everything else is not one"
    )]
    fn as_i128(&self) -> Option<i128> {
        Some(match *self {
            Self::Ubyte(n) => n.into(),
            Self::Ushort(n) => n.into(),
            Self::Uint(n) => n.into(),
            Self::Ulong(n) => n.into(),
            Self::Byte(n) => n.into(),
            Self::Short(n) => n.into(),
            Self::Int(n) => n.into(),
            Self::Long(n) => n.into(),
            _ => return None,
        })
    }
}

macro_rules! from {
    ($($source:ty => $variant:ident),* $(,)?) => {
        $(impl<'a> From<$source> for Value<'a> {
            fn from(value: $source) -> Self {
                Self::$variant(value)
            }
        })*
    };
}

from! {
    bool => Boolean,
    u8 => Ubyte,
    u16 => Ushort,
    u32 => Uint,
    u64 => Ulong,
    i8 => Byte,
    i16 => Short,
    i32 => Int,
    i64 => Long,
    f32 => Float,
    f64 => Double,
    char => Char,
    &'a [u8] => Binary,
    &'a str => String,
    Described<'a> => Described,
    List<'a> => List,
    Map<'a> => Map,
    Array<'a> => Array,
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
