//! `--set`: one member of a record, named by its path.

use std::str::FromStr;

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::failure::Failure;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = None::<&'static str>)]
pub(super) struct Assignments {
    /// Set a member by its path, such as `capabilities.iotEdge=true` of an identity or `tags.site=north` of a twin; what
    /// is not JSON is text
    #[arg(long, value_name = "PATH=VALUE", num_args = 1..)]
    set: Vec<Assignment>,
}

#[derive(Debug, Clone, PartialEq)]
struct Assignment {
    path: Vec<String>,
    value: Value,
}

impl Assignments {
    /// Changes the record; it stays of its kind.
    pub(super) fn apply<T: Serialize + DeserializeOwned>(&self, record: &mut T) -> Result<(), Failure> {
        if self.set.is_empty() {
            return Ok(());
        }
        let mut value = serde_json::to_value(&*record)?;
        self.apply_to_json(&mut value)?;
        *record = serde_json::from_value(value).map_err(|error| Failure::usage(format!("--set: {error}")))?;
        Ok(())
    }

    /// Changes whatever is there.
    pub(super) fn apply_to_json(&self, value: &mut Value) -> Result<(), Failure> {
        self.set.iter().try_for_each(|assignment| assignment.apply(value))
    }

    /// The first path outside of what may be set.
    pub(super) fn first_outside(&self, allowed: &[&str]) -> Option<String> {
        let paths = self.set.iter().map(|assignment| assignment.path.join("."));
        let is_outside = |path: &String| !allowed.iter().any(|prefix| path.starts_with(prefix));
        paths.into_iter().find(is_outside)
    }
}

impl Assignment {
    fn apply(&self, record: &mut Value) -> Result<(), Failure> {
        let mut place = record;
        for name in &self.path {
            if place.is_null() {
                *place = Map::new().into();
            }
            let Some(members) = place.as_object_mut() else {
                let path = self.path.join(".");
                // What stands there may be a key.
                return Err(Failure::usage(format!("--set {path}: there can be no member {name:?}")));
            };
            place = members.entry(name.as_str()).or_insert(Value::Null);
        }
        *place = self.value.clone();
        Ok(())
    }
}

impl FromStr for Assignment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, value) = text.split_once('=').ok_or("there is no '='")?;
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err("a path is names with dots between them");
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        Ok(Self { path, value })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(text: &[&str], record: &Value) -> Result<Value, String> {
        let set = text.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let mut record = record.clone();
        let done = Assignments { set }.apply_to_json(&mut record);
        done.map(|()| record).map_err(|failure| failure.to_string())
    }

    #[test]
    fn members_are_set_by_their_path() {
        let record = json!({"a": {"b": 1}, "c": "x", "d": null});
        let changed = set(&["a.b=[1]", "a.new=text=1", "d.e=true", "c=null"], &record).unwrap();
        assert_eq!(
            changed,
            json!({"a": {"b": [1], "new": "text=1"}, "c": null, "d": {"e": true}})
        );
    }

    #[test]
    fn what_is_no_place_is_refused() {
        let record = json!({"c": "x"});
        assert_eq!(set(&["c"], &record).unwrap_err(), "there is no '='");
        assert_eq!(
            set(&["a..b=1"], &record).unwrap_err(),
            "a path is names with dots between them"
        );
        assert_eq!(
            set(&["c.d=1"], &record).unwrap_err(),
            "--set c.d: there can be no member \"d\""
        );
    }
}
