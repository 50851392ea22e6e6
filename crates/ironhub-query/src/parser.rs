//! Recursive descent over [`lexer`](crate::lexer) tokens; errors name what was expected where.

mod cursor;
mod expression;
mod path;
mod select;

use cursor::Cursor;

use crate::ast::{Query, Select, Source};
use crate::error::ParseError;

pub(crate) fn parse_query(text: &str) -> Result<Query, ParseError> {
    let mut cursor = Cursor::new(text)?;
    cursor.expect_keyword("SELECT")?;
    let top = cursor.top()?;
    let (select, selected) = cursor.select()?;
    cursor.expect_keyword("FROM")?;
    let source = cursor.source()?;
    let mut before_end = "WHERE, GROUP BY or the end of the query";
    let mut condition = None;
    if cursor.take_keyword("WHERE")? {
        condition = Some(cursor.condition()?);
        before_end = "an operator, GROUP BY or the end of the query";
    }
    let mut group_by = Vec::new();
    if cursor.is_keyword("GROUP") {
        group_by = cursor.group_by(&select, source)?;
        before_end = "`,` or the end of the query";
    }
    cursor.expect_end(before_end)?;
    cursor.check_prefixes(source)?;
    let query = Query {
        top,
        select,
        source,
        condition,
        group_by,
    };
    selected.check(&query)?;
    Ok(query)
}

pub(crate) fn parse_condition(text: &str) -> Result<Query, ParseError> {
    let mut cursor = Cursor::new(text)?;
    let mut source = Source::Devices;
    let has_condition = if cursor.take_keyword("FROM")? {
        source = cursor.source()?;
        cursor.take_keyword("WHERE")?
    } else {
        !cursor.take_symbol("*")? && !cursor.is_end()
    };
    let condition = if has_condition { Some(cursor.condition()?) } else { None };
    cursor.expect_end("the end of the condition")?;
    cursor.check_prefixes(source)?;
    Ok(Query {
        top: None,
        select: Select::All,
        source,
        condition,
        group_by: Vec::new(),
    })
}
