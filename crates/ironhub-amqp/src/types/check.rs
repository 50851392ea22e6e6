//! Walks a value without building it: sizes, counts, text, nesting. Whatever passes can be read without errors.

use super::format_code as code;
use super::{DecodeError, Decoder};
use crate::limits::{ARRAY_ZERO_WIDTH_COUNT_MAX, VALUE_DEPTH_MAX};

pub(crate) fn value(decoder: &mut Decoder<'_>, depth_left: usize) -> Result<(), DecodeError> {
    let code = decoder.byte()?;
    value_of(decoder, code, depth_left)
}

/// The keys and values of a map, without its header.
pub(crate) fn pairs(pairs: usize, bytes: &[u8]) -> Result<(), DecodeError> {
    let count = pairs.checked_mul(2).ok_or(DecodeError::CountTooLarge)?;
    elements((count, bytes), VALUE_DEPTH_MAX - 1)
}

fn value_of(decoder: &mut Decoder<'_>, code: u8, depth_left: usize) -> Result<(), DecodeError> {
    let depth_left = depth_left.checked_sub(1).ok_or(DecodeError::TooDeep)?;
    match code {
        code::DESCRIBED => {
            value(decoder, depth_left)?;
            value(decoder, depth_left)
        }
        code::LIST_0 | code::LIST_8 | code::LIST_32 => elements(decoder.compound(code)?, depth_left),
        code::MAP_8 | code::MAP_32 => {
            let (count, bytes) = decoder.compound(code)?;
            if count % 2 != 0 {
                return Err(DecodeError::OddMap);
            }
            elements((count, bytes), depth_left)
        }
        code::ARRAY_8 | code::ARRAY_32 => array(decoder.compound(code)?, depth_left),
        _ => decoder.scalar(code).map(drop),
    }
}

fn elements((count, bytes): (usize, &[u8]), depth_left: usize) -> Result<(), DecodeError> {
    if count > bytes.len() {
        return Err(DecodeError::CountTooLarge); // Every element takes at least its format code.
    }
    let mut body = Decoder::new(bytes);
    for _ in 0..count {
        value(&mut body, depth_left)?;
    }
    end(body)
}

fn array((count, bytes): (usize, &[u8]), depth_left: usize) -> Result<(), DecodeError> {
    let mut body = Decoder::new(bytes);
    let mut code = body.byte()?;
    if code == code::DESCRIBED {
        value(&mut body, depth_left)?;
        code = body.byte()?;
        if code == code::DESCRIBED {
            return Err(DecodeError::Expected("an array of singly described elements"));
        }
    }
    let is_zero_width = code::fixed_width(code) == Some(0);
    let count_max = if is_zero_width {
        ARRAY_ZERO_WIDTH_COUNT_MAX
    } else {
        body.rest().len()
    };
    if count > count_max {
        return Err(DecodeError::CountTooLarge);
    }
    if count == 0 || is_zero_width {
        value_of(
            &mut Decoder::new(&[0; 0]),
            if is_zero_width { code } else { code::NULL },
            depth_left,
        )?;
        return end(body);
    }
    for _ in 0..count {
        value_of(&mut body, code, depth_left)?;
    }
    end(body)
}

fn end(body: Decoder<'_>) -> Result<(), DecodeError> {
    if body.is_empty() {
        Ok(())
    } else {
        Err(DecodeError::LeftOver)
    }
}
