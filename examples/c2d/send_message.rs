//! A back end that sends a device a message and waits until it hears what became of it.
//!
//! Usage: `send_message <device ID> <text>`

use std::env;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use ironhub_client::{AckRequest, C2dMessage, DeviceId, FeedbackRecord, ServiceClient, Timestamp};

const USAGE: &str = "usage: send_message <device ID> <text>";
const TIME_TO_LIVE: Duration = Duration::from_mins(1);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let device_id = DeviceId::parse(&arguments.next().context(USAGE)?)?;
    let text = arguments.next().context(USAGE)?;
    let connection_string = env::var("IOTHUB_CONNECTION_STRING").context("IOTHUB_CONNECTION_STRING")?;
    let service = ServiceClient::builder(&connection_string)?.build()?;

    let now = Timestamp::from(SystemTime::now());
    let message_id = format!("{device_id}-{}", now.as_micros());
    let message = C2dMessage {
        message_id: Some(message_id.clone()),
        ack: Some(AckRequest::Full),
        expires_at: Some(now.saturating_add(TIME_TO_LIVE)),
        properties: vec![("priority".to_owned(), "high".to_owned())],
        body: text.into_bytes(),
        ..C2dMessage::default()
    };
    let mut sender = service.c2d_sender();
    sender.send(&device_id, message).await?;
    sender.close().await;
    println!("sent {message_id}");

    let record = feedback(&service, &message_id).await?;
    println!("{:?}: {}", record.status_code, record.description);
    Ok(())
}

/// Waits for the report about one message. A hub has one queue of reports: who completes a batch takes all of it.
async fn feedback(service: &ServiceClient, message_id: &str) -> Result<FeedbackRecord> {
    let mut feedback = service.feedback();
    loop {
        let batch = feedback.next().await?;
        let is_ours = |record: &&FeedbackRecord| record.original_message_id.as_deref() == Some(message_id);
        let found = batch.records.iter().find(is_ours).cloned();
        feedback.complete(batch).await?;
        if let Some(record) = found {
            feedback.close().await;
            return Ok(record);
        }
    }
}
