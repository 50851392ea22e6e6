//! `--output`: how a verb's answer is printed.

use clap::Args;
use ironhub_model::ConnectionString;
use serde::Serialize;
use serde_json::{Value, json};

use super::failure::Failure;
use super::login::Hub;
use super::table::{self, Column};
use crate::output::{self, Output};

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = None::<&'static str>)]
pub(crate) struct Form {
    /// As JSON or as a table
    #[arg(long, short = 'o', value_enum, default_value = "json", help_heading = None)]
    pub(crate) output: Output,
}

/// A record, and the hub that has it.
#[derive(Serialize)]
pub(super) struct WithHub<'a, T> {
    #[serde(flatten)]
    record: &'a T,
    hub: &'a str,
}

impl<'a, T> WithHub<'a, T> {
    pub(super) fn new(record: &'a T, hub: &'a Hub) -> Self {
        Self {
            record,
            hub: &hub.connection.host_name,
        }
    }
}

impl Form {
    /// Prints a record, or a list of records; a table has these columns.
    pub(crate) fn print(self, answer: &impl Serialize, columns: &[Column]) -> Result<(), Failure> {
        let answer = serde_json::to_value(answer)?;
        let records = answer.as_array().map_or(std::slice::from_ref(&answer), Vec::as_slice);
        self.print_with(&answer, || table::columns(records, columns))
    }

    /// Prints a connection string, as `az iot` does.
    pub(super) fn print_connection_string(self, connection: &ConnectionString) -> Result<(), Failure> {
        let answer = json!({ "connectionString": connection.expose() });
        self.print(&answer, &[("ConnectionString", "/connectionString")])
    }

    /// Prints an answer that has another form as a table.
    pub(super) fn print_as(self, answer: &Value, records: &[Value], columns: &[Column]) -> Result<(), Failure> {
        self.print_with(answer, || table::columns(records, columns))
    }

    /// Prints records whose members are not known beforehand.
    pub(crate) fn print_any(self, records: &[Value]) -> Result<(), Failure> {
        self.print_with(&records, || table::scalars(records))
    }

    fn print_with(self, answer: &impl Serialize, table: impl FnOnce() -> String) -> Result<(), Failure> {
        output::print(&match self.output {
            Output::Json => serde_json::to_string_pretty(answer)? + "\n",
            Output::Table => table(),
        })?;
        Ok(())
    }
}
