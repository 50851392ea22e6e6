//! Comparing JSON with what a transcript expects.

use std::collections::HashMap;

use serde_json::Value;

/// Stands for anything but null; as a member, for members that are not named.
const REST: &str = "…";

/// What a text such as `$etag` stands for.
pub(crate) type Names = HashMap<String, Value>;

/// Is it this value? Members as many and in any order, unless one of them says that there may be more. Notes what
/// stands where a text begins with a dollar, which has to be the same wherever that stands.
pub(crate) fn matches(wanted: &Value, heard: &Value, names: &mut Names) -> bool {
    match (wanted, heard) {
        (Value::String(text), heard) if text == REST => !heard.is_null(),
        (Value::String(text), heard) if text.starts_with('$') => {
            names.entry(text.clone()).or_insert_with(|| heard.clone()) == heard
        }
        (Value::Object(wanted), Value::Object(heard)) => {
            let mut is_there = |(name, wanted): (&String, &Value)| {
                let heard = heard.get(name);
                name == REST || heard.is_some_and(|heard| matches(wanted, heard, names))
            };
            (wanted.contains_key(REST) || wanted.len() == heard.len()) && wanted.iter().all(&mut is_there)
        }
        (Value::Array(wanted), Value::Array(heard)) => {
            let mut both = wanted.iter().zip(heard);
            wanted.len() == heard.len() && both.all(|(wanted, heard)| matches(wanted, heard, names))
        }
        (wanted, heard) => wanted == heard,
    }
}
