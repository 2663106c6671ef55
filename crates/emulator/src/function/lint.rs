//! Finds syntax that QuickJS has and the runtime of CloudFront Functions has not. CloudFront accepts such code, and every
//! request then fails.
//!
//! Source: CloudFront Developer Guide, "JavaScript runtime 2.0 features for CloudFront Functions"; where it is silent,
//! what njs, which the runtime is built on, does with each construct.

use std::fmt;

use super::tokens::{Token, TokenKind, tokens};

/// A construct that the runtime does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxProblem {
    /// The line, counted from 1.
    pub line: usize,
    /// The construct, such as ``optional chaining (`?.`)``.
    pub construct: &'static str,
}

impl fmt::Display for SyntaxProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} not supported in line {}", self.construct, self.line)
    }
}

/// What an opening bracket opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    /// Arguments of a call.
    Arguments,
    /// Parameters of a function.
    Parameters,
    /// The head of a `for`.
    ForHead,
    /// Other parentheses.
    Group,
    /// `[`, and `{` of a literal.
    Literal,
    /// `{` of a function's body.
    Body,
    /// `{` of any other block.
    Block,
}

/// All problems of `code`, in the order of its lines.
#[must_use]
pub fn lint(code: &str) -> Vec<SyntaxProblem> {
    let tokens = tokens(code);
    let pairs = pairs(&tokens);
    let mut linter = SyntaxLint { tokens: &tokens, pairs: &pairs, open: Vec::new(), problems: Vec::new() };
    for index in 0..tokens.len() {
        linter.visit(index);
    }
    linter.problems
}

/// The index of the closing bracket of each opening one, and the reverse.
fn pairs(tokens: &[Token<'_>]) -> Vec<Option<usize>> {
    let mut pairs = vec![None; tokens.len()];
    let mut open = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.is("(") || token.is("[") || token.is("{") {
            open.push(index);
        } else if (token.is(")") || token.is("]") || token.is("}"))
            && let Some(start) = open.pop()
        {
            for (from, to) in [(start, index), (index, start)] {
                if let Some(pair) = pairs.get_mut(from) {
                    *pair = Some(to);
                }
            }
        }
    }
    pairs
}

/// Keywords before a `(` that is not a call.
const NOT_CALLED: [&str; 8] = ["if", "while", "switch", "with", "return", "typeof", "await", "in"];

struct SyntaxLint<'a> {
    tokens: &'a [Token<'a>],
    pairs: &'a [Option<usize>],
    open: Vec<Bracket>,
    problems: Vec<SyntaxProblem>,
}

impl<'a> SyntaxLint<'a> {
    fn token(&self, index: usize) -> Option<&'a Token<'a>> {
        self.tokens.get(index)
    }

    fn is(&self, index: Option<usize>, text: &str) -> bool {
        index.and_then(|index| self.token(index)).is_some_and(|token| token.is(text))
    }

    fn pair(&self, index: usize) -> Option<usize> {
        self.pairs.get(index).copied().flatten()
    }

    fn report(&mut self, index: usize, construct: &'static str) {
        let line = self.token(index).map_or(0, |token| token.line);
        self.problems.push(SyntaxProblem { line, construct });
    }

