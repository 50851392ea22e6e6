use crate::ast::{Path, Segment, Source};
use crate::error::{ParseError, quote};
use crate::lexer::TokenKind;
use crate::parser::cursor::Cursor;
use crate::words::{attribute, is_reserved, unsupported};

/// A name and how it was written: only a plain one can be a prefix or a function.
pub(super) struct Name<'t> {
    pub(super) text: &'t str,
    pub(super) is_plain: bool,
}

impl Name<'_> {
    fn is(&self, word: &str) -> bool {
        self.is_plain && self.text.eq_ignore_ascii_case(word)
    }
}

impl<'t> Cursor<'t> {
    pub(super) fn source(&mut self) -> Result<Source, ParseError> {
        const EXPECTED: &str = "devices, devices.modules or devices.jobs";
        if !self.take_keyword("devices")? {
            return Err(self.unexpected(EXPECTED));
        }
        if !self.take_symbol(".")? {
            return Ok(Source::Devices);
        }
        if self.take_keyword("modules")? {
            Ok(Source::Modules)
        } else if self.take_keyword("jobs")? {
            Ok(Source::Jobs)
        } else {
            Err(self.unexpected("modules or jobs"))
        }
    }

    /// A name that is no reserved word, or any text in `[[ ]]`.
    pub(super) fn name(&mut self, expected: &'static str) -> Result<Name<'t>, ParseError> {
        let name = match *self.token() {
            TokenKind::Word(word) if is_reserved(word) => {
                let found = format!("{}, a reserved word: as a name it is written [[{word}]]", quote(word));
                return Err(ParseError::syntax(self.position(), expected, found));
            }
            TokenKind::Word(text) => Name { text, is_plain: true },
            TokenKind::Escaped(text) => Name { text, is_plain: false },
            TokenKind::Text(_) | TokenKind::Number(_) | TokenKind::Symbol(_) | TokenKind::End => {
                return Err(self.unexpected(expected));
            }
        };
        self.advance()?;
        Ok(name)
    }

    /// A name where a clause could begin too, so that one that the language lacks is refused by its own name.
    pub(super) fn first_name(&mut self, expected: &'static str) -> Result<Name<'t>, ParseError> {
        if matches!(*self.token(), TokenKind::Word(word) if unsupported(word).is_some()) {
            return Err(self.unexpected(expected));
        }
        self.name(expected)
    }

    pub(super) fn path(&mut self) -> Result<Path, ParseError> {
        let position = self.position();
        let first = self.first_name("an attribute")?;
        self.path_after(&first, position)
    }

    /// The path whose first name, at `position`, is taken already.
    pub(super) fn path_after(&mut self, first: &Name<'t>, position: usize) -> Result<Path, ParseError> {
        let root = if first.is("devices") && self.take_symbol(".")? {
            self.name_after_devices(position)?
        } else {
            first.text
        };
        let mut rest = Vec::new();
        loop {
            if self.take_symbol(".")? {
                rest.push(Segment::Name(self.name("a name")?.text.to_owned()));
            } else if self.take_symbol("[")? {
                rest.push(Segment::Index(self.whole_number("an array index")?));
                self.expect_symbol("]")?;
            } else {
                return Ok(Path {
                    root: attribute(root).to_owned(),
                    rest,
                });
            }
        }
    }

    fn name_after_devices(&mut self, position: usize) -> Result<&'t str, ParseError> {
        let second = self.name("a name")?;
        let source = if second.is("modules") {
            Source::Modules
        } else if second.is("jobs") {
            Source::Jobs
        } else {
            return Ok(second.text);
        };
        if !self.take_symbol(".")? {
            return Ok(second.text);
        }
        self.remember_prefix(position, source);
        Ok(self.name("a name")?.text)
    }

    /// Digits only, within the range of the type asked for.
    pub(super) fn whole_number<N: std::str::FromStr>(&mut self, expected: &'static str) -> Result<N, ParseError> {
        let written = self.written();
        let is_digits =
            matches!(self.token(), TokenKind::Number(_)) && written.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_digits { written.parse().ok() } else { None };
        let number = number.ok_or_else(|| self.unexpected(expected))?;
        self.advance()?;
        Ok(number)
    }
}
