use std::borrow::Cow;

use crate::ast::Source;
use crate::error::{ParseError, quote};
use crate::lexer::{Lexer, Token, TokenKind};
use crate::limits::{DEPTH_MAX, QUERY_CHARS_MAX};
use crate::words::unsupported;

/// The parser's place in the text: the current token and what has to be remembered until later.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    lexer: Lexer<'t>,
    current: Token<'t>,
    depth: usize,
    prefixes: Vec<Prefix>,
}

/// A path's `devices.modules.` or `devices.jobs.`; in the select list it comes before the source is known.
#[derive(Debug)]
struct Prefix {
    position: usize,
    source: Source,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Result<Self, ParseError> {
        if let Some((position, _)) = text.char_indices().nth(QUERY_CHARS_MAX) {
            let found = format!("{} characters", text.chars().count());
            return Err(ParseError::limit(
                position,
                format!("at most {QUERY_CHARS_MAX} characters"),
                found,
            ));
        }
        let mut lexer = Lexer::new(text);
        let current = lexer.next_token()?;
        Ok(Self {
            lexer,
            current,
            depth: 0,
            prefixes: Vec::new(),
        })
    }

    pub(super) fn position(&self) -> usize {
        self.current.start
    }

    pub(super) fn token(&self) -> &TokenKind<'t> {
        &self.current.kind
    }

    /// The current token as written.
    pub(super) fn written(&self) -> &'t str {
        self.lexer.slice(self.current.start, self.current.end)
    }

    /// Steps on and returns the token that was current.
    pub(super) fn advance(&mut self) -> Result<TokenKind<'t>, ParseError> {
        let next = self.lexer.next_token()?;
        Ok(std::mem::replace(&mut self.current, next).kind)
    }

    pub(super) fn is_end(&self) -> bool {
        self.current.kind == TokenKind::End
    }

    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self.current.kind, TokenKind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.current.kind, TokenKind::Symbol(current) if current == symbol)
    }

    pub(super) fn take_keyword(&mut self, keyword: &str) -> Result<bool, ParseError> {
        let is_here = self.is_keyword(keyword);
        if is_here {
            self.advance()?;
        }
        Ok(is_here)
    }

    pub(super) fn take_symbol(&mut self, symbol: &str) -> Result<bool, ParseError> {
        let is_here = self.is_symbol(symbol);
        if is_here {
            self.advance()?;
        }
        Ok(is_here)
    }

    pub(super) fn expect_keyword(&mut self, keyword: &'static str) -> Result<(), ParseError> {
        if self.take_keyword(keyword)? {
            Ok(())
        } else {
            Err(self.unexpected(keyword))
        }
    }

    pub(super) fn expect_symbol(&mut self, symbol: &'static str) -> Result<(), ParseError> {
        if self.take_symbol(symbol)? {
            Ok(())
        } else {
            Err(self.unexpected(quote(symbol)))
        }
    }

    pub(super) fn expect_end(&self, expected: &'static str) -> Result<(), ParseError> {
        if self.is_end() {
            Ok(())
        } else {
            Err(self.unexpected(expected))
        }
    }

    /// Parses one level deeper, within the limit that bounds the stack.
    pub(super) fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth == DEPTH_MAX {
            let expected = format!("at most {DEPTH_MAX} nested levels");
            return Err(ParseError::limit(self.position(), expected, "one more".to_owned()));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// The error for the current token, by the name of its clause if it starts one that the language does not have.
    pub(super) fn unexpected(&self, expected: impl Into<Cow<'static, str>>) -> ParseError {
        if let TokenKind::Word(word) = self.current.kind
            && let Some(name) = unsupported(word)
        {
            return ParseError::unsupported(self.position(), expected, name);
        }
        ParseError::syntax(self.position(), expected, self.found())
    }

    pub(super) fn unsupported(&self, expected: &'static str, name: &str) -> ParseError {
        ParseError::unsupported(self.position(), expected, name)
    }

    pub(super) fn found(&self) -> String {
        if self.is_end() {
            "the end of the query".to_owned()
        } else {
            quote(self.written())
        }
    }

    pub(super) fn remember_prefix(&mut self, position: usize, source: Source) {
        self.prefixes.push(Prefix { position, source });
    }

    /// Refuses paths that speak of another source: they would silently match nothing. `devices.` is right everywhere.
    pub(super) fn check_prefixes(&self, source: Source) -> Result<(), ParseError> {
        let Some(foreign) = self.prefixes.iter().find(|prefix| prefix.source != source) else {
            return Ok(());
        };
        let found = quote(&format!("{}.", foreign.source));
        Err(ParseError::syntax(
            foreign.position,
            format!("an attribute of {source}"),
            found,
        ))
    }
}