    fn visit(&mut self, index: usize) {
        let Some(token) = self.token(index) else { return };
        let previous = index.checked_sub(1);
        match (token.kind, token.text) {
            (TokenKind::Punctuation, "(" | "[" | "{") => {
                let bracket = self.bracket(index);
                self.open.push(bracket);
                self.visit_bracket(index, bracket);
            }
            (TokenKind::Punctuation, ")" | "]" | "}") => drop(self.open.pop()),
            (TokenKind::Punctuation, "?.") => self.report(index, "optional chaining (`?.`)"),
            (TokenKind::Punctuation, "??=" | "||=" | "&&=") => self.report(index, "logical assignment"),
            (TokenKind::Punctuation, "...") if self.open.last() != Some(&Bracket::Parameters) => {
                self.report(index, "spread (`...`)");
            }
            (TokenKind::Punctuation, "=") if self.open.last() == Some(&Bracket::Parameters) => {
                self.report(index, "default parameters");
            }
            (TokenKind::Number, text) if text.ends_with('n') && !text.starts_with("0x") => {
                self.report(index, "BigInt");
            }
            (TokenKind::Regex, text) => {
                let flags = text.rsplit('/').next().unwrap_or_default();
                if flags.contains(['s', 'u', 'v', 'd']) {
                    self.report(index, "regular expressions with the flags s, u, v or d");
                }
            }
            (TokenKind::Word, word) if !self.is(previous, ".") => self.visit_word(index, word),
            _ => {}
        }
    }

    fn visit_word(&mut self, index: usize, word: &str) {
        let (previous, next) = (index.checked_sub(1), Some(index + 1));
        // A name of a property.
        if self.is(next, ":") && self.open.last() == Some(&Bracket::Literal) {
            return;
        }
        match word {
            "class" => self.report(index, "`class`"),
            "export" => self.report(index, "`export`"),
            "import" if !self.imports_default(index) => {
                self.report(index, "any `import` other than `import name from 'module'`");
            }
            "of" if self.open.last() == Some(&Bracket::ForHead) && !self.is(previous, "(") => {
                self.report(index, "`for … of`");
            }
            "function" if self.is(next, "*") => self.report(index, "generators"),
            "catch" if self.is(next, "{") => self.report(index, "`catch` without a name"),
            "let" | "const" | "var" if self.is(next, "{") || self.is(next, "[") => self.report(index, "destructuring"),
            "new" if self.is(next, ".") => self.report(index, "`new.target`"),
            "await" if self.open.contains(&Bracket::Arguments) && self.awaits_in_arguments() => {
                self.report(index, "`await` in arguments");
            }
            "await" if self.is(previous, "for") => self.report(index, "`for await`"),
            "async" if self.starts_function(index) && self.open.contains(&Bracket::Body) => {
                self.report(index, "an `async` function inside another function");
            }
            _ => {}
        }
    }

    /// Whether the innermost arguments are not those of a call around the function that awaits.
    fn awaits_in_arguments(&self) -> bool {
        let innermost = self.open.iter().rev().find(|bracket| matches!(bracket, Bracket::Arguments | Bracket::Body));
        innermost == Some(&Bracket::Arguments)
    }

    fn starts_function(&self, index: usize) -> bool {
        let next = index + 1;
        let is_arrow = |index: usize| self.is(self.pair(index).map(|end| end + 1), "=>");
        self.is(Some(next), "function")
            || self.is(Some(index + 2), "=>")
            || (self.is(Some(next), "(") && is_arrow(next))
    }

    fn imports_default(&self, index: usize) -> bool {
        let word = |index: usize| self.token(index).filter(|token| token.kind == TokenKind::Word);
        let is_text = |index: usize| self.token(index).is_some_and(|token| token.kind == TokenKind::Text);
        word(index + 1).is_some() && word(index + 2).is_some_and(|token| token.text == "from") && is_text(index + 3)
    }

