use serde_json::{Map, Value};

use crate::ast::{ColumnValue, Query, Select};

impl Query {
    /// The result row for a row that matches: the row itself for `SELECT *`, else an object of the selected values, in
    /// their order and without the undefined ones. Aggregates are left out: see [`Query::aggregator`].
    pub fn project(&self, row: Value) -> Value {
        let columns = match &self.select {
            Select::All => return row,
            Select::Columns(columns) => columns,
        };
        let mut projected = Map::new();
        for column in columns {
            if let ColumnValue::Path(path) = &column.value
                && let Some(value) = path.find(&row)
            {
                projected.insert(column.key.clone(), value.clone());
            }
        }
        Value::Object(projected)
    }
}
