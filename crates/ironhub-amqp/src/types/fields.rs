use super::{DecodeError, Decoder, Value};

/// The fields of a composite, in order. A field that the sender left off at the end reads as null, which the standard
/// allows and several SDKs rely on (AMQP 1.0 part 1, §1.4).
pub(crate) struct Fields<'a> {
    left: usize,
    decoder: Decoder<'a>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(value: Value<'a>) -> Result<Self, DecodeError> {
        let list = value.as_list().ok_or(DecodeError::Expected("a list of fields"))?;
        Ok(Self {
            left: list.len(),
            decoder: Decoder::new(list.encoded()),
        })
    }

    /// The next field, whatever it is.
    pub(crate) fn value(&mut self) -> Value<'a> {
        if self.left == 0 {
            return Value::Null;
        }
        self.left -= 1;
        self.decoder.checked_value().unwrap_or(Value::Null)
    }

    /// The next field as `read` takes it: `None` for null, an error that names `expected` for another type.
    pub(crate) fn optional<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, DecodeError> {
        let value = self.value();
        if value.is_null() {
            return Ok(None);
        }
        read(value).map(Some).ok_or(DecodeError::Expected(expected))
    }

    /// The next field as `read` takes it; null is an error too.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<T, DecodeError> {
        self.optional(name, read)?.ok_or(DecodeError::Missing(name))
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<&'a str>, DecodeError> {
        self.optional(name, |value| value.as_text())
    }

    pub(crate) fn uint(&mut self, name: &'static str) -> Result<Option<u32>, DecodeError> {
        self.optional(name, |value| value.as_u32())
    }

    /// A boolean; null and absent are false, the default of every boolean field of the standard that we read.
    pub(crate) fn flag(&mut self, name: &'static str) -> Result<bool, DecodeError> {
        Ok(self.optional(name, |value| value.as_bool())?.unwrap_or(false))
    }
}
