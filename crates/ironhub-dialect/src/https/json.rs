//! Reading JSON bodies: names without letter case as the service does, the last of two with one name, typed members.

use serde_json::{Map, Value};

use super::error::InvalidRequest;

/// The members of an object.
#[derive(Debug)]
pub(super) struct Members<'a> {
    what: &'a str,
    map: &'a Map<String, Value>,
}

/// Any JSON. Nesting deeper than 128 levels is refused by the parser; bytes are bounded by whoever read the body.
pub(super) fn parse(body: &[u8]) -> Result<Value, InvalidRequest> {
    serde_json::from_slice(body).map_err(|error| InvalidRequest::Malformed(format!("the body is not JSON: {error}")))
}

impl<'a> Members<'a> {
    /// The members of `value`, which `what` names in complaints.
    pub(super) fn of(value: &'a Value, what: &'a str) -> Result<Self, InvalidRequest> {
        let map = value
            .as_object()
            .ok_or_else(|| InvalidRequest::Malformed(format!("{what} is not a JSON object")))?;
        Ok(Self { what, map })
    }

    /// A member; one that is null counts as absent.
    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.raw(name).filter(|value| !value.is_null())
    }

    /// A member, null or not. A name in the right letter case goes before another.
    pub(super) fn raw(&self, name: &str) -> Option<&'a Value> {
        let mut others = self.map.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        self.map.get(name).or_else(|| others.next().map(|(_, value)| value))
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, InvalidRequest> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A text to keep.
    pub(super) fn string(&self, name: &str) -> Result<Option<String>, InvalidRequest> {
        Ok(self.text(name)?.map(str::to_owned))
    }

    /// True or false.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, InvalidRequest> {
        self.typed(name, "a boolean", Value::as_bool)
    }

    /// An object within.
    pub(super) fn object(&self, name: &'a str) -> Result<Option<Members<'a>>, InvalidRequest> {
        self.value(name).map(|value| Members::of(value, name)).transpose()
    }

    /// A list of texts; absent counts as empty.
    pub(super) fn strings(&self, name: &str) -> Result<Vec<String>, InvalidRequest> {
        let list = self.typed(name, "an array of strings", |value| {
            let texts = value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<String>>>()
        })?;
        Ok(list.unwrap_or_default())
    }

    fn typed<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, InvalidRequest> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        match read(value) {
            Some(value) => Ok(Some(value)),
            None => Err(InvalidRequest::Malformed(format!(
                "{name} of {} is not {expected}",
                self.what
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_and_typed() {
        let value = parse(br#"{"A":1,"deviceId":"x","DEVICEID":"y","Status":"s","n":null,"l":["a"]}"#).unwrap();
        let members = Members::of(&value, "the body").unwrap();
        assert_eq!(members.text("deviceId"), Ok(Some("x")));
        assert_eq!(members.text("status"), Ok(Some("s")));
        assert_eq!(members.text("n"), Ok(None));
        assert_eq!(members.strings("l"), Ok(vec!["a".into()]));
        assert_eq!(
            members.text("a"),
            Err(InvalidRequest::Malformed("a of the body is not a string".into()))
        );
        assert!(members.raw("n").is_some_and(Value::is_null));
    }

    #[test]
    fn the_last_of_two_wins_and_depth_is_bounded() {
        assert_eq!(parse(br#"{"a":1,"a":2}"#).unwrap()["a"], 2);
        assert!(parse("[".repeat(200).as_bytes()).is_err());
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(parse(deep.as_bytes()).is_err());
        assert!(parse(b"").is_err());
        assert!(parse(b"{} x").is_err());
    }
}