    fn bracket(&self, index: usize) -> Bracket {
        let previous = index.checked_sub(1).and_then(|previous| self.token(previous));
        let Some(token) = self.token(index) else { return Bracket::Group };
        if token.is("[") {
            return Bracket::Literal;
        }
        if token.is("{") {
            return self.brace(index, previous);
        }
        let close = self.pair(index);
        let after = close.map(|close| close + 1);
        let Some(previous) = previous else {
            return if self.is(after, "=>") { Bracket::Parameters } else { Bracket::Group };
        };
        let before = index.checked_sub(2);
        if self.is(after, "=>") || previous.is("function") || previous.is("catch") {
            return Bracket::Parameters;
        }
        if previous.is("for") || (previous.is("await") && self.is(before, "for")) {
            return Bracket::ForHead;
        }
        let is_property = self.is(before, ".");
        match previous.kind {
            TokenKind::Word if !is_property && NOT_CALLED.contains(&previous.text) => Bracket::Group,
            TokenKind::Word if self.is(before, "function") || self.is(before, "*") && self.is(after, "{") => {
                Bracket::Parameters
            }
            // A method of an object literal.
            TokenKind::Word if !is_property && self.is(after, "{") && self.open.last() == Some(&Bracket::Literal) => {
                Bracket::Parameters
            }
            TokenKind::Word => Bracket::Arguments,
            TokenKind::Punctuation if matches!(previous.text, ")" | "]" | "?.") => Bracket::Arguments,
            TokenKind::Punctuation if previous.text == "}" => Bracket::Arguments,
            TokenKind::Text if previous.text.ends_with('`') => Bracket::Arguments,
            _ => Bracket::Group,
        }
    }

    fn brace(&self, index: usize, previous: Option<&Token<'_>>) -> Bracket {
        let Some(previous) = previous else { return Bracket::Block };
        if previous.is("=>") {
            return Bracket::Body;
        }
        if previous.is(")") {
            let open = index.checked_sub(1).and_then(|close| self.pair(close));
            return if open.is_some_and(|open| self.heads_function(open)) { Bracket::Body } else { Bracket::Block };
        }
        let is_block = previous.is(";") || previous.is("{") || previous.is("}") || previous.is("else");
        let is_block =
            is_block || previous.is("do") || previous.is("try") || previous.is("finally") || previous.is("catch");
        // A label or a `case`; in a literal, a value.
        let after_colon = previous.is(":") && !matches!(self.open.last(), Some(Bracket::Literal | Bracket::Arguments));
        if is_block && !(previous.is("{") && self.open.last() == Some(&Bracket::Literal)) || after_colon {
            Bracket::Block
        } else {
            Bracket::Literal
        }
    }

    /// Whether the parentheses at `open` hold the parameters of a function with a body.
    fn heads_function(&self, open: usize) -> bool {
        let Some(previous) = open.checked_sub(1).and_then(|previous| self.token(previous)) else { return false };
        let keywords = ["if", "for", "while", "switch", "with", "catch", "await"];
        previous.kind == TokenKind::Word && !keywords.contains(&previous.text) || previous.is("]")
    }

    fn visit_bracket(&mut self, index: usize, bracket: Bracket) {
        let end = self.pair(index);
        // `[a] = …` and `{a} = …`, but not `a[0] = …`.
        if bracket == Bracket::Literal && self.is(end.map(|end| end + 1), "=") {
            let previous = index.checked_sub(1).and_then(|previous| self.token(previous));
            let is_member = self.token(index).is_some_and(|token| token.is("["))
                && previous.is_some_and(|previous| {
                    matches!(previous.kind, TokenKind::Word | TokenKind::Text) || previous.is(")") || previous.is("]")
                });
            let declares = previous.is_some_and(|previous| ["let", "const", "var"].contains(&previous.text));
            if !is_member && !declares {
                self.report(index, "destructuring");
            }
        }
        if bracket == Bracket::Parameters {
            let close = end.unwrap_or(index);
            let mut at = index + 1;
            while at < close {
                if self.is(Some(at), "{") || self.is(Some(at), "[") {
                    if !self.is(at.checked_sub(1), "=") {
                        self.report(at, "destructuring");
                    }
                    at = self.pair(at).unwrap_or(close);
                }
                at += 1;
            }
        }
        // A method that is a generator: `*name(`.
        let star = index.checked_sub(2).filter(|_| bracket == Bracket::Parameters);
        if self.is(star, "*") && !self.is(star.and_then(|star| star.checked_sub(1)), "function") {
            self.report(index, "generators");
        }
    }
}
