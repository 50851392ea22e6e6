//! `ironhub device c2d-message send`.

use std::time::Duration;

use clap::Args;
use ironhub_client::ServiceClient;
use ironhub_model::limits::C2D_MESSAGE_BYTES_MAX;
use ironhub_model::{AckRequest, C2dMessage, DeviceId, LockToken, Timestamp};

use crate::cli::answer::Form;
use crate::cli::clock;
use crate::cli::failure::Failure;
use crate::cli::feedback_record;
use crate::cli::login::Login;
use crate::cli::message_body::{BodyForm, MessageBody};
use crate::cli::property_list::PropertyList;
use crate::cli::watch::{Seen, Watch};
use crate::output;

/// The flags of `send`.
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The device
    #[arg(long, short = 'd', value_name = "ID", value_parser = DeviceId::parse)]
    device_id: DeviceId,
    #[command(flatten)]
    body: MessageBody,
    /// The content type of the body
    #[arg(long, visible_alias = "ct", value_name = "TYPE")]
    content_type: Option<String>,
    /// The encoding of the body; text is encoded in `utf-8`, `utf-16` or `utf-32`
    #[arg(long, visible_alias = "ce", value_name = "ENCODING", default_value = "utf-8")]
    content_encoding: String,
    /// The message's own properties
    #[arg(
        long,
        short = 'p',
        visible_alias = "props",
        value_name = "NAME=VALUE;…",
        default_value = ""
    )]
    #[arg(hide_default_value = true)]
    properties: PropertyList,
    /// The message ID; made up when left out
    #[arg(long, visible_alias = "mid", value_name = "ID")]
    message_id: Option<String>,
    /// The correlation ID
    #[arg(long, visible_alias = "cid", value_name = "ID")]
    correlation_id: Option<String>,
    /// The user ID
    #[arg(long, visible_alias = "uid", value_name = "ID")]
    user_id: Option<String>,
    /// When the message expires, in milliseconds since 1970; after the hub's time to live when left out
    #[arg(long, visible_alias = "expiry", value_name = "MS")]
    expiry_time_utc: Option<i64>,
    /// Of which outcomes the hub tells
    #[arg(long, value_name = "WHICH", ignore_case = true)]
    ack: Option<Ack>,
    /// Wait for what the device makes of the message, and print it; other feedback that comes meanwhile is named on
    /// standard error
    #[arg(long, short = 'w')]
    wait: bool,
    /// How many seconds to wait; 0 waits for ever. Exit code 5 when they are over
    #[arg(
        long,
        visible_alias = "to",
        value_name = "SECONDS",
        default_value_t = 300,
        requires = "wait"
    )]
    timeout: u64,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

/// Outcomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Ack {
    /// That the device has completed it
    Positive,
    /// That the device has rejected it, that it has expired or was delivered too often
    Negative,
    /// Of every outcome
    Full,
    /// Of none
    None,
}

pub(super) async fn run(args: SendArgs) -> Result<(), Failure> {
    if args.wait && matches!(args.ack, None | Some(Ack::None)) {
        return Err(Failure::usage(
            "--wait needs --ack full, positive or negative: else no feedback comes",
        ));
    }
    let message = args.message()?;
    let message_id = message.message_id.clone().unwrap_or_default();
    let service = args.login.service()?;
    let mut sender = service.c2d_sender();
    let sent = sender.send(&args.device_id, message).await;
    sender.close().await;
    sent?;
    // Whoever has read the note may end the wait in order.
    let watch = args.watch()?;
    output::note(&format!("message {message_id} is in the queue of {}", args.device_id));
    match watch {
        Some(watch) => args.wait_for_feedback(&service, &message_id, watch).await,
        None => Ok(()),
    }
}

impl SendArgs {
    fn message(&self) -> Result<C2dMessage, Failure> {
        let content_encoding = Some(self.content_encoding.clone()).filter(|encoding| !encoding.is_empty());
        let body = self.body.read(&BodyForm {
            content_type: self.content_type.as_deref(),
            content_encoding: content_encoding.as_deref(),
            bytes_max: C2D_MESSAGE_BYTES_MAX,
        })?;
        let PropertyList(properties) = self.properties.clone();
        Ok(C2dMessage {
            message_id: Some(match &self.message_id {
                Some(id) => id.clone(),
                None => message_id()?,
            }),
            correlation_id: self.correlation_id.clone(),
            user_id: self.user_id.clone(),
            to: String::new(),
            content_type: self.content_type.clone(),
            content_encoding,
            ack: self.ack.map(AckRequest::from),
            expires_at: self.expires_at()?,
            properties,
            body,
        })
    }

    fn expires_at(&self) -> Result<Option<Timestamp>, Failure> {
        let Some(expires_at) = self.expiry_time_utc.map(Timestamp::from_millis) else {
            return Ok(None);
        };
        if expires_at <= clock::now() {
            return Err(Failure::usage(format!(
                "--expiry-time-utc is in the past: {expires_at}"
            )));
        }
        Ok(Some(expires_at))
    }

    /// For `--wait`.
    fn watch(&self) -> Result<Option<Watch>, Failure> {
        let limit = Some(Duration::from_secs(self.timeout)).filter(|timeout| !timeout.is_zero());
        Ok(self.wait.then(|| Watch::new(limit)).transpose()?)
    }

    async fn wait_for_feedback(
        &self,
        service: &ServiceClient,
        message_id: &str,
        mut watch: Watch,
    ) -> Result<(), Failure> {
        let mut feedback = service.feedback();
        let outcome = loop {
            let batch = match watch.next(feedback.next()).await {
                Seen::Result(batch) => batch?,
                Seen::Stopped => break Err(feedback_record::stopped(message_id)),
                Seen::TimedOut => break Err(feedback_record::missing(message_id, self.timeout)),
            };
            let (own, other) = batch.records.iter().cloned().partition::<Vec<_>, _>(|record| {
                record.device_id == self.device_id && record.original_message_id.as_deref() == Some(message_id)
            });
            feedback.complete(batch).await?;
            for record in &other {
                output::note(&format!("meanwhile: {}", feedback_record::line(record)));
            }
            if let Some(record) = own.first() {
                let _ = feedback_record::print(self.form, record)?; // One is all.
                break Ok(());
            }
        };
        feedback.close().await;
        outcome
    }
}

impl From<Ack> for AckRequest {
    fn from(ack: Ack) -> Self {
        match ack {
            Ack::Positive => Self::Positive,
            Ack::Negative => Self::Negative,
            Ack::Full => Self::Full,
            Ack::None => Self::None,
        }
    }
}

/// A GUID by chance.
fn message_id() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::failed(format!("no random numbers: {error}")))?;
    Ok(LockToken::from_random(bytes).to_string())
}
