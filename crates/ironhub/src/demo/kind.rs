//! What demonstration devices there are, and how each behaves.

use ironhub_client::MethodResponse;
use serde_json::{Value, json};

use super::settings::{Setting, Settings};
use crate::cli::Dice;

/// Seconds between two messages.
pub(super) const INTERVAL: &str = "intervalSeconds";
const TARGET: &str = "targetTemperature";
const SPEED: &str = "speedRpm";

/// Changes the settings and says what came of it.
pub(super) type Act = fn(&mut Settings) -> MethodResponse;

/// One device or module.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) id: &'static str,
    /// A tag of its twin, to query by.
    pub(super) site: &'static str,
    pub(super) firmware: &'static str,
    pub(super) settings: &'static [Setting],
    /// Its next message, from its settings and what it measured last.
    pub(super) measure: fn(&Settings, &mut f64, &mut Dice) -> Value,
    /// Methods besides those that all of them have.
    pub(super) methods: &'static [(&'static str, Act)],
}

const fn interval() -> Setting {
    Setting {
        name: INTERVAL,
        initial: 2.0,
        min: 0.1,
        max: 3600.0,
    }
}

const THERMOSTAT: &[Setting] = &[
    interval(),
    Setting {
        name: TARGET,
        initial: 21.0,
        min: 5.0,
        max: 35.0,
    },
];

const PUMP: &[Setting] = &[
    interval(),
    Setting {
        name: SPEED,
        initial: 1500.0,
        min: 0.0,
        max: 3000.0,
    },
];

pub(super) const KINDS: &[Kind] = &[
    Kind {
        id: "demo-thermostat-1",
        site: "north",
        firmware: "1.4.2",
        settings: THERMOSTAT,
        measure: room,
        methods: &[],
    },
    Kind {
        id: "demo-thermostat-2",
        site: "south",
        firmware: "1.3.9",
        settings: THERMOSTAT,
        measure: room,
        methods: &[],
    },
    Kind {
        id: "demo-pump-1",
        site: "south",
        firmware: "2.0.1",
        settings: PUMP,
        measure: pump,
        methods: &[("start", start), ("stop", stop)],
    },
    Kind {
        id: "demo-pump-1/controller",
        site: "south",
        firmware: "0.9.0",
        settings: PUMP,
        measure: motor,
        methods: &[("start", start), ("stop", stop)],
    },
];

/// A room comes near the temperature that is wanted, slowly.
fn room(settings: &Settings, temperature: &mut f64, dice: &mut Dice) -> Value {
    if *temperature <= 0.0 {
        *temperature = 17.0 + 3.0 * dice.draw();
    }
    *temperature += 0.1 * (settings.value(TARGET) - *temperature) + 0.3 * (dice.draw() - 0.5);
    json!({ "temperature": rounded(*temperature), "humidity": rounded(45.0 + 10.0 * dice.draw()) })
}

fn pump(settings: &Settings, litres: &mut f64, dice: &mut Dice) -> Value {
    let speed = settings.value(SPEED);
    let flow = speed * (0.019 + 0.002 * dice.draw());
    *litres += flow * settings.value(INTERVAL) / 60.0;
    json!({
        "pressureBar": rounded(speed * (0.002 + 0.0002 * dice.draw())),
        "flowLitresPerMinute": rounded(flow),
        "totalLitres": rounded(*litres),
    })
}

fn motor(settings: &Settings, temperature: &mut f64, dice: &mut Dice) -> Value {
    let speed = settings.value(SPEED);
    *temperature = 25.0 + speed / 60.0 + 2.0 * dice.draw();
    json!({ "speedRpm": speed, "motorTemperature": rounded(*temperature) })
}

fn start(settings: &mut Settings) -> MethodResponse {
    settings.reset(SPEED);
    MethodResponse::from(json!({ "speedRpm": settings.value(SPEED) }))
}

fn stop(settings: &mut Settings) -> MethodResponse {
    settings.set(SPEED, 0.0);
    MethodResponse::from(json!({ "speedRpm": settings.value(SPEED) }))
}

/// To two digits, as sensors tell.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_gets_as_warm_as_is_wanted() {
        let (mut settings, mut temperature, mut dice) = (Settings::new(THERMOSTAT), 0.0, Dice::of(1));
        assert!(settings.set(TARGET, 30.0));
        for _ in 0..100 {
            let _ = room(&settings, &mut temperature, &mut dice);
        }
        assert!((28.0..32.0).contains(&temperature), "{temperature}");
    }

    #[test]
    fn a_pump_that_stands_moves_nothing() {
        let (mut settings, mut litres, mut dice) = (Settings::new(PUMP), 0.0, Dice::of(1));
        let _ = stop(&mut settings);
        assert_eq!(pump(&settings, &mut litres, &mut dice)["totalLitres"], 0.0);
        let _ = start(&mut settings);
        assert!(pump(&settings, &mut litres, &mut dice)["totalLitres"].as_f64().unwrap() > 0.0);
    }
}
