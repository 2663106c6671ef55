//! A policy document as Terraform's configuration language has it.
//!
//! Owns the form, as `terraform fmt` leaves it: what takes several lines stands apart, since only neighbours are aligned.
//! Never writes anything but data sources; what a document is attached to is `grant`'s.

use std::fmt::Write as _;

use super::{Effect, PolicyDocument, Principal, PseudoParameter, Statement, TextPiece, pieces};

/// A text in quotes; `${` and `%{` would be templates, and are for what only the account knows.
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

/// Attributes and blocks at one depth, in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct HclBody {
    parts: Vec<HclPart>,
}

#[derive(Debug)]
enum HclPart {
    Comment(String),
    /// One line.
    Line(String, String),
    List(String, Vec<String>),
    /// What opens it, what is in it, what closes it.
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

    /// Anything between two brackets, such as `name = jsonencode({` and `})`.
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
        let mut before: Option<&HclPart> = None;
        for (place, part) in self.parts.iter().enumerate() {
            let apart = match (before, part) {
                (None, _) | (Some(HclPart::Comment(_)), _) | (Some(HclPart::Line(..)), HclPart::Line(..)) => false,
                (Some(_), _) => true,
            };
            if apart {
                out.push('\n');
            }
            match part {
                HclPart::Comment(text) => {
                    let _ = writeln!(out, "{indent}# {text}");
                }
                HclPart::Line(name, value) => {
                    // Neighbours in one line each are aligned.
                    let group = |part: &&HclPart| matches!(part, HclPart::Line(..));
                    let first = self.parts.iter().take(place).rev().take_while(group);
                    let last = self.parts.iter().skip(place).take_while(group);
                    let widest = first.chain(last).filter_map(|part| match part {
                        HclPart::Line(name, _) => Some(name.len()),
                        _ => None,
                    });
                    let width = widest.max().unwrap_or_default();
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
            before = Some(part);
        }
    }
}

/// The whole text of blocks.
pub(crate) fn text(body: &HclBody) -> String {
    let mut out = String::new();
    body.write(&mut out, 0);
    out
}

fn all(values: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    values.into_iter().map(|value| quoted(value.as_ref())).collect()
}

fn statement(statement: &Statement) -> HclBody {
    let mut body = HclBody::default();
    if let Some(sid) = statement.sid() {
        body.line("sid", &quoted(sid));
    }
    body.line("effect", if statement.effect() == Effect::Allow { "\"Allow\"" } else { "\"Deny\"" });
    body.list("actions", all(statement.actions()));
    if !statement.resources().is_empty() {
        body.list("resources", all(statement.resources()));
    }
    if let Some(principal) = statement.principal() {
        let (kind, names) = match principal {
            Principal::Anybody => ("*", vec!["*".to_owned()]),
            Principal::Aws(arns) => ("AWS", arns.clone()),
            Principal::Federated(arn) => ("Federated", vec![arn.clone()]),
            Principal::Service(name) => ("Service", vec![name.clone()]),
        };
        let mut principals = HclBody::default();
        principals.line("type", &quoted(kind));
        principals.list("identifiers", all(names));
        body.block("principals", principals);
    }
    for (operator, keys) in statement.conditions() {
        for (key, values) in keys {
            let mut condition = HclBody::default();
            condition.line("test", &quoted(operator));
            condition.line("variable", &quoted(key));
            condition.list("values", all(values));
            body.block("condition", condition);
        }
    }
    body
}

/// The document as a data source of that name, each statement below the reason for it.
pub(crate) fn policy_document(document: &PolicyDocument, name: &str, file: &mut HclBody) {
    let mut body = HclBody::default();
    for each in document.statements() {
        if !each.why().is_empty() {
            body.comment(each.why());
        }
        body.block("statement", statement(each));
    }
    file.block(&format!("data \"aws_iam_policy_document\" {}", quoted(name)), body);
}
