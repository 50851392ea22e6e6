use super::check;
use super::format_code as code;
use super::{Array, DecodeError, Described, List, Map, Value};
use crate::limits::VALUE_DEPTH_MAX;

/// Reads values off the front of received bytes.
///
/// ```
/// use ironhub_amqp::types::{Decoder, Value};
/// let mut decoder = Decoder::new(b"\xa1\x03abc\x41");
/// assert_eq!(decoder.value(), Ok(Value::String("abc")));
/// assert_eq!(decoder.value(), Ok(Value::Boolean(true)));
/// assert!(decoder.is_empty());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Starts at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value, checked through all its nested values. After an error the position is undefined.
    pub fn value(&mut self) -> Result<Value<'a>, DecodeError> {
        let code = *self.rest.first().ok_or(DecodeError::Truncated)?;
        if code::has_parts(code) {
            check::value(&mut self.clone(), VALUE_DEPTH_MAX)?;
        }
        self.checked_value()
    }

    /// The bytes of the next value, format code included, after checking it as [`Self::value`] does.
    pub fn raw_value(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.rest;
        check::value(self, VALUE_DEPTH_MAX)?;
        start.get(..start.len() - self.rest.len()).ok_or(DecodeError::Truncated)
    }

    /// Like [`Self::value`] for bytes that [`check`] has seen: nested values are not walked again.
    pub(crate) fn checked_value(&mut self) -> Result<Value<'a>, DecodeError> {
        let code = self.byte()?;
        self.checked_value_of(code)
    }

    pub(crate) fn checked_value_of(&mut self, code: u8) -> Result<Value<'a>, DecodeError> {
        Ok(match code {
            code::DESCRIBED => {
                let start = self.rest;
                self.skip(VALUE_DEPTH_MAX)?;
                let descriptor_len = start.len() - self.rest.len();
                self.skip(VALUE_DEPTH_MAX)?;
                let len = start.len() - self.rest.len();
                let bytes = start.get(..len).ok_or(DecodeError::Truncated)?;
                Value::Described(Described::from_checked(bytes, descriptor_len))
            }
            code::LIST_0 | code::LIST_8 | code::LIST_32 => {
                let (count, bytes) = self.compound(code)?;
                Value::List(List::from_checked(count, bytes))
            }
            code::MAP_8 | code::MAP_32 => {
                let (count, bytes) = self.compound(code)?;
                Value::Map(Map::from_checked(count / 2, bytes))
            }
            code::ARRAY_8 | code::ARRAY_32 => {
                let (count, bytes) = self.compound(code)?;
                Value::Array(Array::from_checked(count, bytes))
            }
            _ => self.scalar(code)?,
        })
    }

    /// A value without nested values.
    pub(crate) fn scalar(&mut self, code: u8) -> Result<Value<'a>, DecodeError> {
        Ok(match code {
            code::NULL => Value::Null,
            code::TRUE => Value::Boolean(true),
            code::FALSE => Value::Boolean(false),
            code::BOOLEAN => match self.byte()? {
                0 => Value::Boolean(false),
                1 => Value::Boolean(true),
                _ => return Err(DecodeError::NotBoolean),
            },
            code::BINARY_8 | code::BINARY_32 => Value::Binary(self.sized(code)?),
            code::STRING_8 | code::STRING_32 => Value::String(text(self.sized(code)?)?),
            code::SYMBOL_8 | code::SYMBOL_32 => Value::Symbol(text(self.sized(code)?)?),
            code::FLOAT => Value::Float(f32::from_be_bytes(self.bytes()?)),
            code::DOUBLE => Value::Double(f64::from_be_bytes(self.bytes()?)),
            code::CHAR => {
                let scalar = u32::from_be_bytes(self.bytes()?);
                Value::Char(char::from_u32(scalar).ok_or(DecodeError::NotChar)?)
            }
            code::TIMESTAMP => Value::Timestamp(i64::from_be_bytes(self.bytes()?)),
            code::UUID => Value::Uuid(self.bytes()?),
            code::DECIMAL_32 => Value::Decimal32(self.bytes()?),
            code::DECIMAL_64 => Value::Decimal64(self.bytes()?),
            code::DECIMAL_128 => Value::Decimal128(self.bytes()?),
            _ => self.integer(code)?,
        })
    }

    fn integer(&mut self, code: u8) -> Result<Value<'a>, DecodeError> {
        Ok(match code {
            code::UINT_0 => Value::Uint(0),
            code::ULONG_0 => Value::Ulong(0),
            code::UBYTE => Value::Ubyte(self.byte()?),
            code::BYTE => Value::Byte(i8::from_be_bytes(self.bytes()?)),
            code::UINT_SMALL => Value::Uint(self.byte()?.into()),
            code::ULONG_SMALL => Value::Ulong(self.byte()?.into()),
            code::INT_SMALL => Value::Int(i8::from_be_bytes(self.bytes()?).into()),
            code::LONG_SMALL => Value::Long(i8::from_be_bytes(self.bytes()?).into()),
            code::USHORT => Value::Ushort(u16::from_be_bytes(self.bytes()?)),
            code::SHORT => Value::Short(i16::from_be_bytes(self.bytes()?)),
            code::UINT => Value::Uint(u32::from_be_bytes(self.bytes()?)),
            code::INT => Value::Int(i32::from_be_bytes(self.bytes()?)),
            code::ULONG => Value::Ulong(u64::from_be_bytes(self.bytes()?)),
            code::LONG => Value::Long(i64::from_be_bytes(self.bytes()?)),
            _ => return Err(DecodeError::UnknownFormatCode(code)),
        })
    }

    /// Element count and bytes of a list, map or array whose format code has been read.
    pub(crate) fn compound(&mut self, code: u8) -> Result<(usize, &'a [u8]), DecodeError> {
        if code == code::LIST_0 {
            return Ok((0, &[]));
        }
        let mut body = Decoder::new(self.sized(code)?);
        let count = body.size(code)?;
        Ok((count, body.rest))
    }

    /// Bytes preceded by their number, which is one byte wide in the codes below 0xb0 and 0xc0, 0xe0, else four.
    fn sized(&mut self, code: u8) -> Result<&'a [u8], DecodeError> {
        let len = self.size(code)?;
        self.take(len)
    }

    fn size(&mut self, code: u8) -> Result<usize, DecodeError> {
        if code & 0x10 == 0 {
            return Ok(self.byte()?.into());
        }
        usize::try_from(u32::from_be_bytes(self.bytes()?)).map_err(|_| DecodeError::Truncated)
    }

    /// Passes over one value by its sizes alone.
    pub(crate) fn skip(&mut self, depth_left: usize) -> Result<(), DecodeError> {
        let depth_left = depth_left.checked_sub(1).ok_or(DecodeError::TooDeep)?;
        let code = self.byte()?;
        if code == code::DESCRIBED {
            self.skip(depth_left)?;
            return self.skip(depth_left);
        }
        match code::fixed_width(code) {
            Some(width) => self.take(width)?,
            None => self.sized(code)?,
        };
        Ok(())
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (first, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (first, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<Value<'_>, DecodeError>) {
        assert_eq!(Decoder::new(bytes).value(), expected);
    }

    #[test]
    fn scalars_in_every_encoding() {
        check(b"\x40", Ok(Value::Null));
        check(b"\x41", Ok(Value::Boolean(true)));
        check(b"\x42", Ok(Value::Boolean(false)));
        check(b"\x56\x01", Ok(Value::Boolean(true)));
        check(b"\x43", Ok(Value::Uint(0)));
        check(b"\x52\xff", Ok(Value::Uint(255)));
        check(b"\x70\x00\x01\x00\x00", Ok(Value::Uint(65536)));
        check(b"\x44", Ok(Value::Ulong(0)));
        check(b"\x53\x70", Ok(Value::Ulong(0x70)));
        check(b"\x80\0\0\0\x01\0\0\0\0", Ok(Value::Ulong(1 << 32)));
        check(b"\x50\xff", Ok(Value::Ubyte(255)));
        check(b"\x60\x1f\xff", Ok(Value::Ushort(8191)));
        check(b"\x51\xff", Ok(Value::Byte(-1)));
        check(b"\x61\xff\xfe", Ok(Value::Short(-2)));
        check(b"\x54\x80", Ok(Value::Int(-128)));
        check(b"\x71\0\0\0\xc8", Ok(Value::Int(200)));
        check(b"\x55\xff", Ok(Value::Long(-1)));
        check(b"\x81\xff\xff\xff\xff\xff\xff\xff\xff", Ok(Value::Long(-1)));
        check(b"\x72\x3f\x80\0\0", Ok(Value::Float(1.0)));
        check(b"\x82\x3f\xf0\0\0\0\0\0\0", Ok(Value::Double(1.0)));
        check(b"\x73\0\x01\xf6\0", Ok(Value::Char('😀')));
        check(b"\x83\0\0\0\0\0\0\x03\xe8", Ok(Value::Timestamp(1000)));
        check(b"\x98\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", {
            Ok(Value::Uuid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]))
        });
        check(b"\x74\x01\x02\x03\x04", Ok(Value::Decimal32([1, 2, 3, 4])));
        check(b"\xa0\x02\x00\xff", Ok(Value::Binary(&[0, 255])));
        check(b"\xb0\0\0\0\x01\x07", Ok(Value::Binary(&[7])));
        check("\u{a1}".as_bytes(), Err(DecodeError::UnknownFormatCode(0xc2)));
        check(b"\xa1\x02\xc3\xa4", Ok(Value::String("ä")));
        check(b"\xb1\0\0\0\x01a", Ok(Value::String("a")));
        check(b"\xa3\x01a", Ok(Value::Symbol("a")));
        check(b"\xb3\0\0\0\x01a", Ok(Value::Symbol("a")));
    }

    #[test]
    fn broken_scalars() {
        check(b"", Err(DecodeError::Truncated));
        check(b"\x56\x02", Err(DecodeError::NotBoolean));
        check(b"\xa1\x01\xff", Err(DecodeError::NotUtf8));
        check(b"\x73\0\0\xd8\0", Err(DecodeError::NotChar));
        check(b"\x3f", Err(DecodeError::UnknownFormatCode(0x3f)));
        check(b"\x4f", Err(DecodeError::UnknownFormatCode(0x4f)));
        check(b"\xb0\xff\xff\xff\xff\x00", Err(DecodeError::Truncated));
    }

    #[test]
    fn hostile_compounds() {
        check(b"\xc0\x01\x01", Err(DecodeError::CountTooLarge));
        check(b"\xd0\0\0\0\x05\xff\xff\xff\xff\x40", Err(DecodeError::CountTooLarge));
        check(b"\xc0\x03\x01\x40\x40", Err(DecodeError::LeftOver));
        check(b"\xc1\x02\x01\x40", Err(DecodeError::OddMap));
        check(b"\xc0\x00", Err(DecodeError::Truncated));
        check(
            b"\xf0\0\0\0\x05\x00\x00\x01\x00\x40",
            Ok(Value::Array(Array::from_checked(256, b"\x40"))),
        );
        check(b"\xf0\0\0\0\x05\xff\xff\xff\xff\x40", Err(DecodeError::CountTooLarge));
        check(
            b"\xe0\x04\x02\x50\x01\x02",
            Ok(Value::Array(Array::from_checked(2, b"\x50\x01\x02"))),
        );
        check(b"\xe0\x04\x03\x50\x01\x02", Err(DecodeError::CountTooLarge));
        check(
            b"\xe0\x06\x01\x00\x53\x01\x00\x53",
            Err(DecodeError::Expected("an array of singly described elements")),
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| {
            let mut bytes = vec![code::NULL];
            for _ in 0..levels {
                let mut outer = Vec::new();
                super::super::encode::list(&mut outer, |list| list.raw(&bytes));
                bytes = outer;
            }
            bytes
        };
        assert!(Decoder::new(&nested(VALUE_DEPTH_MAX - 1)).value().is_ok());
        check(&nested(VALUE_DEPTH_MAX), Err(DecodeError::TooDeep));
        check(&vec![code::DESCRIBED; 100_000], Err(DecodeError::TooDeep));
    }

    #[test]
    fn a_raw_value_is_its_bytes() {
        let mut decoder = Decoder::new(b"\xc0\x03\x02\x40\x41\x42");
        assert_eq!(decoder.raw_value(), Ok(&b"\xc0\x03\x02\x40\x41"[..]));
        assert_eq!(decoder.rest(), b"\x42");
    }
}
