//! A query's text, with the fewest parentheses that parse to the same tree.

use std::fmt::{Display, Formatter, Result};

use crate::ast::{
    Aggregate, ArithmeticOp, Column, ColumnValue, CompareOp, Constant, Expr, Path, Query, Segment, Select, Source,
};
use crate::words::{is_plain_name, is_reserved, unsupported};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("SELECT ")?;
        if let Some(top) = self.top {
            write!(f, "TOP {top} ")?;
        }
        match &self.select {
            Select::All => f.write_str("*")?,
            Select::Columns(columns) => list(f, columns, ", ")?,
        }
        write!(f, " FROM {}", self.source)?;
        if let Some(condition) = &self.condition {
            write!(f, " WHERE {condition}")?;
        }
        if !self.group_by.is_empty() {
            f.write_str(" GROUP BY ")?;
            list(f, &self.group_by, ", ")?;
        }
        Ok(())
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Devices => "devices",
            Self::Modules => "devices.modules",
            Self::Jobs => "devices.jobs",
        })
    }
}

impl Display for Column {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.value {
            ColumnValue::Path(path) => write!(f, "{path}")?,
            ColumnValue::Aggregate(Aggregate::Count) => f.write_str("COUNT()")?,
            ColumnValue::Aggregate(Aggregate::Avg(path)) => write!(f, "AVG({path})")?,
            ColumnValue::Aggregate(Aggregate::Sum(path)) => write!(f, "SUM({path})")?,
            ColumnValue::Aggregate(Aggregate::Min(path)) => write!(f, "MIN({path})")?,
            ColumnValue::Aggregate(Aggregate::Max(path)) => write!(f, "MAX({path})")?,
        }
        f.write_str(" AS ")?;
        name(f, &self.key)
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.root.eq_ignore_ascii_case("devices") {
            write!(f, "[[{}]]", self.root)?; // Plain, it would be a prefix.
        } else {
            name(f, &self.root)?;
        }
        for segment in &self.rest {
            match segment {
                Segment::Name(text) => {
                    f.write_str(".")?;
                    name(f, text)?;
                }
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Display for Constant {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Undefined => f.write_str("undefined"),
            Self::Null => f.write_str("null"),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Constant(constant) => write!(f, "{constant}"),
            Self::List(constants) => constant_list(f, constants),
            Self::Path(path) => write!(f, "{path}"),
            Self::Call(function, arguments) => {
                write!(f, "{}(", function.name())?;
                list(f, arguments, ", ")?;
                f.write_str(")")
            }
            Self::Negate(operand) => {
                f.write_str("- ")?;
                operand.fmt_within(f, Tightness::Negate)
            }
            Self::Product(first, rest) => chain(f, first, rest, Tightness::Negate),
            Self::Sum(first, rest) => chain(f, first, rest, Tightness::Product),
            Self::Compare(left, op, right) => {
                left.fmt_within(f, Tightness::Sum)?;
                write!(f, " {} ", compare_symbol(*op))?;
                right.fmt_within(f, Tightness::Sum)
            }
            Self::In { operand, negated, list } => {
                operand.fmt_within(f, Tightness::Sum)?;
                f.write_str(if *negated { " NOT IN " } else { " IN " })?;
                constant_list(f, list)
            }
            Self::Not(operand) => {
                f.write_str("NOT ")?;
                operand.fmt_within(f, Tightness::Not)
            }
            Self::And(operands) => logical(f, operands, " AND ", Tightness::Not),
            Self::Or(operands) => logical(f, operands, " OR ", Tightness::And),
        }
    }
}

/// How tightly an expression holds together, from loose to tight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tightness {
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    Negate,
    Primary,
}

impl Expr {
    fn tightness(&self) -> Tightness {
        match self {
            Self::Or(_) => Tightness::Or,
            Self::And(_) => Tightness::And,
            Self::Not(_) => Tightness::Not,
            Self::Compare(..) | Self::In { .. } => Tightness::Comparison,
            Self::Sum(..) => Tightness::Sum,
            Self::Product(..) => Tightness::Product,
            Self::Negate(_) => Tightness::Negate,
            Self::Constant(_) | Self::List(_) | Self::Path(_) | Self::Call(..) => Tightness::Primary,
        }
    }

    /// In parentheses if the expression is looser than its place allows.
    fn fmt_within(&self, f: &mut Formatter<'_>, loosest: Tightness) -> Result {
        if self.tightness() < loosest {
            write!(f, "({self})")
        } else {
            write!(f, "{self}")
        }
    }
}

fn logical(f: &mut Formatter<'_>, operands: &[Expr], separator: &str, loosest: Tightness) -> Result {
    for (index, operand) in operands.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        operand.fmt_within(f, loosest)?;
    }
    Ok(())
}

fn chain(f: &mut Formatter<'_>, first: &Expr, rest: &[(ArithmeticOp, Expr)], loosest: Tightness) -> Result {
    first.fmt_within(f, loosest)?;
    for (op, operand) in rest {
        write!(f, " {} ", arithmetic_symbol(*op))?;
        operand.fmt_within(f, loosest)?;
    }
    Ok(())
}

fn constant_list(f: &mut Formatter<'_>, constants: &[Constant]) -> Result {
    f.write_str("[")?;
    list(f, constants, ", ")?;
    f.write_str("]")
}

fn list(f: &mut Formatter<'_>, items: &[impl Display], separator: &str) -> Result {
    for (index, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if index > 0 { separator } else { "" })?;
    }
    Ok(())
}

fn name(f: &mut Formatter<'_>, name: &str) -> Result {
    if is_plain_name(name) && !is_reserved(name) && unsupported(name).is_none() {
        f.write_str(name)
    } else {
        write!(f, "[[{name}]]")
    }
}

fn compare_symbol(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Equal => "=",
        CompareOp::NotEqual => "!=",
        CompareOp::Less => "<",
        CompareOp::LessOrEqual => "<=",
        CompareOp::Greater => ">",
        CompareOp::GreaterOrEqual => ">=",
    }
}

fn arithmetic_symbol(op: ArithmeticOp) -> &'static str {
    match op {
        ArithmeticOp::Add => "+",
        ArithmeticOp::Subtract => "-",
        ArithmeticOp::Multiply => "*",
        ArithmeticOp::Divide => "/",
        ArithmeticOp::Remainder => "%",
    }
}
