//! `ironhub monitor-feedback`: what becomes of messages to devices.

use std::time::Duration;

use clap::Args;
use ironhub_client::FeedbackReceiver;
use ironhub_model::FeedbackRecord;

use super::answer::Form;
use super::failure::Failure;
use super::feedback_record;
use super::login::Login;
use super::watch::{Seen, Watch};
use crate::output;

/// The flags of `ironhub monitor-feedback`.
#[derive(Debug, Args)]
pub(crate) struct MonitorFeedbackArgs {
    /// Print only what is about this device
    #[arg(long, short = 'd', value_name = "ID")]
    device_id: Option<String>,
    /// End with the feedback on the message with this ID
    #[arg(long, short = 'w', value_name = "ID")]
    wait_on_msg: Option<String>,
    /// End when nothing has come for so many seconds, with exit code 5 if a message was waited for; 0 never ends
    #[arg(long, short = 't', visible_alias = "to", value_name = "SECONDS", default_value_t = 0)]
    timeout: u64,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

pub(crate) async fn run(args: MonitorFeedbackArgs) -> Result<(), Failure> {
    let service = args.login.service()?;
    let mut watch = Watch::new(Some(Duration::from_secs(args.timeout)).filter(|timeout| !timeout.is_zero()))?;
    let mut feedback = service.feedback();
    output::note(&args.starting());
    let outcome = args.print_feedback(&mut feedback, &mut watch).await;
    feedback.close().await;
    outcome
}

impl MonitorFeedbackArgs {
    /// In the words of the Azure command line.
    fn starting(&self) -> String {
        let device = self.device_id.as_ref();
        let device = device.map(|device| format!(" filtering on device: {device},"));
        format!(
            "Starting C2D feedback monitor,{} use ctrl-c to stop...",
            device.unwrap_or_default()
        )
    }

    async fn print_feedback(&self, feedback: &mut FeedbackReceiver, watch: &mut Watch) -> Result<(), Failure> {
        loop {
            let batch = match watch.next(feedback.next()).await {
                Seen::Result(batch) => batch?,
                Seen::Stopped => return self.without(feedback_record::stopped),
                Seen::TimedOut => return self.without(|message| feedback_record::missing(message, self.timeout)),
            };
            watch.restart();
            let mut is_over = false;
            for record in batch.records.iter().filter(|record| self.is_wanted(record)) {
                if feedback_record::print(self.form, record)?.is_break() {
                    // Nobody has seen it: it has to come again.
                    return Ok(feedback.abandon(batch).await?);
                }
                is_over |= self.wait_on_msg.is_some() && self.wait_on_msg == record.original_message_id;
            }
            feedback.complete(batch).await?;
            if is_over {
                return Ok(());
            }
        }
    }

    /// It ends without the message that was waited for, if one was.
    fn without(&self, failure: impl FnOnce(&str) -> Failure) -> Result<(), Failure> {
        match &self.wait_on_msg {
            Some(message) => Err(failure(message)),
            None => Ok(()),
        }
    }

    fn is_wanted(&self, record: &FeedbackRecord) -> bool {
        let wanted = self.device_id.as_ref();
        // As the Azure command line compares them.
        wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(record.device_id.as_str()))
    }
}
