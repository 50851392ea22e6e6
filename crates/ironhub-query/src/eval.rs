//! Conditions over a row, in three-valued logic: what is missing or of the wrong type is undefined, and only true keeps
//! a row (Azure docs: "IoT Hub query language", section on expressions and conditions).

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::ast::{ArithmeticOp, CompareOp, Constant, Expr, Path, Query, Segment};
use crate::words::row_member;

/// A value during evaluation, borrowed from the row or the query.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand<'a> {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(&'a str),
    Array(&'a [Value]),
    List(&'a [Constant]),
    Object(&'a Map<String, Value>),
}

impl Query {
    /// Whether the row fulfils the WHERE clause; without one, every row does.
    pub fn matches(&self, row: &Value) -> bool {
        self.condition
            .as_ref()
            .is_none_or(|condition| matches!(condition.eval(row), Operand::Bool(true)))
    }
}

impl Path {
    /// The value that the path leads to; `None` is the language's undefined.
    pub(crate) fn find<'v>(&self, row: &'v Value) -> Option<&'v Value> {
        let members = row.as_object()?;
        let root = row_member(&self.root);
        let member = members.get(root).or_else(|| {
            members
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(root))
                .map(|(_, value)| value)
        })?;
        self.rest.iter().try_fold(member, |value, segment| match segment {
            Segment::Name(name) => value.as_object()?.get(name),
            Segment::Index(index) => value.as_array()?.get(*index),
        })
    }
}

impl Expr {
    fn eval<'a>(&'a self, row: &'a Value) -> Operand<'a> {
        match self {
            Self::Constant(constant) => constant.into(),
            Self::List(list) => Operand::List(list),
            Self::Path(path) => path.find(row).map_or(Operand::Undefined, Operand::from),
            Self::Call(function, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(|argument| argument.eval(row)).collect();
                function.call(&arguments)
            }
            Self::Negate(operand) => operand
                .eval(row)
                .number()
                .map_or(Operand::Undefined, |number| (-number).into()),
            Self::Product(first, rest) | Self::Sum(first, rest) => arithmetic(first, rest, row),
            Self::Compare(left, op, right) => truth(compare(&left.eval(row), *op, &right.eval(row))),
            Self::In { operand, negated, list } => {
                truth(is_in(&operand.eval(row), list).map(|is_in| is_in != *negated))
            }
            Self::Not(operand) => truth(operand.truth(row).map(|truth| !truth)),
            Self::And(operands) => truth(all(operands, row)),
            Self::Or(operands) => truth(any(operands, row)),
        }
    }

    fn truth(&self, row: &Value) -> Option<bool> {
        if let Operand::Bool(truth) = self.eval(row) {
            Some(truth)
        } else {
            None
        }
    }
}

impl Operand<'_> {
    /// The order of two primitives of one type; anything else has none. Texts compare ordinally, as ISO dates need it.
    pub(crate) fn compare(&self, other: &Operand<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Null, Operand::Null) => Some(Ordering::Equal),
            (Self::Bool(left), Operand::Bool(right)) => Some(left.cmp(right)),
            (Self::Number(left), Operand::Number(right)) => left.partial_cmp(right),
            (Self::Text(left), Operand::Text(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }

    fn is_primitive(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => true,
            Self::Undefined | Self::Array(_) | Self::List(_) | Self::Object(_) => false,
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self {
            Some(*number)
        } else {
            None
        }
    }
}

impl<'a> From<&'a Value> for Operand<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(*bool),
            Value::Number(number) => number.as_f64().map_or(Self::Undefined, Self::Number),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::Array(items),
            Value::Object(members) => Self::Object(members),
        }
    }
}

impl<'a> From<&'a Constant> for Operand<'a> {
    fn from(constant: &'a Constant) -> Self {
        match constant {
            Constant::Undefined => Self::Undefined,
            Constant::Null => Self::Null,
            Constant::Bool(bool) => Self::Bool(*bool),
            Constant::Number(number) => Self::Number(*number),
            Constant::Text(text) => Self::Text(text),
        }
    }
}

impl From<f64> for Operand<'_> {
    /// JSON has no infinity and no NaN: a division by zero is undefined.
    fn from(number: f64) -> Self {
        if number.is_finite() {
            Self::Number(number)
        } else {
            Self::Undefined
        }
    }
}

fn truth<'a>(truth: Option<bool>) -> Operand<'a> {
    truth.map_or(Operand::Undefined, Operand::Bool)
}

fn compare(left: &Operand<'_>, op: CompareOp, right: &Operand<'_>) -> Option<bool> {
    let order = left.compare(right)?;
    Some(match op {
        CompareOp::Equal => order.is_eq(),
        CompareOp::NotEqual => order.is_ne(),
        CompareOp::Less => order.is_lt(),
        CompareOp::LessOrEqual => order.is_le(),
        CompareOp::Greater => order.is_gt(),
        CompareOp::GreaterOrEqual => order.is_ge(),
    })
}

/// Unlike `=`, a constant of another type is just not equal: `NIN` is true for what is defined and not listed.
fn is_in(operand: &Operand<'_>, list: &[Constant]) -> Option<bool> {
    let is_listed = |constant| operand.compare(&Operand::from(constant)).is_some_and(Ordering::is_eq);
    operand.is_primitive().then(|| list.iter().any(is_listed))
}

fn all(operands: &[Expr], row: &Value) -> Option<bool> {
    let mut result = Some(true);
    for operand in operands {
        match operand.truth(row) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => result = None,
        }
    }
    result
}

fn any(operands: &[Expr], row: &Value) -> Option<bool> {
    let mut result = Some(false);
    for operand in operands {
        match operand.truth(row) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => result = None,
        }
    }
    result
}

fn arithmetic<'a>(first: &Expr, rest: &[(ArithmeticOp, Expr)], row: &Value) -> Operand<'a> {
    let result = first.eval(row).number().and_then(|first| {
        rest.iter().try_fold(first, |left, (op, operand)| {
            Some(apply(left, *op, operand.eval(row).number()?))
        })
    });
    result.map_or(Operand::Undefined, Operand::from)
}

fn apply(left: f64, op: ArithmeticOp, right: f64) -> f64 {
    match op {
        ArithmeticOp::Add => left + right,
        ArithmeticOp::Subtract => left - right,
        ArithmeticOp::Multiply => left * right,
        ArithmeticOp::Divide => left / right,
        ArithmeticOp::Remainder => left % right,
    }
}
