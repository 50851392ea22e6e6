use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::ast::Function;
use crate::eval::Operand;

/// What a function takes in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    Path,
    Value,
}

impl Function {
    pub(crate) const ALL: [Self; 4] = [Self::IsDefined, Self::StartsWith, Self::EndsWith, Self::ArrayContains];

    /// The function of that name in any letter case. `STARTS_WITH` is the routing language's name, not this one's.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|function| function.name().eq_ignore_ascii_case(name))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::IsDefined => "IS_DEFINED",
            Self::StartsWith => "STARTSWITH",
            Self::EndsWith => "ENDSWITH",
            Self::ArrayContains => "ARRAY_CONTAINS",
        }
    }

    pub(crate) fn arguments(self) -> &'static [Argument] {
        match self {
            Self::IsDefined => &[Argument::Path],
            Self::StartsWith | Self::EndsWith | Self::ArrayContains => &[Argument::Value, Argument::Value],
        }
    }

    /// Undefined if an argument is missing or of another type than the function asks for.
    pub(crate) fn call<'a>(self, arguments: &[Operand<'a>]) -> Operand<'a> {
        let result = match (self, arguments) {
            (Self::IsDefined, [value]) => Some(!matches!(value, Operand::Undefined)),
            (Self::StartsWith, [Operand::Text(text), Operand::Text(prefix)]) => Some(text.starts_with(prefix)),
            (Self::EndsWith, [Operand::Text(text), Operand::Text(suffix)]) => Some(text.ends_with(suffix)),
            (Self::ArrayContains, [array, value]) => contains(array, value),
            _ => None,
        };
        result.map_or(Operand::Undefined, Operand::Bool)
    }
}

fn contains(array: &Operand<'_>, wanted: &Operand<'_>) -> Option<bool> {
    match (array, wanted) {
        (_, Operand::Undefined) => None,
        (Operand::Array(items), _) => Some(items.iter().any(|item| is_same(&item.into(), wanted))),
        (Operand::List(items), _) => Some(items.iter().any(|item| is_same(&item.into(), wanted))),
        _ => None,
    }
}

/// Equality through and through, numbers as doubles: `1` is `1.0`.
fn is_same(left: &Operand<'_>, right: &Operand<'_>) -> bool {
    match (left, right) {
        (Operand::Array(left), Operand::Array(right)) => is_same_items(left, right),
        (Operand::Array(left), Operand::List(right)) => is_same_items(left, right),
        (Operand::Object(left), Operand::Object(right)) => is_same_members(left, right),
        _ => left.compare(right).is_some_and(Ordering::is_eq),
    }
}

fn is_same_items<'a, T>(left: &'a [Value], right: &'a [T]) -> bool
where
    Operand<'a>: From<&'a T>,
{
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| is_same(&left.into(), &right.into()))
}

fn is_same_members(left: &Map<String, Value>, right: &Map<String, Value>) -> bool {
    let is_same_member = |(name, value): (_, &Value)| {
        right
            .get::<String>(name)
            .is_some_and(|other| is_same(&value.into(), &other.into()))
    };
    left.len() == right.len() && left.iter().all(is_same_member)
}
