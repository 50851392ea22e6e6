use crate::error::{ParseError, quote};
use crate::words::{is_name_char, is_name_start};

/// A word of the query and the bytes it covers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token<'t> {
    pub(crate) kind: TokenKind<'t>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind<'t> {
    /// A name or a keyword as written.
    Word(&'t str),
    /// The text between `[[` and `]]`, always a name.
    Escaped(&'t str),
    /// A string constant without its quotes and escapes.
    Text(String),
    Number(f64),
    Symbol(&'static str),
    End,
}

/// Longer symbols come before their own beginnings.
const SYMBOLS: &[&str] = &[
    "!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "*", "/", "%", "+", "-",
];

/// Cuts a query into tokens, one at a time, so that the first mistake in reading order is the one reported.
#[derive(Debug)]
pub(crate) struct Lexer<'t> {
    text: &'t str,
    position: usize,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, position: 0 }
    }

    /// The next token; at the end of the text [`TokenKind::End`], any number of times.
    pub(crate) fn next_token(&mut self) -> Result<Token<'t>, ParseError> {
        self.skip_blanks()?;
        let start = self.position;
        let kind = match self.peek() {
            None => TokenKind::End,
            Some(quote @ ('\'' | '"')) => self.string(quote)?,
            Some('[') if self.rest().starts_with("[[") => self.escaped()?,
            Some('0'..='9') => self.number()?,
            Some(c) if is_name_start(c) => self.word(),
            Some(_) => self.symbol()?,
        };
        Ok(Token {
            kind,
            start,
            end: self.position,
        })
    }

    pub(crate) fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            self.take_while(char::is_whitespace);
            if !self.rest().starts_with("/*") {
                return Ok(());
            }
            let Some(length) = self.rest().find("*/") else {
                return Err(self.error_at_end("`*/`"));
            };
            self.position += length + "*/".len();
        }
    }

    fn symbol(&mut self) -> Result<TokenKind<'t>, ParseError> {
        let Some(symbol) = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol)) else {
            let found: String = self.peek().into_iter().collect();
            return Err(ParseError::syntax(
                self.position,
                "a name, a constant or an operator",
                quote(&found),
            ));
        };
        self.position += symbol.len();
        Ok(TokenKind::Symbol(symbol))
    }

    /// A hyphen between two name characters belongs to the name, as in a UUID; a subtraction needs blanks.
    fn word(&mut self) -> TokenKind<'t> {
        let start = self.position;
        self.take_while(is_name_char);
        while self
            .rest()
            .strip_prefix('-')
            .is_some_and(|after| after.starts_with(is_name_char))
        {
            self.position += 1;
            self.take_while(is_name_char);
        }
        TokenKind::Word(self.slice(start, self.position))
    }

    fn escaped(&mut self) -> Result<TokenKind<'t>, ParseError> {
        let start = self.position + "[[".len();
        let Some(length) = self.text.get(start..).and_then(|rest| rest.find("]]")) else {
            return Err(self.error_at_end("`]]`"));
        };
        if length == 0 {
            return Err(ParseError::syntax(start, "a name", quote("]]")));
        }
        self.position = start + length + "]]".len();
        Ok(TokenKind::Escaped(self.slice(start, start + length)))
    }

    fn number(&mut self) -> Result<TokenKind<'t>, ParseError> {
        let start = self.position;
        let is_hex = self.rest().starts_with("0x") || self.rest().starts_with("0X");
        self.take_while(is_name_char);
        if !is_hex {
            self.fraction_and_exponent();
        }
        let written = self.slice(start, self.position);
        let number = if is_hex {
            parse_hex(written)
        } else {
            parse_decimal(written)
        };
        number
            .map(TokenKind::Number)
            .ok_or_else(|| ParseError::syntax(start, "a number", quote(written)))
    }

    /// Takes what may follow the leading digits: `.5`, and the sign of an exponent with its digits.
    fn fraction_and_exponent(&mut self) {
        if self
            .rest()
            .strip_prefix('.')
            .is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()))
        {
            self.position += 1;
            self.take_while(is_name_char);
        }
        if self.slice(0, self.position).ends_with(['e', 'E']) && self.rest().starts_with(['+', '-']) {
            self.position += 1;
            self.take_while(is_name_char);
        }
    }

    fn string(&mut self, quote_char: char) -> Result<TokenKind<'t>, ParseError> {
        self.bump();
        let mut text = String::new();
        loop {
            let start = self.position;
            match self.bump() {
                None => return Err(self.error_at_end(if quote_char == '"' { "`\"`" } else { "`'`" })),
                Some(c) if c == quote_char => return Ok(TokenKind::Text(text)),
                Some('\\') => text.push(self.escape().ok_or_else(|| self.bad_escape(start))?),
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        match self.bump()? {
            c @ ('\'' | '"' | '\\') => Some(c),
            'u' => self.unicode_escape(),
            _ => None,
        }
    }

    /// `\uXXXX`, or two of them that are the halves of one character (UTF-16).
    fn unicode_escape(&mut self) -> Option<char> {
        let unit = self.hex_unit()?;
        let is_high_half = (0xD800..0xDC00).contains(&unit);
        let second = if is_high_half && self.rest().starts_with("\\u") {
            self.position += "\\u".len();
            Some(self.hex_unit()?)
        } else {
            None
        };
        char::decode_utf16(std::iter::once(unit).chain(second)).next()?.ok()
    }

    fn hex_unit(&mut self) -> Option<u16> {
        let digits = self.text.get(self.position..self.position + 4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.position += 4;
        u16::from_str_radix(digits, 16).ok()
    }

    fn bad_escape(&self, start: usize) -> ParseError {
        let found: String = self.slice(start, self.text.len()).chars().take(2).collect();
        ParseError::syntax(start, r#"an escape (\', \", \\ or \uXXXX)"#, quote(&found))
    }

    fn error_at_end(&self, expected: &'static str) -> ParseError {
        ParseError::syntax(self.text.len(), expected, "the end of the query".to_owned())
    }

    fn rest(&self) -> &'t str {
        self.slice(self.position, self.text.len())
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.position += c.len_utf8();
        Some(c)
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.position += rest.find(|c| !accept(c)).unwrap_or(rest.len());
    }
}

#[expect(clippy::cast_precision_loss, reason = "the language's numbers are doubles")]
fn parse_hex(written: &str) -> Option<f64> {
    let digits = written.get(2..)?;
    u64::from_str_radix(digits, 16).ok().map(|number| number as f64)
}

fn parse_decimal(written: &str) -> Option<f64> {
    // Too large for a double reads as infinity, which JSON cannot say.
    written.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[TokenKind<'_>]) {
        let mut lexer = Lexer::new(text);
        let mut kinds = Vec::new();
        loop {
            let token = lexer.next_token().unwrap();
            if token.kind == TokenKind::End {
                break;
            }
            kinds.push(token.kind);
        }
        assert_eq!(kinds, expected);
    }

    #[track_caller]
    fn check_text(text: &str, expected: &str) {
        check(text, &[TokenKind::Text(expected.to_owned())]);
    }

    #[track_caller]
    fn check_error(text: &str, position: usize) {
        let mut lexer = Lexer::new(text);
        let error = loop {
            match lexer.next_token() {
                Ok(token) => assert_ne!(token.kind, TokenKind::End, "no error in {text}"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.position(), position, "{error}");
    }

    #[test]
    fn names() {
        use TokenKind::{Escaped, Symbol, Word};
        check("deviceId", &[Word("deviceId")]);
        check("$version _x k9", &[Word("$version"), Word("_x"), Word("k9")]);
        check("온도", &[Word("온도")]);
        check("k1b-44-f0", &[Word("k1b-44-f0")]);
        check("a - b", &[Word("a"), Symbol("-"), Word("b")]);
        check("a- b", &[Word("a"), Symbol("-"), Word("b")]);
        check("a.[[b.c d]]", &[Word("a"), Symbol("."), Escaped("b.c d")]);
        check("[[a]b]]", &[Escaped("a]b")]);
        check_error("x [[]]", 4);
        check_error("[[abc]", 6);
    }

    #[test]
    fn numbers() {
        let number = |number| [TokenKind::Number(number)];
        check("0", &number(0.0));
        check("12.5", &number(12.5));
        check("1e3", &number(1000.0));
        check("1.5E-3", &number(0.0015));
        check("0xFf", &number(255.0));
        check("1 .", &[TokenKind::Number(1.0), TokenKind::Symbol(".")]);
        check(
            "3-2",
            &[TokenKind::Number(3.0), TokenKind::Symbol("-"), TokenKind::Number(2.0)],
        );
        check_error("12ab", 0);
        check_error("1e", 0);
        check_error("1e+", 0);
        check_error("1e999", 0);
        check_error("1_000", 0);
        check_error("0x", 0);
        check_error("0x11112222333344445", 0);
    }

    #[test]
    fn strings() {
        check_text("'abc'", "abc");
        check_text(r#""it's""#, "it's");
        check_text(r#"'a\'b\"c\\d'"#, r#"a'b"c\d"#);
        check_text(r"'\u00e9\uD83D\uDE00'", "é😀");
        check_text("'/* no comment */'", "/* no comment */");
        check_error("x = 'abc", 8);
        check_error(r"'a\n'", 2);
        check_error(r"'\u12'", 1);
        check_error(r"'\u+123'", 1);
        check_error(r"'\uD83D'", 1);
        check_error(r"'\uDE00'", 1);
        check_error(r"'\", 1);
    }

    #[test]
    fn blanks_and_symbols() {
        use TokenKind::{Symbol, Word};
        check(" \t\r\n/* a * b */ x /**/", &[Word("x")]);
        check("<= <> >=!=", &[Symbol("<="), Symbol("<>"), Symbol(">="), Symbol("!=")]);
        check("a/b", &[Word("a"), Symbol("/"), Word("b")]);
        check_error("a /* b", 6);
        check_error("é ; b", 3);
        check_error("a ? b", 2);
    }
}
