use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use crate::ast::{Aggregate, Column, ColumnValue, Path, Query};
use crate::eval::Operand;
use crate::limits::{GROUP_BYTES_MAX, GROUPS_MAX, WHOLE_NUMBER_MAX};

/// The GROUP BY of a query forms more groups than the limits allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("query forms more than {GROUPS_MAX} groups or {GROUP_BYTES_MAX} bytes of them, narrow it with WHERE")]
pub struct TooManyGroups;

/// Turns rows into groups: push each row that matches, then finish.
#[derive(Debug)]
pub struct Aggregator<'q> {
    query: &'q Query,
    groups: Vec<Group>,
    index_by_key: HashMap<String, usize>,
    bytes: usize,
}

impl Query {
    /// What makes the result rows of an aggregate query; `None` if each row is a result of its own.
    pub fn aggregator(&self) -> Option<Aggregator<'_>> {
        self.is_aggregate().then(|| Aggregator::new(self))
    }
}

impl<'q> Aggregator<'q> {
    fn new(query: &'q Query) -> Self {
        let mut aggregator = Self {
            query,
            groups: Vec::new(),
            index_by_key: HashMap::new(),
            bytes: 0,
        };
        if query.group_by.is_empty() {
            // Without GROUP BY all rows are one group, which exists even if there are none: COUNT() is 0.
            let group = Group::new(query.columns(), &Value::Null);
            aggregator.bytes = group.bytes;
            aggregator.groups.push(group);
        }
        aggregator
    }

    /// Adds a row. The caller has checked that it [matches](Query::matches). A row that lacks a path of GROUP BY belongs
    /// to no group.
    ///
    /// # Errors
    /// [`TooManyGroups`] once [`GROUPS_MAX`] or [`GROUP_BYTES_MAX`] is passed.
    pub fn push(&mut self, row: &Value) -> Result<(), TooManyGroups> {
        let index = if self.query.group_by.is_empty() {
            0
        } else if let Some(key) = group_key(&self.query.group_by, row) {
            self.group_index(key, row)?
        } else {
            return Ok(());
        };
        if let Some(group) = self.groups.get_mut(index) {
            let bytes_before = group.bytes;
            group.push(self.query.columns(), row);
            self.bytes = self.bytes - bytes_before + group.bytes;
        }
        if self.bytes > GROUP_BYTES_MAX {
            Err(TooManyGroups)
        } else {
            Ok(())
        }
    }

    /// The result rows, in the order in which their groups first appeared, at most [`Query::top`] of them.
    pub fn finish(self) -> Vec<Value> {
        let rows_max = self
            .query
            .top()
            .map_or(usize::MAX, |top| usize::try_from(top).unwrap_or(usize::MAX));
        let columns = self.query.columns();
        self.groups
            .into_iter()
            .take(rows_max)
            .map(|group| group.finish(columns))
            .collect()
    }

    fn group_index(&mut self, key: String, row: &Value) -> Result<usize, TooManyGroups> {
        if let Some(index) = self.index_by_key.get(&key) {
            return Ok(*index);
        }
        let index = self.groups.len();
        if index == GROUPS_MAX {
            return Err(TooManyGroups);
        }
        let group = Group::new(self.query.columns(), row);
        self.bytes += key.len() + group.bytes;
        self.groups.push(group);
        self.index_by_key.insert(key, index);
        Ok(index)
    }
}

/// One cell per column.
#[derive(Debug)]
struct Group {
    cells: Vec<Cell>,
    bytes: usize,
}

#[derive(Debug)]
enum Cell {
    Value(Option<Value>),
    Count(u64),
    Numbers {
        sum: f64,
        count: f64,
        is_average: bool,
    },
    Extreme {
        best: Option<Value>,
        wanted: Ordering,
    },
    /// A value of another type was among them, so there is no result.
    Undefined,
}

impl Group {
    fn new(columns: &[Column], row: &Value) -> Self {
        let cells: Vec<_> = columns.iter().map(|column| Cell::new(column, row)).collect();
        let bytes = cells.iter().map(|cell| size_of::<Cell>() + cell.text_bytes()).sum();
        Self { cells, bytes }
    }

