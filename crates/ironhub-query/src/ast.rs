use crate::error::ParseError;
use crate::parser;

/// A parsed query. Its text form ([`Display`](std::fmt::Display)) parses to an equal query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub(crate) top: Option<u64>,
    pub(crate) select: Select,
    pub(crate) source: Source,
    pub(crate) condition: Option<Expr>,
    pub(crate) group_by: Vec<Path>,
}

/// Where a query's rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `FROM devices`: one row per device twin.
    Devices,
    /// `FROM devices.modules`: one row per module twin.
    Modules,
    /// `FROM devices.jobs`: one row per device and job.
    Jobs,
}

/// The kind of the result's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemType {
    /// Whole twins.
    Twin,
    /// Objects with the selected columns.
    Raw,
    /// Whole device jobs.
    DeviceJob,
}

impl ItemType {
    /// The value of the response header `x-ms-item-type`; the .NET SDK compares it case-sensitively.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Twin => "Twin",
            Self::Raw => "Raw",
            Self::DeviceJob => "DeviceJob",
        }
    }
}

impl Query {
    /// Parses a whole query: `SELECT … FROM … [WHERE …] [GROUP BY …]`.
    ///
    /// # Errors
    /// The first mistake, with its position.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parser::parse_query(text)
    }

    /// Parses a condition, as jobs and configurations have it, into the query that selects its targets: the text after
    /// `WHERE` over `devices`; `*` or nothing for all; `FROM devices.modules WHERE …` for modules.
    ///
    /// # Errors
    /// The first mistake, with its position.
    pub fn parse_condition(text: &str) -> Result<Self, ParseError> {
        parser::parse_condition(text)
    }

    /// Where the rows come from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The kind of the result's rows.
    pub fn item_type(&self) -> ItemType {
        match (&self.select, self.source) {
            (Select::All, Source::Jobs) => ItemType::DeviceJob,
            (Select::All, Source::Devices | Source::Modules) => ItemType::Twin,
            (Select::Columns(_), _) => ItemType::Raw,
        }
    }

    /// The most rows the whole result may have, over all pages (`SELECT TOP n`).
    pub fn top(&self) -> Option<u64> {
        self.top
    }

    /// Whether result rows are made of groups of rows, by an [`Aggregator`](crate::Aggregator), not of single rows.
    pub fn is_aggregate(&self) -> bool {
        !self.group_by.is_empty()
            || self
                .columns()
                .iter()
                .any(|column| matches!(column.value, ColumnValue::Aggregate(_)))
    }

    pub(crate) fn columns(&self) -> &[Column] {
        match &self.select {
            Select::All => &[],
            Select::Columns(columns) => columns,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Select {
    All,
    Columns(Vec<Column>),
}

/// A selected value and its member name in the result: the alias, or else the path's last name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) value: ColumnValue,
    pub(crate) key: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnValue {
    Path(Path),
    Aggregate(Aggregate),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Aggregate {
    Count,
    Avg(Path),
    Sum(Path),
    Min(Path),
    Max(Path),
}

/// A way into a row. The prefix (`devices.`) is gone and `root` is spelled as the API spells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub(crate) root: String,
    pub(crate) rest: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Segment {
    Name(String),
    Index(usize),
}

/// Chains of one precedence are flat, so that a tree is never deeper than its text is nested.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Constant(Constant),
    List(Vec<Constant>),
    Path(Path),
    Call(Function, Vec<Expr>),
    Negate(Box<Expr>),
    /// Factors: `*`, `/`, `%` from left to right.
    Product(Box<Expr>, Vec<(ArithmeticOp, Expr)>),
    /// Terms: `+`, `-` from left to right.
    Sum(Box<Expr>, Vec<(ArithmeticOp, Expr)>),
    Compare(Box<Expr>, CompareOp, Box<Expr>),
    In {
        operand: Box<Expr>,
        negated: bool,
        list: Vec<Constant>,
    },
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    IsDefined,
    StartsWith,
    EndsWith,
    ArrayContains,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}
