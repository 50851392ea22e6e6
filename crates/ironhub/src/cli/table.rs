//! Answers as tables, as people read them.

use std::iter::repeat_n;

use serde_json::Value;

/// A title, and the JSON pointer of what stands below it.
pub(crate) type Column = (&'static str, &'static str);

/// One row for each record.
pub(crate) fn columns(records: &[Value], columns: &[Column]) -> String {
    let titles = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
    let rows = records.iter().map(|record| {
        let cells = columns.iter().map(|(_, pointer)| record.pointer(pointer));
        cells.map(cell).collect()
    });
    text(titles, &rows.collect::<Vec<_>>())
}

/// What says nothing to people.
const NOT_SHOWN: [&str; 2] = ["etag", "deviceEtag"];

/// A column for each member that is text, number or boolean in any record. Nothing when there is none.
pub(crate) fn scalars(records: &[Value]) -> String {
    let is_shown = |value: &Value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    let mut names: Vec<&String> = Vec::new();
    for (name, value) in records.iter().filter_map(Value::as_object).flatten() {
        if is_shown(value) && !names.contains(&name) && !NOT_SHOWN.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let rows = records.iter().map(|record| {
        let cells = names.iter().map(|name| record.get(name.as_str()));
        cells.map(cell).collect()
    });
    if names.is_empty() {
        return String::new();
    }
    text(
        names.iter().map(|name| title(name)).collect(),
        &rows.collect::<Vec<_>>(),
    )
}

fn title(name: &str) -> String {
    let mut letters = visible(name).chars().collect::<Vec<_>>();
    if let Some(first) = letters.first_mut() {
        first.make_ascii_uppercase();
    }
    letters.into_iter().collect()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => visible(text),
        Some(other) => visible(&other.to_string()),
    }
}

/// Devices choose what stands in their twins: it must not be able to command the terminal.
pub(crate) fn visible(text: &str) -> String {
    let parts = text.chars().map(|letter| {
        if letter.is_control() {
            letter.escape_default().to_string()
        } else {
            letter.to_string()
        }
    });
    parts.collect()
}

fn text(titles: Vec<String>, rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().chain([&titles]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut lines = String::new();
    for row in [titles, rule].iter().chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line += cell;
            line.extend(repeat_n(' ', 2 + width - cell.chars().count().min(*width)));
        }
        lines += line.trim_end();
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let records = [
            json!({"deviceId": "a", "auth": {"type": "sas"}, "edge": false}),
            json!({"deviceId": "wind-17", "auth": null, "tags": {"site": "ü"}}),
        ];
        let shown = columns(
            &records,
            &[
                ("Device", "/deviceId"),
                ("Auth", "/auth/type"),
                ("Edge", "/edge"),
                ("T", "/tags"),
            ],
        );
        let expected = "Device   Auth  Edge   T\n\
                        -------  ----  -----  ------------\n\
                        a        sas   false\n\
                        wind-17               {\"site\":\"ü\"}\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn members_without_parts_are_columns() {
        let records = [
            json!({"deviceId": "a", "tags": {}, "etag": "x", "modelId": ""}),
            json!({"count": 3, "deviceId": null}),
        ];
        assert_eq!(scalars(&records), "DeviceId  Count\n--------  -----\na\n          3\n");
        assert_eq!(scalars(&[json!({"tags": {}}), json!(1)]), "");
    }

    #[test]
    fn a_cell_cannot_command_the_terminal() {
        let shown = columns(&[json!({"a": "x\u{1b}[2J\ny\u{9b}"})], &[("A", "/a")]);
        assert!(shown.ends_with("x\\u{1b}[2J\\ny\\u{9b}\n"), "{shown}");
    }
}
