use crate::ast::{Aggregate, Column, ColumnValue, Path, Query, Segment, Select, Source};
use crate::error::{ParseError, quote};
use crate::lexer::TokenKind;
use crate::limits::COLUMNS_MAX;
use crate::parser::cursor::Cursor;
use crate::parser::path::Name;
use crate::words::{is_reserved, unsupported};

const ASTERISK_MIXED: &str = "`*` together with columns";

/// Where each column stood, for the checks that need the whole query.
pub(super) struct Selected {
    positions: Vec<usize>,
}

impl Selected {
    /// Rules across clauses: jobs come whole, and beside an aggregate or GROUP BY a column must be grouped.
    pub(super) fn check(&self, query: &Query) -> Result<(), ParseError> {
        let is_aggregate = query.is_aggregate();
        for (column, position) in query.columns().iter().zip(&self.positions) {
            if query.source == Source::Jobs {
                let found = "a column of devices.jobs";
                return Err(ParseError::unsupported(*position, "`*`", found));
            }
            if let ColumnValue::Path(path) = &column.value
                && is_aggregate
                && !query.group_by.contains(path)
            {
                let found = format!("{}, which is not in GROUP BY", quote(&path.to_string()));
                return Err(ParseError::syntax(
                    *position,
                    "an aggregate or a path of GROUP BY",
                    found,
                ));
            }
        }
        Ok(())
    }
}

impl<'t> Cursor<'t> {
    pub(super) fn top(&mut self) -> Result<Option<u64>, ParseError> {
        if self.take_keyword("TOP")? {
            self.whole_number("a number of rows").map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn select(&mut self) -> Result<(Select, Selected), ParseError> {
        let (mut columns, mut positions) = (Vec::new(), Vec::new());
        if self.take_symbol("*")? {
            if self.is_symbol(",") {
                return Err(self.unsupported("FROM", ASTERISK_MIXED));
            }
            return Ok((Select::All, Selected { positions }));
        }
        loop {
            positions.push(self.position());
            columns.push(self.next_column(&columns)?);
            if !self.take_symbol(",")? {
                break;
            }
        }
        if !self.is_keyword("FROM") {
            return Err(self.unexpected("`,` or FROM"));
        }
        Ok((Select::Columns(columns), Selected { positions }))
    }

    fn next_column(&mut self, earlier: &[Column]) -> Result<Column, ParseError> {
        let position = self.position();
        if self.is_symbol("*") && !earlier.is_empty() {
            return Err(self.unsupported("a column", ASTERISK_MIXED));
        }
        if earlier.len() == COLUMNS_MAX {
            return Err(ParseError::limit(
                position,
                format!("at most {COLUMNS_MAX} columns"),
                "one more".to_owned(),
            ));
        }
        let column = self.column()?;
        if earlier.iter().any(|earlier| earlier.key == column.key) {
            let found = format!("{} again", quote(&column.key));
            return Err(ParseError::syntax(
                position,
                "a column with a name of its own (AS)",
                found,
            ));
        }
        Ok(column)
    }

    /// The paths after `GROUP BY`; the clause needs columns, and jobs have none.
    pub(super) fn group_by(&mut self, select: &Select, source: Source) -> Result<Vec<Path>, ParseError> {
        if source == Source::Jobs {
            return Err(self.unsupported("the end of the query", "GROUP BY over devices.jobs"));
        }
        if *select == Select::All {
            return Err(self.unsupported("the end of the query", "GROUP BY after SELECT *"));
        }
        self.expect_keyword("GROUP")?;
        self.expect_keyword("BY")?;
        let mut paths = vec![self.path()?];
        while self.take_symbol(",")? {
            paths.push(self.path()?);
        }
        Ok(paths)
    }

    fn column(&mut self) -> Result<Column, ParseError> {
        const EXPECTED: &str = "`*`, an attribute or an aggregate";
        let position = self.position();
        let first = self.first_name(EXPECTED)?;
        let (value, name) = if first.is_plain && self.is_symbol("(") {
            let aggregate = self.aggregate(&first, position)?;
            let name = Some(default_key(&aggregate).to_owned());
            (ColumnValue::Aggregate(aggregate), name)
        } else {
            let path = self.path_after(&first, position)?;
            let name = last_name(&path).map(str::to_owned);
            (ColumnValue::Path(path), name)
        };
        let key = match self.alias()? {
            Some(alias) => alias,
            None => name.ok_or_else(|| self.unexpected("AS and a name for the array element"))?,
        };
        Ok(Column { value, key })
    }

    fn alias(&mut self) -> Result<Option<String>, ParseError> {
        let has_as = self.take_keyword("AS")?;
        let is_alias = match *self.token() {
            TokenKind::Escaped(_) => true,
            TokenKind::Word(word) => !is_reserved(word) && unsupported(word).is_none(),
            TokenKind::Text(_) | TokenKind::Number(_) | TokenKind::Symbol(_) | TokenKind::End => false,
        };
        if has_as || is_alias {
            Ok(Some(self.name("an alias")?.text.to_owned()))
        } else {
            Ok(None)
        }
    }

    fn aggregate(&mut self, name: &Name<'t>, position: usize) -> Result<Aggregate, ParseError> {
        const EXPECTED: &str = "COUNT, AVG, SUM, MIN or MAX";
        let of_path = match name.text.to_ascii_uppercase().as_str() {
            "COUNT" => None,
            "AVG" => Some(Aggregate::Avg as fn(Path) -> Aggregate),
            "SUM" => Some(Aggregate::Sum as fn(Path) -> Aggregate),
            "MIN" => Some(Aggregate::Min as fn(Path) -> Aggregate),
            "MAX" => Some(Aggregate::Max as fn(Path) -> Aggregate),
            _ => return Err(ParseError::syntax(position, EXPECTED, quote(name.text))),
        };
        self.expect_symbol("(")?;
        let aggregate = match of_path {
            Some(of_path) => of_path(self.path()?),
            None => Aggregate::Count,
        };
        self.expect_symbol(")")?;
        Ok(aggregate)
    }
}

fn default_key(aggregate: &Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Count => "count",
        Aggregate::Avg(_) => "avg",
        Aggregate::Sum(_) => "sum",
        Aggregate::Min(_) => "min",
        Aggregate::Max(_) => "max",
    }
}

/// The path's last name; none if it ends in an array index.
fn last_name(path: &Path) -> Option<&str> {
    match path.rest.last() {
        None => Some(&path.root),
        Some(Segment::Name(name)) => Some(name),
        Some(Segment::Index(_)) => None,
    }
}
