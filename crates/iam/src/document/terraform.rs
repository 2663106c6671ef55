//! Policy documents in Terraform's language, in the form of `terraform fmt`.

use std::fmt::Write as _;

use super::{Effect, PolicyDocument, Principal, PseudoParameter, Statement, TextPiece, pieces};

/// A quoted string, with `${` and `%{` escaped and [`PseudoParameter`]s written as references.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for piece in pieces(text) {
        match piece {
            TextPiece::Text(text) => escape(text, &mut out),
            TextPiece::Pseudo(PseudoParameter::Account) => {
                out.push_str("${data.aws_caller_identity.current.account_id}");
            }
            TextPiece::Pseudo(PseudoParameter::Region) => out.push_str("${data.aws_region.current.region}"),
        }
    }
    out.push('"');
    out
}

fn escape(text: &str, out: &mut String) {
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '$' | '%' if rest.peek() == Some(&'{') => out.extend([c, c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Attributes and blocks at one depth, in order.
#[derive(Debug, Default)]
pub(crate) struct HclBody {
    parts: Vec<HclPart>,
}

#[derive(Debug)]
enum HclPart {
    /// A comment.
    Comment(String),
    /// A line.
    Item(String),
    /// An attribute on one line.
    Line(String, String),
    /// An attribute with a list of several lines.
    List(String, Vec<String>),
    /// An opening line, a body and a closing line.
    Group(String, HclBody, &'static str),
}

impl HclBody {
    pub(crate) fn line(&mut self, name: &str, value: &str) {
        self.parts.push(HclPart::Line(name.to_owned(), value.to_owned()));
    }

    pub(crate) fn comment(&mut self, text: &str) {
        self.parts.push(HclPart::Comment(text.to_owned()));
    }

    pub(crate) fn block(&mut self, head: &str, body: Self) {
        self.group(&format!("{head} {{"), body, "}");
    }

    /// A line of its own, such as an element of a list.
    pub(crate) fn item(&mut self, text: &str) {
        self.parts.push(HclPart::Item(text.to_owned()));
    }

    /// A body between two lines, such as `name = jsonencode({` and `})`.
    pub(crate) fn group(&mut self, open: &str, body: Self, close: &'static str) {
        self.parts.push(HclPart::Group(open.to_owned(), body, close));
    }

    pub(crate) fn list(&mut self, name: &str, values: Vec<String>) {
        match values.as_slice() {
            [one] => self.line(name, &format!("[{one}]")),
            _ => self.parts.push(HclPart::List(name.to_owned(), values)),
        }
    }

    fn write(&self, out: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        let mut previous: Option<&HclPart> = None;
        for (index, part) in self.parts.iter().enumerate() {
            let needs_blank_line = match (previous, part) {
                (None, _)
                | (Some(HclPart::Comment(_)), _)
                | (Some(HclPart::Item(_)), HclPart::Item(_))
                | (Some(HclPart::Line(..)), HclPart::Line(..)) => false,
                (Some(_), _) => true,
            };
            if needs_blank_line {
                out.push('\n');
            }
            match part {
                HclPart::Item(text) => {
                    let _ = writeln!(out, "{indent}{text}");
                }
                HclPart::Comment(text) => {
                    let _ = writeln!(out, "{indent}# {text}");
                }
                HclPart::Line(name, value) => {
                    // The equals signs of adjacent lines are aligned.
                    let is_line = |part: &&HclPart| matches!(part, HclPart::Line(..));
                    let before = self.parts.iter().take(index).rev().take_while(is_line);
                    let after = self.parts.iter().skip(index).take_while(is_line);
                    let widths = before.chain(after).filter_map(|part| match part {
                        HclPart::Line(name, _) => Some(name.len()),
                        _ => None,
                    });
                    let width = widths.max().unwrap_or_default();
                    let _ = writeln!(out, "{indent}{name:width$} = {value}");
                }
                HclPart::List(name, values) => {
                    let _ = writeln!(out, "{indent}{name} = [");
                    for value in values {
                        let _ = writeln!(out, "{indent}  {value},");
                    }
                    let _ = writeln!(out, "{indent}]");
                }
                HclPart::Group(open, body, close) if body.parts.is_empty() => {
                    let _ = writeln!(out, "{indent}{open}{close}");
                }
                HclPart::Group(open, body, close) => {
                    let _ = writeln!(out, "{indent}{open}");
                    body.write(out, depth + 1);
                    let _ = writeln!(out, "{indent}{close}");
                }
            }
            previous = Some(part);
        }
    }
}

/// The text of a file.
pub(crate) fn text(body: &HclBody) -> String {
    let mut out = String::new();
    body.write(&mut out, 0);
    out
}

fn quoted_all(values: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    values.into_iter().map(|value| quoted(value.as_ref())).collect()
}

fn statement(statement: &Statement) -> HclBody {
    let mut body = HclBody::default();
    if let Some(sid) = statement.sid() {
        body.line("sid", &quoted(sid));
    }
    body.line("effect", if statement.effect() == Effect::Allow { "\"Allow\"" } else { "\"Deny\"" });
    body.list("actions", quoted_all(statement.actions()));
    if !statement.resources().is_empty() {
        body.list("resources", quoted_all(statement.resources()));
    }
    if let Some(principal) = statement.principal() {
        let (kind, names) = match principal {
            Principal::Anyone => ("*", vec!["*".to_owned()]),
            Principal::Aws(arns) => ("AWS", arns.clone()),
            Principal::Federated(arn) => ("Federated", vec![arn.clone()]),
            Principal::Service(name) => ("Service", vec![name.clone()]),
        };
        let mut principals = HclBody::default();
        principals.line("type", &quoted(kind));
        principals.list("identifiers", quoted_all(names));
        body.block("principals", principals);
    }
    for (operator, keys) in statement.conditions() {
        for (key, values) in keys {
            let mut condition = HclBody::default();
            condition.line("test", &quoted(operator));
            condition.line("variable", &quoted(key));
            condition.list("values", quoted_all(values));
            body.block("condition", condition);
        }
    }
    body
}

/// The document as a data source, each statement below a comment with its reason.
pub(crate) fn policy_document(document: &PolicyDocument, name: &str, file: &mut HclBody) {
    put_document(name, document_body(document), file);
}

/// The statements of a data source.
pub(crate) fn document_body(document: &PolicyDocument) -> HclBody {
    let mut body = HclBody::default();
    for each in document.statements() {
        if !each.why().is_empty() {
            body.comment(each.why());
        }
        body.block("statement", statement(each));
    }
    body
}

/// A data source with these statements.
pub(crate) fn put_document(name: &str, body: HclBody, file: &mut HclBody) {
    file.block(&format!("data \"aws_iam_policy_document\" {}", quoted(name)), body);
}
