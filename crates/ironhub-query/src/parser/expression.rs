use crate::ast::{ArithmeticOp, CompareOp, Constant, Expr, Function};
use crate::error::{ParseError, ParseErrorKind, quote};
use crate::functions::Argument;
use crate::lexer::TokenKind;
use crate::parser::cursor::Cursor;
use crate::parser::path::Name;

const VALUE: &str = "an attribute, a constant, a function or `(`";

/// One function per precedence, from loose to tight; an operator's chain becomes one flat node.
impl<'t> Cursor<'t> {
    /// An expression that can be true; a constant number or a sum never is, so it is a mistake.
    pub(super) fn condition(&mut self) -> Result<Expr, ParseError> {
        let position = self.position();
        let expr = self.or()?;
        self.check_condition(&expr, position)?;
        Ok(expr)
    }

    fn or(&mut self) -> Result<Expr, ParseError> {
        self.logical("OR", Self::and, Expr::Or)
    }

    fn and(&mut self) -> Result<Expr, ParseError> {
        self.logical("AND", Self::not, Expr::And)
    }

    fn logical(
        &mut self,
        keyword: &str,
        operand: fn(&mut Self) -> Result<Expr, ParseError>,
        chain: fn(Vec<Expr>) -> Expr,
    ) -> Result<Expr, ParseError> {
        let mut position = self.position();
        let first = operand(self)?;
        if !self.is_keyword(keyword) {
            return Ok(first);
        }
        self.check_condition(&first, position)?;
        let mut operands = vec![first];
        while self.take_keyword(keyword)? {
            position = self.position();
            let next = operand(self)?;
            self.check_condition(&next, position)?;
            operands.push(next);
        }
        Ok(chain(operands))
    }

    fn not(&mut self) -> Result<Expr, ParseError> {
        if !self.take_keyword("NOT")? {
            return self.comparison();
        }
        let position = self.position();
        let operand = self.nested(Self::not)?;
        self.check_condition(&operand, position)?;
        Ok(Expr::Not(Box::new(operand)))
    }

    fn check_condition(&self, expr: &Expr, position: usize) -> Result<(), ParseError> {
        let can_be_true = match expr {
            Expr::Constant(constant) => matches!(constant, Constant::Bool(_)),
            Expr::List(_) | Expr::Negate(_) | Expr::Product(..) | Expr::Sum(..) => false,
            Expr::Path(_)
            | Expr::Call(..)
            | Expr::Compare(..)
            | Expr::In { .. }
            | Expr::Not(_)
            | Expr::And(_)
            | Expr::Or(_) => true,
        };
        if can_be_true {
            return Ok(());
        }
        let next = self.unexpected("a comparison");
        if next.kind() == ParseErrorKind::Unsupported {
            return Err(next); // `'a' LIKE …`: the clause is the mistake, not the value before it.
        }
        let found = format!("{}, which is no condition", quote(&expr.to_string()));
        Err(ParseError::syntax(position, "a condition", found))
    }

    fn comparison(&mut self) -> Result<Expr, ParseError> {
        let operand = self.sum()?;
        if let TokenKind::Symbol(symbol) = *self.token()
            && let Some(op) = compare_op(symbol)
        {
            self.advance()?;
            return Ok(Expr::Compare(Box::new(operand), op, Box::new(self.sum()?)));
        }
        let negated = if self.take_keyword("IN")? {
            false
        } else if self.take_keyword("NIN")? {
            true
        } else if self.take_keyword("NOT")? {
            self.expect_keyword("IN")?;
            true
        } else {
            return Ok(operand);
        };
        self.expect_symbol("[")?;
        Ok(Expr::In {
            operand: Box::new(operand),
            negated,
            list: self.list_after_bracket()?,
        })
    }

    fn sum(&mut self) -> Result<Expr, ParseError> {
        self.arithmetic(Self::product, sum_op, Expr::Sum)
    }

    fn product(&mut self) -> Result<Expr, ParseError> {
        self.arithmetic(Self::negation, product_op, Expr::Product)
    }

    fn arithmetic(
        &mut self,
        operand: fn(&mut Self) -> Result<Expr, ParseError>,
        op_of: fn(&str) -> Option<ArithmeticOp>,
        chain: fn(Box<Expr>, Vec<(ArithmeticOp, Expr)>) -> Expr,
    ) -> Result<Expr, ParseError> {
        let first = operand(self)?;
        let mut rest = Vec::new();
        while let TokenKind::Symbol(symbol) = *self.token()
            && let Some(op) = op_of(symbol)
        {
            self.advance()?;
            rest.push((op, operand(self)?));
        }
        Ok(if rest.is_empty() {
            first
        } else {
            chain(Box::new(first), rest)
        })
    }