    fn push(&mut self, columns: &[Column], row: &Value) {
        for (cell, column) in self.cells.iter_mut().zip(columns) {
            if let ColumnValue::Aggregate(aggregate) = &column.value {
                let bytes_before = cell.text_bytes();
                cell.push(aggregate, row);
                self.bytes = self.bytes - bytes_before + cell.text_bytes();
            }
        }
    }

    fn finish(self, columns: &[Column]) -> Value {
        let mut row = Map::new();
        for (cell, column) in self.cells.into_iter().zip(columns) {
            if let Some(value) = cell.finish() {
                row.insert(column.key.clone(), value);
            }
        }
        Value::Object(row)
    }
}

impl Cell {
    fn new(column: &Column, row: &Value) -> Self {
        match &column.value {
            ColumnValue::Path(path) => Self::Value(path.find(row).cloned()),
            ColumnValue::Aggregate(Aggregate::Count) => Self::Count(0),
            ColumnValue::Aggregate(Aggregate::Avg(_)) => Self::Numbers {
                sum: 0.0,
                count: 0.0,
                is_average: true,
            },
            ColumnValue::Aggregate(Aggregate::Sum(_)) => Self::Numbers {
                sum: 0.0,
                count: 0.0,
                is_average: false,
            },
            ColumnValue::Aggregate(Aggregate::Min(_)) => Self::Extreme {
                best: None,
                wanted: Ordering::Less,
            },
            ColumnValue::Aggregate(Aggregate::Max(_)) => Self::Extreme {
                best: None,
                wanted: Ordering::Greater,
            },
        }
    }

    fn push(&mut self, aggregate: &Aggregate, row: &Value) {
        match (aggregate, self) {
            (Aggregate::Count, Self::Count(count)) => *count += 1,
            (Aggregate::Count, _) => {}
            (Aggregate::Avg(path) | Aggregate::Sum(path) | Aggregate::Min(path) | Aggregate::Max(path), cell) => {
                if let Some(value) = path.find(row) {
                    cell.push_value(value);
                }
            }
        }
    }

    fn push_value(&mut self, value: &Value) {
        let operand = Operand::from(value);
        let is_fitting = match self {
            Self::Numbers { sum, count, .. } => operand.number().is_some_and(|number| {
                *sum += number;
                *count += 1.0;
                true
            }),
            Self::Extreme { best, wanted } => {
                let other = best.as_ref().unwrap_or(value);
                let order = operand.compare(&Operand::from(other));
                if best.is_none() || order == Some(*wanted) {
                    *best = Some(value.clone());
                }
                order.is_some()
            }
            Self::Value(_) | Self::Count(_) | Self::Undefined => true,
        };
        if !is_fitting {
            *self = Self::Undefined;
        }
    }

    /// What the cell holds beyond its own size, in bytes of JSON text, roughly.
    fn text_bytes(&self) -> usize {
        match self {
            Self::Extreme {
                best: Some(Value::String(text)),
                ..
            } => text.len(),
            Self::Value(Some(value)) => value.to_string().len(),
            Self::Extreme { .. } | Self::Value(None) | Self::Count(_) | Self::Numbers { .. } | Self::Undefined => 0,
        }
    }

    fn finish(self) -> Option<Value> {
        match self {
            Self::Value(value) | Self::Extreme { best: value, .. } => value,
            Self::Count(count) => Some(Value::from(count)),
            Self::Numbers { count: 0.0, .. } | Self::Undefined => None,
            Self::Numbers {
                sum,
                count,
                is_average: true,
            } => json_number(sum / count),
            Self::Numbers {
                sum, is_average: false, ..
            } => json_number(sum),
        }
    }
}

/// The group's values as JSON text, numbers as doubles; `None` if one is missing.
fn group_key(paths: &[Path], row: &Value) -> Option<String> {
    let mut key = String::new();
    for path in paths {
        let value = path.find(row)?;
        let whole = value.as_f64().and_then(json_number);
        key.push_str(&whole.as_ref().unwrap_or(value).to_string());
        key.push('\n'); // JSON text has none, so no two keys run into each other.
    }
    Some(key)
}

/// A computed number as JSON, whole ones without a fraction; none for what JSON cannot say.
#[expect(clippy::cast_possible_truncation, reason = "whole and within the range of i64")]
fn json_number(number: f64) -> Option<Value> {
    if number.fract() == 0.0 && number.abs() <= WHOLE_NUMBER_MAX {
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}
