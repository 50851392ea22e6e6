//! What a WHERE clause says about `deviceId`, so that the store need not be scanned.

use crate::ast::{CompareOp, Constant, Expr, Function, Path, Query};
use crate::words::row_member;

impl Query {
    /// The only device IDs whose rows can match, sorted and each once; `None` if the WHERE clause does not name them.
    ///
    /// They come from `deviceId = …` or `deviceId IN …` among the conditions joined by AND. The rest of the clause still
    /// has to be checked with [`Query::matches`].
    pub fn device_id_candidates(&self) -> Option<Vec<&str>> {
        self.conjuncts()
            .into_iter()
            .filter_map(pinned_ids)
            .min_by_key(Vec::len)
            .map(|mut ids| {
                ids.sort_unstable();
                ids.dedup();
                ids
            })
    }

    /// A prefix that the device IDs of all matching rows have, the longest that the WHERE clause names by
    /// `STARTSWITH(deviceId, …)` among the conditions joined by AND.
    pub fn device_id_prefix(&self) -> Option<&str> {
        self.conjuncts()
            .into_iter()
            .filter_map(pinned_prefix)
            .max_by_key(|prefix| prefix.len())
    }

    /// The conditions that all must be true.
    fn conjuncts(&self) -> Vec<&Expr> {
        let mut conjuncts: Vec<&Expr> = self.condition.iter().collect();
        let mut index = 0;
        while let Some(conjunct) = conjuncts.get(index) {
            if let Expr::And(operands) = conjunct {
                conjuncts.extend(operands);
            }
            index += 1;
        }
        conjuncts
    }
}

fn pinned_ids(conjunct: &Expr) -> Option<Vec<&str>> {
    if let Expr::In {
        operand,
        negated: false,
        list,
    } = conjunct
    {
        return is_device_id(operand).then(|| list.iter().filter_map(constant_text).collect());
    }
    let Expr::Compare(left, CompareOp::Equal, right) = conjunct else {
        return None;
    };
    match (left.as_ref(), right.as_ref()) {
        (operand, Expr::Constant(constant)) | (Expr::Constant(constant), operand) => {
            is_device_id(operand).then(|| constant_text(constant).into_iter().collect())
        }
        _ => None,
    }
}

fn pinned_prefix(conjunct: &Expr) -> Option<&str> {
    if let Expr::Call(Function::StartsWith, arguments) = conjunct
        && let [operand, Expr::Constant(prefix)] = arguments.as_slice()
        && is_device_id(operand)
    {
        return constant_text(prefix);
    }
    None
}

fn is_device_id(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(Path { root, rest }) if row_member(root) == "deviceId" && rest.is_empty())
}

/// A device ID is a text, so a constant of another type names none.
fn constant_text(constant: &Constant) -> Option<&str> {
    if let Constant::Text(text) = constant {
        Some(text)
    } else {
        None
    }
}
