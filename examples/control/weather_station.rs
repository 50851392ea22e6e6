//! A device that sends the wind speed at an interval which the direct method `SetTelemetryInterval` changes.
//!
//! Usage: `weather_station [number of messages] [interval in seconds]`

use std::env;
use std::future::ready;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ironhub_client::{DeviceClient, MethodResponse, Telemetry};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;

const INTERVAL_S_MAX: u64 = 86_400;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let count = arguments.next().map_or(Ok(10), |count| count.parse())?;
    let interval_s = arguments.next().map_or(Ok(10), |seconds| seconds.parse())?;
    let connection_string = env::var("IOTHUB_DEVICE_CONNECTION_STRING").context("IOTHUB_DEVICE_CONNECTION_STRING")?;
    let device = DeviceClient::builder(&connection_string)?.connect().await?;

    let (set_interval, mut interval) = watch::channel(interval_s);
    let handler = device.on_method("SetTelemetryInterval", move |request| {
        let answer = match request.json() {
            Ok(seconds @ 1..=INTERVAL_S_MAX) => {
                set_interval.send_replace(seconds);
                MethodResponse::from(json!({ "interval": seconds }))
            }
            _ => MethodResponse::json(400, &json!({ "error": "the interval is 1 to 86400 seconds" })),
        };
        ready(answer)
    });
    handler.await?;
    println!("ready");

    for number in 1..=count {
        let interval_s = *interval.borrow_and_update();
        let message = json!({ "windSpeed": wind_speed(number), "interval": interval_s });
        device.send_telemetry(Telemetry::json(&message)?).await?;
        println!("sent {message}");
        if number < count {
            // The pause ends early when the interval is changed.
            let _ = timeout(Duration::from_secs(interval_s), interval.changed()).await;
        }
    }
    device.close().await;
    Ok(())
}

/// The wind comes in gusts. Metres per second, to one decimal.
fn wind_speed(number: u32) -> f64 {
    let metres_per_s = 10.0 + 6.0 * f64::from(number).sin();
    (metres_per_s * 10.0).round() / 10.0
}
