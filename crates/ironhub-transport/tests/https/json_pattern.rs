//! Comparing JSON with what a transcript expects.

use serde_json::Value;

/// Stands for anything but null; as a member, for members that are not named.
const REST: &str = "…";

/// Is it this value? Members as many and in any order, unless one of them says that there may be more.
pub(crate) fn matches(wanted: &Value, heard: &Value) -> bool {
    match (wanted, heard) {
        (Value::String(text), heard) if text == REST => !heard.is_null(),
        (Value::Object(wanted), Value::Object(heard)) => {
            let is_there = |(name, wanted): (&String, &Value)| {
                name == REST || heard.get(name).is_some_and(|heard| matches(wanted, heard))
            };
            (wanted.contains_key(REST) || wanted.len() == heard.len()) && wanted.iter().all(is_there)
        }
        (Value::Array(wanted), Value::Array(heard)) => {
            wanted.len() == heard.len() && wanted.iter().zip(heard).all(|(wanted, heard)| matches(wanted, heard))
        }
        (wanted, heard) => wanted == heard,
    }
}
