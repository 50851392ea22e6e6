//! What is not a query: each mistake with its kind, its byte position and its line for the user.

use ironhub_query::{COLUMNS_MAX, DEPTH_MAX, ParseError, ParseErrorKind, QUERY_CHARS_MAX, Query};

/// `text` has a `^` before the place where the error must point.
#[track_caller]
fn check(text: &str, kind: ParseErrorKind, expected: &str, found: &str) {
    let position = text.find('^').expect("a mark");
    let error = Query::parse(&text.replacen('^', "", 1)).expect_err("not a query");
    let actual = (error.kind(), error.position(), error.expected(), error.found());
    assert_eq!(actual, (kind, position, expected, found), "{error}");
}

#[track_caller]
fn syntax(text: &str, expected: &str, found: &str) {
    check(text, ParseErrorKind::Syntax, expected, found);
}

#[track_caller]
fn unsupported(text: &str, name: &str) {
    let position = text.find('^').expect("a mark");
    let error = Query::parse(&text.replacen('^', "", 1)).expect_err("not a query");
    let found = format!("{name}, which is not supported");
    assert_eq!(
        (error.kind(), error.position(), error.found()),
        (ParseErrorKind::Unsupported, position, &*found),
        "{error}"
    );
}

#[test]
fn lines_for_users() {
    let line = |text| Query::parse(text).map_err(|error| error.to_string());
    assert_eq!(
        line("SELECT * FROM devices ORDER BY deviceId").unwrap_err(),
        "query is invalid, check the format: expected WHERE, GROUP BY or the end of the query at position 22, \
         found ORDER BY, which is not supported"
    );
    assert_eq!(
        line("SELECT deviceId devices").unwrap_err(),
        "query is invalid, check the format: expected `,` or FROM at position 23, found the end of the query"
    );
}

#[test]
fn clauses() {
    const START: &str = "WHERE, GROUP BY or the end of the query";
    syntax("^", "SELECT", "the end of the query");
    syntax("^DELETE FROM devices", "SELECT", "`DELETE`");
    syntax("SELECT *^", "FROM", "the end of the query");
    syntax("SELECT * ^deviceId FROM devices", "FROM", "`deviceId`");
    syntax(
        "SELECT * FROM ^twins",
        "devices, devices.modules or devices.jobs",
        "`twins`",
    );
    syntax("SELECT * FROM devices.^twins", "modules or jobs", "`twins`");
    syntax("SELECT * FROM devices ^d", START, "`d`");
    syntax("SELECT * FROM devices^, devices", START, "`,`");
    syntax(
        "SELECT * FROM devices WHERE^",
        "an attribute, a constant, a function or `(`",
        "the end of the query",
    );
    syntax("SELECT deviceId FROM devices GROUP ^deviceId", "BY", "`deviceId`");
    syntax(
        "SELECT tags.a FROM devices GROUP BY tags.a ^WHERE 1=1",
        "`,` or the end of the query",
        "`WHERE`",
    );
    syntax("SELECT * FROM devices ^;", "a name, a constant or an operator", "`;`");
    syntax(
        "SELECT * FROM devices WHERE a = 1 /* b^",
        "`*/`",
        "the end of the query",
    );
}

#[test]
fn columns() {
    const COLUMN: &str = "`*`, an attribute or an aggregate";
    syntax("SELECT ^'x' FROM devices", COLUMN, "`'x'`");
    syntax("SELECT deviceId, ^5 FROM devices", COLUMN, "`5`");
    syntax("SELECT deviceId ^= 'a' FROM devices", "`,` or FROM", "`=`");
    syntax("SELECT deviceId AS ^'x' FROM devices", "an alias", "`'x'`");
    syntax("SELECT TOP ^* FROM devices", "a number of rows", "`*`");
    syntax("SELECT TOP ^1.5 * FROM devices", "a number of rows", "`1.5`");
    syntax("SELECT TOP ^-1 * FROM devices", "a number of rows", "`-`");
    syntax(
        "SELECT TOP ^99999999999999999999 * FROM devices",
        "a number of rows",
        "`99999999999999999999`",
    );
    syntax(
        "SELECT ^LEN(deviceId) FROM devices",
        "COUNT, AVG, SUM, MIN or MAX",
        "`LEN`",
    );
    syntax("SELECT COUNT(^*) FROM devices", "`)`", "`*`");
    syntax("SELECT AVG(^) FROM devices", "an attribute", "`)`");
    syntax(
        "SELECT tags.list[0] ^FROM devices",
        "AS and a name for the array element",
        "`FROM`",
    );
    syntax("SELECT tags.list[^-1] AS x FROM devices", "an array index", "`-`");
    syntax(
        "SELECT tags.x, ^tags.a.x FROM devices",
        "a column with a name of its own (AS)",
        "`x` again",
    );
    syntax(
        "SELECT ^deviceId, COUNT() FROM devices",
        "an aggregate or a path of GROUP BY",
        "`deviceId`, which is not in GROUP BY",
    );
    syntax(
        "SELECT tags.a, ^tags.b FROM devices GROUP BY tags.a",
        "an aggregate or a path of GROUP BY",
        "`tags.b`, which is not in GROUP BY",
    );
}

