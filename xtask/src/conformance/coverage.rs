//! The table of `conformance/coverage.toml`: which case shows which feature through which client.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// Rows are features, columns are clients on a transport: one table for each role.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coverage {
    #[serde(default)]
    column: Vec<Column>,
    #[serde(default)]
    row: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    role: Role,
    #[expect(dead_code, reason = "for readers and for the book's compatibility table")]
    what: String,
}

/// Which side of the hub a client speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Device,
    /// Registry, twins, methods.
    Service,
    /// Of the built-in endpoint.
    Reader,
    /// Of cloud-to-device messages, and of feedback about them.
    Sender,
}

#[derive(Debug, Deserialize)]
struct Row {
    feature: String,
    /// The row has a cell in every column of this role, and in no other.
    role: Role,
    /// The cases in which the client sees this feature refuse or fail.
    #[serde(default)]
    failure: Vec<String>,
    #[serde(flatten)]
    cells: BTreeMap<String, Cell>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Cell {
    Cases(Vec<String>),
    NotApplicable(NotApplicable),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotApplicable {
    na: String,
}

impl Coverage {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let coverage: Self = toml::from_str(text).context("conformance/coverage.toml")?;
        let mut features = BTreeSet::new();
        let mut columns = BTreeSet::new();
        for Column { name, .. } in &coverage.column {
            ensure!(columns.insert(name), "coverage.toml: two columns are called {name}");
        }
        for row in &coverage.row {
            ensure!(
                features.insert(&row.feature),
                "coverage.toml: two rows are called {}",
                row.feature
            );
            let stray = row
                .cells
                .keys()
                .find(|name| coverage.columns_of(row).all(|column| column.name != **name));
            if let Some(stray) = stray {
                bail!("coverage.toml: {}: there is no column {stray} of its role", row.feature);
            }
        }
        Ok(coverage)
    }

    /// What the table lacks, given the cases that ran and passed or are excused.
    pub(crate) fn gaps(&self, settled: &BTreeSet<&str>) -> Vec<String> {
        self.row.iter().flat_map(|row| self.gaps_of(row, settled)).collect()
    }

    fn columns_of(&self, row: &Row) -> impl Iterator<Item = &Column> {
        self.column.iter().filter(move |column| column.role == row.role)
    }

    fn gaps_of(&self, row: &Row, settled: &BTreeSet<&str>) -> Vec<String> {
        let gaps_of_cell = |column: &Column| {
            let gaps = gaps_of_cell(row.cells.get(&column.name), settled);
            gaps.into_iter()
                .map(|gap| format!("coverage: {} × {} {gap}", row.feature, column.name))
                .collect::<Vec<_>>()
        };
        let gaps_of_failure = gaps_of_cases(&row.failure, settled);
        let failure = gaps_of_failure
            .into_iter()
            .map(|gap| format!("coverage: {} × failure {gap}", row.feature));
        self.columns_of(row).flat_map(gaps_of_cell).chain(failure).collect()
    }
}

fn gaps_of_cell(cell: Option<&Cell>, settled: &BTreeSet<&str>) -> Vec<String> {
    match cell {
        None => vec!["is a missing cell".to_owned()],
        Some(Cell::NotApplicable(NotApplicable { na })) if na.trim().is_empty() => {
            vec!["is not applicable without a reason".to_owned()]
        }
        Some(Cell::NotApplicable(_)) => Vec::new(),
        Some(Cell::Cases(cases)) => gaps_of_cases(cases, settled),
    }
}

fn gaps_of_cases(cases: &[String], settled: &BTreeSet<&str>) -> Vec<String> {
    if cases.is_empty() {
        return vec!["names no case".to_owned()];
    }
    let missing = cases.iter().filter(|case| !settled.contains(case.as_str()));
    missing
        .map(|case| format!("names {case}, which did not run or did not pass"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"
[[column]]
name = "py"
role = "device"
what = "Python"
[[column]]
name = "node"
role = "device"
what = "Node"
[[column]]
name = "py-service"
role = "service"
what = "Python"
[[row]]
feature = "twin"
role = "device"
failure = ["twin_refused"]
py = ["twin_get", "twin_patch"]
node = { na = "the SDK cannot" }
"#;
    const ALL: &[&str] = &["twin_refused", "twin_get", "twin_patch"];

    #[track_caller]
    fn check(table: &str, settled: &[&str], expected: &[&str]) {
        let found = match Coverage::parse(table) {
            Ok(coverage) => coverage.gaps(&settled.iter().copied().collect()),
            Err(error) => vec![format!("{error:#}")],
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_full_table_has_no_gaps() {
        check(TABLE, ALL, &[]);
        check("", &[], &[]);
    }

    #[test]
    fn gaps() {
        check(
            &TABLE.replace("node = {", "# {"),
            ALL,
            &["coverage: twin × node is a missing cell"],
        );
        check(
            &TABLE.replace("the SDK cannot", ""),
            ALL,
            &["coverage: twin × node is not applicable without a reason"],
        );
        check(
            &TABLE.replace("\"twin_get\", \"twin_patch\"", ""),
            ALL,
            &["coverage: twin × py names no case"],
        );
        let gap = "coverage: twin × py names twin_patch, which did not run or did not pass";
        check(TABLE, &["twin_refused", "twin_get"], &[gap]);
    }

    #[test]
    fn every_row_has_a_failure_case() {
        check(
            &TABLE.replace("failure =", "# failure ="),
            ALL,
            &["coverage: twin × failure names no case"],
        );
        let gap = "coverage: twin × failure names twin_refused, which did not run or did not pass";
        check(TABLE, &["twin_get", "twin_patch"], &[gap]);
    }

    #[test]
    fn mistakes_in_the_table() {
        let stray = |name: &str| format!("coverage.toml: twin: there is no column {name} of its role");
        check(&TABLE.replace("py = [", "pi = ["), ALL, &[&stray("pi")]);
        check(&TABLE.replace("py = [", "py-service = ["), ALL, &[&stray("py-service")]);
        check(
            &TABLE.replace("py-service", "py"),
            ALL,
            &["coverage.toml: two columns are called py"],
        );
        let row = "[[row]]\nfeature = \"twin\"\nrole = \"device\"\n";
        check(
            &(TABLE.to_owned() + row),
            ALL,
            &["coverage.toml: two rows are called twin"],
        );
    }
}
