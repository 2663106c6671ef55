//! Splits JavaScript into tokens: as much as `lint` needs to know what is code and what is text.

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// An identifier or a keyword.
    Word,
    Number,
    /// A string, or a piece of a template between its expressions.
    Text,
    /// A regular expression, with its flags.
    Regex,
    /// An operator or a bracket.
    Punctuation,
}

/// A token and the line that it starts in, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a str,
    pub(super) line: usize,
}

impl Token<'_> {
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::Punctuation) && self.text == text
    }
}

/// Operators of more than one character that matter, or that would be read wrongly character by character; the longest
/// first.
const OPERATORS: [&str; 28] = [
    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=", "<=", ">=", "&&",
    "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "**", "%=",
];

/// Keywords after which a `/` starts a regular expression.
const BEFORE_REGEX: [&str; 15] = [
    "return",
    "typeof",
    "instanceof",
    "in",
    "of",
    "new",
    "delete",
    "void",
    "throw",
    "case",
    "do",
    "else",
    "await",
    "yield",
    "default",
];

/// The tokens of `code`. What is not JavaScript becomes punctuation, and the engine rejects it.
pub(super) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut scanner = Scanner { code, at: 0, line: 1, tokens: Vec::new(), braces: Vec::new() };
    scanner.scan();
    scanner.tokens
}

struct Scanner<'a> {
    code: &'a str,
    /// Bytes read.
    at: usize,
    line: usize,
    tokens: Vec<Token<'a>>,
    /// Open braces: whether each belongs to a template.
    braces: Vec<bool>,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        self.code.get(self.at..).unwrap_or_default()
    }

    fn scan(&mut self) {
        while let Some(first) = self.rest().chars().next() {
            let rest = self.rest();
            if first.is_whitespace() {
                self.skip(first.len_utf8());
            } else if rest.starts_with("//") || (self.at == 0 && rest.starts_with("#!")) {
                self.skip(rest.find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.skip(rest.find("*/").map_or(rest.len(), |end| end + 2));
            } else if first.is_ascii_digit()
                || (first == '.' && rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit()))
            {
                self.push(TokenKind::Number, number(rest));
            } else if is_word(first) || first == '\\' {
                let length = rest.find(|character| !is_word(character) && character != '\\').unwrap_or(rest.len());
                self.push(TokenKind::Word, length);
            } else if matches!(first, '"' | '\'') {
                self.push(TokenKind::Text, quoted(rest, first));
            } else if first == '`' {
                self.template(1);
            } else if first == '}' && self.braces.last() == Some(&true) {
                self.braces.pop();
                self.template(1);
            } else if first == '/' && self.expects_operand() {
                self.push(TokenKind::Regex, regex(rest));
            } else {
                self.punctuation(rest, first);
            }
        }
    }

    fn punctuation(&mut self, rest: &str, first: char) {
        match first {
            '{' => self.braces.push(false),
            '}' => drop(self.braces.pop()),
            _ => {}
        }
        let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator));
        // `a?.5:1` is a condition.
        let operator = operator.filter(|operator| {
            *operator != "?." || !rest.chars().nth(2).is_some_and(|character| character.is_ascii_digit())
        });
        self.push(TokenKind::Punctuation, operator.map_or(first.len_utf8(), str::len));
    }

    /// A piece of a template, from a backtick or the end of an expression to a backtick or the start of the next one.
    fn template(&mut self, opening: usize) {
        let rest = self.rest();
        let mut escaped = false;
        let mut dollar = false;
        for (index, character) in rest.char_indices().skip(opening) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '`' => return self.push(TokenKind::Text, index + 1),
                '{' if dollar => {
                    self.braces.push(true);
                    return self.push(TokenKind::Text, index + 1);
                }
                _ => {}
            }
            dollar = character == '$' && !escaped;
        }
        self.push(TokenKind::Text, rest.len());
    }

    /// Whether an operand is next, so that a `/` starts a regular expression. After `)` a `/` divides; an `if (…) /re/` is
    /// read wrongly.
    fn expects_operand(&self) -> bool {
        match self.tokens.last() {
            None => true,
            Some(token) => match token.kind {
                TokenKind::Word => BEFORE_REGEX.contains(&token.text),
                TokenKind::Number | TokenKind::Regex => false,
                TokenKind::Text => token.text.ends_with('{'),
                TokenKind::Punctuation => !matches!(token.text, ")" | "]" | "}" | "++" | "--"),
            },
        }
    }

    fn push(&mut self, kind: TokenKind, length: usize) {
        let length = length.max(1);
        let text = self.rest().get(..length).unwrap_or_else(|| self.rest());
        self.tokens.push(Token { kind, text, line: self.line });
        self.skip(text.len());
    }

    fn skip(&mut self, length: usize) {
        let skipped = self.rest().get(..length).unwrap_or_else(|| self.rest());
        self.line += skipped.matches('\n').count();
        self.at += skipped.len();
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$' | '#' | '\u{200c}' | '\u{200d}')
}

/// The length of a number: letters and digits, a fraction, and an exponent with its sign.
fn number(text: &str) -> usize {
    let is_hex = text.starts_with("0x") || text.starts_with("0X");
    let mut previous = ' ';
    let part_of = |previous: char, character: char| match character {
        '+' | '-' => !is_hex && matches!(previous, 'e' | 'E'),
        other => other.is_ascii_alphanumeric() || matches!(other, '.' | '_'),
    };
    for (index, character) in text.char_indices() {
        if !part_of(previous, character) {
            return index;
        }
        previous = character;
    }
    text.len()
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            other if other == quote => return index + 1,
            '\n' => return index,
            _ => {}
        }
    }
    text.len()
}

fn regex(text: &str) -> usize {
    let (mut escaped, mut in_class) = (false, false);
    for (index, character) in text.char_indices().skip(1) {
        match character {
            '\n' => return index,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => {
                let flags = text.get(index + 1..).unwrap_or_default();
                return index + 1 + flags.find(|character| !is_word(character)).unwrap_or(flags.len());
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(code: &str) -> Vec<&str> {
        tokens(code).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn distinguishes_division_and_regular_expressions() {
        assert_eq!(texts("a / b / c"), ["a", "/", "b", "/", "c"]);
        assert_eq!(texts("x = /[/]\\//g.test(a)"), ["x", "=", "/[/]\\//g", ".", "test", "(", "a", ")"]);
        assert_eq!(texts("return /a/"), ["return", "/a/"]);
        assert_eq!(texts("(a) / b"), ["(", "a", ")", "/", "b"]);
    }

    #[test]
    fn text_is_not_code() {
        assert_eq!(texts("'a?.b' // c?.d\n/* e?.f */ \"\\\"?.\""), ["'a?.b'", "\"\\\"?.\""]);
        assert_eq!(texts("`a ${b + `c ${d}`} {e}`"), ["`a ${", "b", "+", "`c ${", "d", "}`", "} {e}`"]);
        assert_eq!(texts("a?.5:1"), ["a", "?", ".5", ":", "1"]);
        assert_eq!(texts("1e+5 + .5"), ["1e+5", "+", ".5"]);
    }

    proptest! {
        #[test]
        fn any_text_has_tokens_in_order(code in "[a-z0-9`'\"/\\\\${}()?.*= \n\u{e9}]{0,60}") {
            let mut rest = code.as_str();
            for token in tokens(&code) {
                prop_assert!(!token.text.is_empty());
                let found = rest.split_once(token.text);
                prop_assert!(found.is_some(), "{} in {rest}", token.text);
                rest = found.map_or("", |(_, rest)| rest);
            }
        }
    }
}