#[test]
fn names() {
    syntax(
        "SELECT * FROM devices WHERE tags.^group = 'a'",
        "a name",
        "`group`, a reserved word: as a name it is written [[group]]",
    );
    syntax("SELECT * FROM devices WHERE tags.^1 = 'a'", "a name", "`1`");
    syntax("SELECT * FROM devices WHERE tags. ^= 'a'", "a name", "`=`");
    syntax("SELECT * FROM devices WHERE tags.[[^]] = 'a'", "a name", "`]]`");
    syntax(
        "SELECT * FROM devices WHERE tags.[[a = 'b'^",
        "`]]`",
        "the end of the query",
    );
    syntax(
        "SELECT * FROM devices WHERE tags^[[a]] = 'b'",
        "an operator, GROUP BY or the end of the query",
        "`[[a]]`",
    );
    syntax(
        "SELECT ^devices.modules.moduleId FROM devices",
        "an attribute of devices",
        "`devices.modules.`",
    );
    syntax(
        "SELECT * FROM devices.modules WHERE ^devices.jobs.jobId = 'a'",
        "an attribute of devices.modules",
        "`devices.jobs.`",
    );
}

#[test]
fn conditions() {
    const VALUE: &str = "an attribute, a constant, a function or `(`";
    let check = |condition: &str, expected: &str, found: &str| {
        syntax(&format!("SELECT * FROM devices WHERE {condition}"), expected, found);
    };
    check("deviceId = ^", VALUE, "the end of the query");
    check("deviceId =^= 'a'", VALUE, "`=`");
    check("(deviceId = 'a'^", "`)`", "the end of the query");
    check(
        "deviceId = 'a'^)",
        "an operator, GROUP BY or the end of the query",
        "`)`",
    );
    check(
        "1 < version ^< 3",
        "an operator, GROUP BY or the end of the query",
        "`<`",
    );
    check("deviceId IN ^('a', 'b')", "`[`", "`(`");
    check("deviceId IN ['a' ^'b']", "`,` or `]`", "`'b'`");
    check("deviceId IN ['a', ^deviceId]", "a constant", "`deviceId`");
    check("deviceId IN [ ^['a']]", "a constant", "`[`");
    check("deviceId IN ^[['a']]", "`[`", "`[['a']]`");
    check("deviceId IN [-^'a']", "a number", "`'a'`");
    check("deviceId NOT ^= 'a'", "IN", "`=`");
    check("^'a'", "a condition", "`'a'`, which is no condition");
    check(
        "version = 1 AND ^version + 1",
        "a condition",
        "`version + 1.0`, which is no condition",
    );
    check(
        "^version + 1 AND true",
        "a condition",
        "`version + 1.0`, which is no condition",
    );
    check("NOT ^5", "a condition", "`5.0`, which is no condition");
    check("STARTSWITH(deviceId^)", "`,`", "`)`");
    check("STARTSWITH(deviceId, 'a'^, true)", "`)`", "`,`");
    check("IS_DEFINED(^'a')", "an attribute", "`'a'`");
    check("deviceId = ^12ab", "a number", "`12ab`");
    check("deviceId = 'a^\\n'", r#"an escape (\', \", \\ or \uXXXX)"#, "`\\n`");
    check("deviceId = 'a^", "`'`", "the end of the query");
}

#[test]
fn what_the_language_does_not_have() {
    unsupported("SELECT * FROM devices ^ORDER BY deviceId", "ORDER BY");
    unsupported("SELECT * FROM devices WHERE version > 1 ^order by version", "ORDER BY");
    unsupported("SELECT * FROM devices ^JOIN devices.modules", "JOIN");
    unsupported("SELECT ^DISTINCT deviceId FROM devices", "DISTINCT");
    unsupported("SELECT deviceId ^LIMIT FROM devices", "LIMIT");
    unsupported("SELECT * FROM devices WHERE ^ORDER BY deviceId", "ORDER BY");
    unsupported("SELECT SUM(^DISTINCT tags.a) FROM devices", "DISTINCT");
    unsupported(
        "SELECT tags.a FROM devices GROUP BY tags.a ^HAVING COUNT() > 1",
        "HAVING",
    );
    unsupported("SELECT * FROM devices WHERE deviceId ^LIKE 'a%'", "LIKE");
    unsupported("SELECT * FROM devices WHERE (deviceId ^LIKE 'a%')", "LIKE");
    unsupported("SELECT * FROM devices WHERE 'a' ^LIKE 'a%'", "LIKE");
    unsupported("SELECT * FROM devices WHERE version ^BETWEEN 1 AND 2", "BETWEEN");
    unsupported("SELECT * FROM devices WHERE version NOT ^BETWEEN 1 AND 2", "BETWEEN");
    unsupported("SELECT * FROM devices ^OFFSET 5 LIMIT 5", "OFFSET");
    unsupported("SELECT *^, deviceId FROM devices", "`*` together with columns");
    unsupported("SELECT deviceId, ^* FROM devices", "`*` together with columns");
    unsupported("SELECT * FROM devices WHERE deviceId = (^SELECT 1)", "a sub-select");
    unsupported(
        "SELECT * FROM devices WHERE ^STARTS_WITH(deviceId, 'a')",
        "function `STARTS_WITH`",
    );
    unsupported(
        "SELECT * FROM devices WHERE ^CONTAINS(deviceId, 'a')",
        "function `CONTAINS`",
    );
    unsupported("SELECT ^jobId FROM devices.jobs", "a column of devices.jobs");
    unsupported("SELECT ^COUNT() FROM devices.jobs", "a column of devices.jobs");
    unsupported(
        "SELECT * FROM devices.jobs ^GROUP BY status",
        "GROUP BY over devices.jobs",
    );
    unsupported("SELECT * FROM devices ^GROUP BY status", "GROUP BY after SELECT *");
}

#[test]
fn limits() {
    let nested = |levels: usize| {
        Query::parse(&format!(
            "SELECT * FROM devices WHERE {}true{}",
            "(".repeat(levels),
            ")".repeat(levels)
        ))
    };
    assert!(nested(DEPTH_MAX).is_ok());
    check_limit(nested(DEPTH_MAX + 1), 28 + DEPTH_MAX + 1);

    let not = |levels| Query::parse(&format!("SELECT * FROM devices WHERE {}true", "NOT ".repeat(levels)));
    assert!(not(DEPTH_MAX).is_ok());
    check_limit(not(DEPTH_MAX + 1), 28 + 4 * (DEPTH_MAX + 1));

    let minus = |levels| {
        Query::parse(&format!(
            "SELECT * FROM devices WHERE 1 > {}version",
            "-".repeat(levels)
        ))
    };
    assert!(minus(DEPTH_MAX).is_ok());
    check_limit(minus(DEPTH_MAX + 1), 32 + DEPTH_MAX + 1);

    // Only nesting counts: any number of levels may stand beside each other.
    let beside = vec!["(NOT (- version = 1))"; 2 * DEPTH_MAX].join(" OR ");
    assert!(Query::parse_condition(&beside).is_ok());

    // The limit is in characters and the position in bytes: `é` has two.
    let long = |chars: usize| Query::parse(&format!("SELECT * FROM devices /*{}*/", "é".repeat(chars - 26)));
    assert!(long(QUERY_CHARS_MAX).is_ok());
    check_limit(long(QUERY_CHARS_MAX + 1), 24 + 2 * (QUERY_CHARS_MAX + 1 - 26) + 1);

    let columns = |count: usize| {
        let columns: Vec<_> = (0..count).map(|index| format!("c{index:02}")).collect();
        Query::parse(&format!("SELECT {} FROM devices", columns.join(",")))
    };
    assert!(columns(COLUMNS_MAX).is_ok());
    check_limit(columns(COLUMNS_MAX + 1), 7 + 4 * COLUMNS_MAX);
}

#[track_caller]
fn check_limit(result: Result<Query, ParseError>, position: usize) {
    let error = result.expect_err("beyond the limit");
    assert_eq!(
        (error.kind(), error.position()),
        (ParseErrorKind::Limit, position),
        "{error}"
    );
}

#[test]
fn a_quote_is_short_and_on_one_line() {
    let text = format!(
        "SELECT * FROM devices WHERE deviceId '{}\r\n{}'",
        "x".repeat(10),
        "y".repeat(100)
    );
    let error = Query::parse(&text).expect_err("no operator");
    assert_eq!(error.found(), format!("`'xxxxxxxxxx  {}…`", "y".repeat(27)));
}

#[test]
fn conditions_alone() {
    let condition = |text| {
        Query::parse_condition(text)
            .map(|query| query.to_string())
            .map_err(|error| error.position())
    };
    assert_eq!(condition("*").unwrap(), "SELECT * FROM devices");
    assert_eq!(condition("  ").unwrap(), "SELECT * FROM devices");
    assert_eq!(
        condition("deviceId = 'a'").unwrap(),
        "SELECT * FROM devices WHERE deviceId = 'a'"
    );
    assert_eq!(
        condition("FROM devices.modules").unwrap(),
        "SELECT * FROM devices.modules"
    );
    assert_eq!(
        condition("from devices.modules where devices.modules.moduleId = 'm'").unwrap(),
        "SELECT * FROM devices.modules WHERE moduleId = 'm'"
    );
    assert_eq!(condition("* AND deviceId = 'a'").unwrap_err(), 2);
    assert_eq!(condition("deviceId").unwrap(), "SELECT * FROM devices WHERE deviceId");
    assert_eq!(condition("devices.modules.moduleId = 'm'").unwrap_err(), 0);
    assert_eq!(condition("deviceId = 'a' GROUP BY deviceId").unwrap_err(), 15);
    assert_eq!(condition("FROM devices deviceId = 'a'").unwrap_err(), 13);
}
