/// Why received bytes are not an AMQP value, or not the one that was expected here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a value, or a size points beyond them.
    #[error("value is cut short")]
    Truncated,
    /// A format code that AMQP 1.0 part 1 §1.6 does not define.
    #[error("unknown format code {0:#04x}")]
    UnknownFormatCode(u8),
    /// Nested deeper than [`crate::limits::VALUE_DEPTH_MAX`].
    #[error("value is nested too deeply")]
    TooDeep,
    /// More elements are announced than the bytes can hold.
    #[error("more elements announced than present")]
    CountTooLarge,
    /// A compound value has bytes left after its last element.
    #[error("bytes left over after the last element")]
    LeftOver,
    /// A map with a key and no value.
    #[error("map has a key without a value")]
    OddMap,
    /// A string or symbol that is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A char that is not a Unicode scalar value.
    #[error("char is not a Unicode scalar value")]
    NotChar,
    /// A boolean byte other than 0 and 1.
    #[error("boolean is neither 0 nor 1")]
    NotBoolean,
    /// A well-formed value of another type than the place allows; names what was expected.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A field or section that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A section that may occur once occurs again, or two kinds of body are mixed.
    #[error("{0} occurs again")]
    Repeated(&'static str),
    /// A described type that this place does not know.
    #[error("unknown descriptor")]
    UnknownDescriptor,
}
