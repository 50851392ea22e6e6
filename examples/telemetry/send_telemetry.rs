//! A device that measures the wind and sends its speed once a second.
//!
//! Usage: `send_telemetry [number of messages]`

use std::env;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ironhub_client::{DeviceClient, Telemetry};
use serde_json::json;
use tokio::time::interval;

const STORM_METRES_PER_S: f64 = 14.0;

#[tokio::main]
async fn main() -> Result<()> {
    let count = env::args().nth(1).map_or(Ok(10), |count| count.parse())?;
    let connection_string = env::var("IOTHUB_DEVICE_CONNECTION_STRING").context("IOTHUB_DEVICE_CONNECTION_STRING")?;
    let device = DeviceClient::builder(&connection_string)?.connect().await?;

    let mut clock = interval(Duration::from_secs(1));
    for number in 1..=count {
        clock.tick().await;
        let wind_speed = wind_speed(number);
        let storm = wind_speed > STORM_METRES_PER_S;
        let message = Telemetry::json(&json!({ "windSpeed": wind_speed }))?.property("storm", storm.to_string());
        // Comes back when the hub has stored the message; reconnects and sends again until then.
        device.send_telemetry(message).await?;
        println!("sent {wind_speed:.1} m/s, storm: {storm}");
    }
    device.close().await;
    Ok(())
}

/// The wind comes in gusts. To one decimal.
fn wind_speed(number: u32) -> f64 {
    let metres_per_s = 10.0 + 6.0 * f64::from(number).sin();
    (metres_per_s * 10.0).round() / 10.0
}
