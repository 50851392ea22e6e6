//! Telemetry over HTTPS: answered when it is durable.

use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use ironhub_dialect::https::telemetry::{self as dialect, BatchItem};
use ironhub_hub::ports::Completion;
use ironhub_hub::{HubError, Ports, TelemetryError, TelemetrySender};
use ironhub_model::limits::D2C_MESSAGE_BYTES_MAX;
use ironhub_model::{D2cMessage, IdentityId};

use super::answer::{self, Answer};
use super::call::Call;

pub(super) async fn send<P: Ports>(call: &Call<P>, id: &IdentityId) -> Answer {
    let caller = call.authorize_device(id).await?;
    let body: Bytes = call.message_body(D2C_MESSAGE_BYTES_MAX).await?;
    let sender = call.hub().telemetry.sender(&caller, None);
    if dialect::is_batch(call.header(CONTENT_TYPE.as_str())) {
        let items = dialect::parse_batch(&body)?;
        call.in_time(send_batch(&sender, &items)).await?;
    } else {
        let headers = call.message_headers().await;
        let message = dialect::parse(&headers, &body);
        let sending = async { durable(submit(&sender, &message).await?).await };
        call.in_time(sending).await?;
    }
    Ok(answer::no_content())
}

async fn send_batch<P: Ports>(sender: &TelemetrySender<P>, items: &[BatchItem]) -> Result<(), HubError> {
    let mut completions = Vec::with_capacity(items.len());
    for item in items {
        completions.push(submit(sender, &item.message()).await?);
    }
    for completion in completions {
        durable(completion).await?;
    }
    Ok(())
}

/// Waits for room in the log.
async fn submit<P: Ports>(sender: &TelemetrySender<P>, message: &D2cMessage<'_>) -> Result<Completion, HubError> {
    loop {
        match sender.submit(message) {
            Ok(completion) => return Ok(completion),
            Err(TelemetryError::Full) => sender.ready().await?,
            Err(TelemetryError::Hub(error)) => return Err(error),
        }
    }
}

async fn durable(completion: Completion) -> Result<(), HubError> {
    completion.durable().await.map_err(|_| HubError::ShuttingDown)
}
