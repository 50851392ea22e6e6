//! Numbers that a back end sets and a device keeps to: desired properties by which it is told, reported ones by which it
//! answers.

use serde_json::{Map, Value, json};

/// One number.
#[derive(Debug)]
pub(super) struct Setting {
    /// Of the desired and of the reported property.
    pub(super) name: &'static str,
    pub(super) initial: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

/// What all settings of a device are now.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    known: &'static [Setting],
    values: Vec<f64>,
}

impl Settings {
    pub(super) fn new(known: &'static [Setting]) -> Self {
        Self {
            known,
            values: known.iter().map(|setting| setting.initial).collect(),
        }
    }

    /// 0 for a setting that there is not.
    pub(super) fn value(&self, name: &str) -> f64 {
        let mut all = self.known.iter().zip(&self.values);
        all.find_map(|(setting, value)| (setting.name == name).then_some(*value))
            .unwrap_or_default()
    }

    /// False when there is no such setting, or the value is none that it can have.
    pub(super) fn set(&mut self, name: &str, to: f64) -> bool {
        for (setting, value) in self.known.iter().zip(&mut self.values) {
            if setting.name == name && (setting.min..=setting.max).contains(&to) {
                *value = to;
                return true;
            }
        }
        false
    }

    /// What it began with.
    pub(super) fn reset(&mut self, name: &str) {
        if let Some(setting) = self.known.iter().find(|setting| setting.name == name) {
            self.set(name, setting.initial);
        }
    }

    /// Takes over what it can. Returns what is to be reported of these properties: each as it is now.
    pub(super) fn take(&mut self, desired: &Map<String, Value>) -> Map<String, Value> {
        let mut reported = Map::new();
        for (name, value) in desired {
            if let Some(value) = value.as_f64() {
                self.set(name, value);
            }
            if self.known.iter().any(|setting| setting.name == name) {
                reported.insert(name.clone(), json!(self.value(name)));
            }
        }
        reported
    }

    /// All of them, as reported properties.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let all = self.known.iter().zip(&self.values);
        all.map(|(setting, value)| (setting.name.to_owned(), json!(value)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Setting] = &[Setting {
        name: "speed",
        initial: 5.0,
        min: 0.0,
        max: 10.0,
    }];

    fn take(desired: &Value) -> (Value, f64) {
        let mut settings = Settings::new(KNOWN);
        let reported = settings.take(desired.as_object().unwrap());
        (Value::Object(reported), settings.value("speed"))
    }

    #[test]
    fn what_is_desired_is_taken_over_or_answered_with_what_is() {
        for (desired, reported, speed) in [
            (json!({ "speed": 7 }), json!({ "speed": 7.0 }), 7.0),
            (json!({ "speed": 11 }), json!({ "speed": 5.0 }), 5.0),
            (json!({ "speed": "fast" }), json!({ "speed": 5.0 }), 5.0),
            (json!({ "speed": null }), json!({ "speed": 5.0 }), 5.0),
            (json!({ "other": 1 }), json!({}), 5.0),
        ] {
            assert_eq!(take(&desired), (reported, speed), "{desired}");
        }
    }
}
