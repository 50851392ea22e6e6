//! What a section of a twin may hold.

use serde_json::{Map, Number, Value};

use crate::limits::{TWIN_DEPTH_MAX, TWIN_INTEGER_MAX, TWIN_INTEGER_MIN, TWIN_KEY_BYTES_MAX, TWIN_STRING_BYTES_MAX};

/// Why a write of a twin is refused; nothing of it is applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTwin {
    /// A section or a patch is not an object.
    #[error("{0} must be a JSON object")]
    NotAnObject(&'static str),
    /// A name is empty or longer than 1 KB.
    #[error("a property name has 1 to {TWIN_KEY_BYTES_MAX} bytes")]
    KeyLength,
    /// A name has a control character, a blank, `.`, `$` or `#`.
    #[error(
        "the property name '{0}' contains a character that is not allowed: control characters, blanks, '.', '$', '#'"
    )]
    KeyCharacter(String),
    /// Objects and arrays are nested too deeply.
    #[error("objects and arrays may be nested at most {TWIN_DEPTH_MAX} levels deep")]
    TooDeep,
    /// A string is longer than 4 KB.
    #[error("the value of '{0}' is longer than {TWIN_STRING_BYTES_MAX} bytes")]
    StringLength(String),
    /// An integer is beyond ±2⁵².
    #[error("the value of '{0}' is not between {TWIN_INTEGER_MIN} and {TWIN_INTEGER_MAX}")]
    IntegerRange(String),
    /// An array holds `null`, or a replacement does.
    #[error("Value of Property or Tag cannot be null: '{0}'")]
    Null(String),
    /// A section as it would be after the write is over its size.
    #[error("{section} would be larger than {bytes_max} bytes")]
    SectionSize {
        /// Which.
        section: &'static str,
        /// Its limit, counted by the documented rule.
        bytes_max: usize,
    },
}

/// Are `null`s commands to delete, or values that cannot be?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    Delete,
    Refused,
}

/// Checks names, values and depth of what a caller wants written.
pub(super) fn object(members: &Map<String, Value>, nulls: Nulls) -> Result<(), InvalidTwin> {
    self::members(members, nulls, 0)
}

fn members(members: &Map<String, Value>, nulls: Nulls, level: usize) -> Result<(), InvalidTwin> {
    if level > TWIN_DEPTH_MAX {
        return Err(InvalidTwin::TooDeep);
    }
    for (name, value) in members {
        key(name)?;
        self::value(name, value, nulls, level)?;
    }
    Ok(())
}

fn value(name: &str, value: &Value, nulls: Nulls, level: usize) -> Result<(), InvalidTwin> {
    match value {
        Value::Null if nulls == Nulls::Refused => Err(InvalidTwin::Null(name.into())),
        Value::Null | Value::Bool(_) => Ok(()),
        Value::Number(number) => self::number(name, number),
        Value::String(text) => string(name, text),
        Value::Object(members) => self::members(members, nulls, level + 1),
        Value::Array(_) if level + 1 > TWIN_DEPTH_MAX => Err(InvalidTwin::TooDeep),
        // Arrays are replaced as a whole, so that a null in one could delete nothing.
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| self::value(name, item, Nulls::Refused, level + 1)),
    }
}

fn key(name: &str) -> Result<(), InvalidTwin> {
    if !(1..=TWIN_KEY_BYTES_MAX).contains(&name.len()) {
        return Err(InvalidTwin::KeyLength);
    }
    if name
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || matches!(c, '.' | '$' | '#'))
    {
        return Err(InvalidTwin::KeyCharacter(name.into()));
    }
    Ok(())
}

fn string(name: &str, text: &str) -> Result<(), InvalidTwin> {
    if text.len() > TWIN_STRING_BYTES_MAX {
        return Err(InvalidTwin::StringLength(name.into()));
    }
    Ok(())
}

fn number(name: &str, number: &Number) -> Result<(), InvalidTwin> {
    let in_range = match (number.as_i64(), number.as_u64()) {
        (Some(integer), _) => (TWIN_INTEGER_MIN..=TWIN_INTEGER_MAX).contains(&integer),
        (None, Some(_)) => false,
        (None, None) => true,
    };
    in_range
        .then_some(())
        .ok_or_else(|| InvalidTwin::IntegerRange(name.into()))
}

/// Size by the documented rule: names and strings count their characters without control characters, numbers 8,
/// booleans 4, objects and arrays their contents.
pub(super) fn size(members: &Map<String, Value>) -> usize {
    members
        .iter()
        .map(|(name, value)| characters(name) + value_size(value))
        .sum()
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => characters(text),
        Value::Array(items) => items.iter().map(value_size).sum(),
        Value::Object(members) => size(members),
    }
}

fn characters(text: &str) -> usize {
    text.chars().filter(|c| !c.is_control()).count()
}
