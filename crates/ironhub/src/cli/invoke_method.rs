//! `ironhub invoke-device-method` and `ironhub invoke-module-method`.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use ironhub_client::MethodInvocation;
use ironhub_model::limits::{METHOD_CONNECT_TIMEOUT_MAX, METHOD_RESPONSE_TIMEOUT_MAX, METHOD_RESPONSE_TIMEOUT_MIN};
use ironhub_model::{IdentityId, MethodName};
use serde_json::json;

use super::answer::Form;
use super::failure::Failure;
use super::json_text;
use super::login::Login;
use super::table::Column;
use super::target::{TargetDevice, TargetModule};

const COLUMNS: &[Column] = &[("Status", "/status"), ("Payload", "/payload")];

/// A device says by such a status that it did not do it.
const STATUSES_REFUSED: RangeInclusive<i32> = 400..=599;

#[derive(Debug, Args)]
pub(crate) struct InvokeArgs<T: Args> {
    #[command(flatten)]
    target: T,
    /// Which method
    #[arg(long, visible_alias = "mn", value_name = "NAME")]
    method_name: String,
    /// What its handler gets: JSON, a file that holds it, or `@-` for standard input
    #[arg(long, visible_alias = "mp", value_name = "JSON", default_value = "{}")]
    method_payload: String,
    /// How long it may take to answer, in seconds
    #[arg(long, visible_alias = "to", value_name = "SECONDS", default_value = "30", value_parser = response_seconds())]
    timeout: u64,
    /// How long to wait when it is not connected, in seconds
    #[arg(long, visible_alias = "mct", value_name = "SECONDS", default_value = "0", value_parser = connect_seconds())]
    method_connect_timeout: u64,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: InvokeArgs<TargetDevice>) -> Result<(), Failure> {
    args.invoke(&args.target.id()).await
}

pub(super) async fn run_for_module(args: InvokeArgs<TargetModule>) -> Result<(), Failure> {
    args.invoke(&args.target.id()).await
}

impl<T: Args> InvokeArgs<T> {
    async fn invoke(&self, id: &IdentityId) -> Result<(), Failure> {
        let name = &self.method_name;
        MethodName::parse(name).map_err(|error| Failure::usage(format!("--method-name: {error}")))?;
        let invocation = MethodInvocation::new(name)
            .payload(json_text::parse("--method-payload", &self.method_payload)?)
            .response_timeout(Duration::from_secs(self.timeout))
            .connect_timeout(Duration::from_secs(self.method_connect_timeout));
        let answer = self.login.service()?.invoke_method(&id.to_string(), invocation).await?;
        let status = answer.status;
        let shown = json!({ "payload": answer.payload, "status": status });
        self.form.print(&shown, COLUMNS)?;
        if STATUSES_REFUSED.contains(&status) {
            return Err(Failure::refused(format!("{id} answered {name} with status {status}")));
        }
        Ok(())
    }
}

fn response_seconds() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(METHOD_RESPONSE_TIMEOUT_MIN.as_secs()..=METHOD_RESPONSE_TIMEOUT_MAX.as_secs())
}

fn connect_seconds() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(0..=METHOD_CONNECT_TIMEOUT_MAX.as_secs())
}
