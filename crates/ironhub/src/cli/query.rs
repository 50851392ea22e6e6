//! `ironhub query`: the twins and identities that fit a condition.

use std::str::FromStr;

use clap::Args;
use ironhub_client::ServiceClient;
use serde_json::Value;

use super::answer::Form;
use super::failure::Failure;
use super::login::Login;

/// As many as the hub gives at once.
const ROWS_PER_PAGE_MAX: u16 = 1000;

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// In the query language of Azure IoT Hub
    #[arg(long, short = 'q', value_name = "QUERY")]
    query_command: String,
    /// At most so many rows; -1 for all
    #[arg(long, value_name = "COUNT", default_value = "-1", allow_negative_numbers = true)]
    top: Top,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

/// `--top`: how many records at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Top(Option<usize>);

pub(super) async fn run(args: QueryArgs) -> Result<(), Failure> {
    let rows = rows(&args.login.service()?, &args.query_command, args.top).await?;
    args.form.print_any(&rows)
}

/// Up to so many rows.
pub(super) async fn rows(service: &ServiceClient, query: &str, top: Top) -> Result<Vec<Value>, Failure> {
    let most = top.0.unwrap_or(usize::MAX);
    let per_page = u16::try_from(most).unwrap_or(u16::MAX).min(ROWS_PER_PAGE_MAX);
    let mut pages = service.query(query, per_page);
    let mut rows = Vec::new();
    while rows.len() < most {
        let Some(page) = pages.next().await? else { break };
        rows.extend(page);
    }
    rows.truncate(most);
    Ok(rows)
}

impl Top {
    pub(super) const ALL: Self = Self(None);

    pub(super) fn first_of<T>(self, mut records: Vec<T>) -> Vec<T> {
        records.truncate(self.0.unwrap_or(usize::MAX));
        records
    }
}

impl FromStr for Top {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<i64>() {
            Ok(-1) => Ok(Self(None)),
            Ok(count) if count > 0 => Ok(Self(usize::try_from(count).ok())),
            _ => Err("a number from 1 on, or -1 for all"),
        }
    }
}