    fn negation(&mut self) -> Result<Expr, ParseError> {
        if !self.take_symbol("-")? {
            return self.primary();
        }
        let operand = self.nested(Self::negation)?;
        if let Expr::Constant(Constant::Number(number)) = operand {
            return Ok(Expr::Constant(Constant::Number(-number)));
        }
        Ok(Expr::Negate(Box::new(operand)))
    }

    fn primary(&mut self) -> Result<Expr, ParseError> {
        if let Some(constant) = self.constant()? {
            return Ok(Expr::Constant(constant));
        }
        if self.take_symbol("[")? {
            return Ok(Expr::List(self.list_after_bracket()?));
        }
        if self.take_symbol("(")? {
            if self.is_keyword("SELECT") {
                return Err(self.unsupported("an expression", "a sub-select"));
            }
            let expr = self.nested(Self::or)?;
            self.expect_symbol(")")?;
            return Ok(expr);
        }
        let position = self.position();
        let name = self.first_name(VALUE)?;
        if name.is_plain && self.is_symbol("(") {
            return self.call(&name, position);
        }
        self.path_after(&name, position).map(Expr::Path)
    }

    fn call(&mut self, name: &Name<'t>, position: usize) -> Result<Expr, ParseError> {
        let Some(function) = Function::from_name(name.text) else {
            let names = Function::ALL.map(Function::name).join(", ");
            return Err(ParseError::unsupported(
                position,
                names,
                &format!("function {}", quote(name.text)),
            ));
        };
        self.expect_symbol("(")?;
        let mut arguments = Vec::new();
        for (index, argument) in function.arguments().iter().enumerate() {
            if index > 0 {
                self.expect_symbol(",")?;
            }
            arguments.push(match argument {
                Argument::Path => Expr::Path(self.path()?),
                Argument::Value => self.nested(Self::sum)?,
            });
        }
        self.expect_symbol(")")?;
        Ok(Expr::Call(function, arguments))
    }

    fn list_after_bracket(&mut self) -> Result<Vec<Constant>, ParseError> {
        let mut list = Vec::new();
        if self.take_symbol("]")? {
            return Ok(list);
        }
        loop {
            list.push(self.list_constant()?);
            if !self.take_symbol(",")? {
                break;
            }
        }
        if !self.take_symbol("]")? {
            return Err(self.unexpected("`,` or `]`"));
        }
        Ok(list)
    }

    fn list_constant(&mut self) -> Result<Constant, ParseError> {
        if self.take_symbol("-")? {
            let TokenKind::Number(number) = *self.token() else {
                return Err(self.unexpected("a number"));
            };
            self.advance()?;
            return Ok(Constant::Number(-number));
        }
        self.constant()?.ok_or_else(|| self.unexpected("a constant"))
    }

    fn constant(&mut self) -> Result<Option<Constant>, ParseError> {
        let constant = match self.token() {
            TokenKind::Number(number) => Some(Constant::Number(*number)),
            TokenKind::Text(text) => Some(Constant::Text(text.clone())),
            TokenKind::Word(word) => word_constant(word),
            TokenKind::Escaped(_) | TokenKind::Symbol(_) | TokenKind::End => None,
        };
        if constant.is_some() {
            self.advance()?;
        }
        Ok(constant)
    }
}

fn word_constant(word: &str) -> Option<Constant> {
    match word.to_ascii_lowercase().as_str() {
        "undefined" => Some(Constant::Undefined),
        "null" => Some(Constant::Null),
        "true" => Some(Constant::Bool(true)),
        "false" => Some(Constant::Bool(false)),
        _ => None,
    }
}

fn compare_op(symbol: &str) -> Option<CompareOp> {
    match symbol {
        "=" => Some(CompareOp::Equal),
        "!=" | "<>" => Some(CompareOp::NotEqual),
        "<" => Some(CompareOp::Less),
        "<=" => Some(CompareOp::LessOrEqual),
        ">" => Some(CompareOp::Greater),
        ">=" => Some(CompareOp::GreaterOrEqual),
        _ => None,
    }
}

fn sum_op(symbol: &str) -> Option<ArithmeticOp> {
    match symbol {
        "+" => Some(ArithmeticOp::Add),
        "-" => Some(ArithmeticOp::Subtract),
        _ => None,
    }
}

fn product_op(symbol: &str) -> Option<ArithmeticOp> {
    match symbol {
        "*" => Some(ArithmeticOp::Multiply),
        "/" => Some(ArithmeticOp::Divide),
        "%" => Some(ArithmeticOp::Remainder),
        _ => None,
    }
}
