//! Acts `script=SEED@all`: arbitrary calls of the host and arbitrary answers, some of them valid. Equal seeds do the same.

use fastrand::Rng;

use crate::exports::tidegate::plugin::sync::{
    Action, Attribute, Decision, Edit, Entry, Extra, Failure, Finding, Summary,
};
use crate::tidegate::plugin::content::{read_heads, read_range, read_texts};
use crate::tidegate::plugin::edge::{HeaderRule, RedirectRule, add_headers, add_redirects};
use crate::tidegate::plugin::log::{Level, log};
use crate::tidegate::plugin::types::Severity;

/// Texts of every kind that the contract passes.
const TEXTS: [&str; 34] = [
    "",
    "a",
    "z/new.html",
    "b.txt",
    "index.html",
    "../x",
    "/abs",
    "a//b",
    "a\0b",
    "été",
    "content-type",
    "Cache-Control",
    "cache-control",
    "expires",
    "x-frame-options",
    "no-cache",
    "text/html; charset=utf-8",
    "a\r\nb: c",
    "/new/",
    "/*",
    "/old/:id",
    "/new/:splat",
    "/new/:id",
    "https://example.com/",
    "javascript:alert(1)",
    "//evil.example",
    "/rules/0",
    "rules",
    "\u{202e}gpj.exe",
    "\u{1b}[2J",
    "author",
    "x-mine",
    "compress",
    "/%zz",
];

/// What a call does.
pub(crate) struct Script {
    random: Rng,
    /// Of ten values, how many are arbitrary.
    wildness: u8,
}

impl Script {
    /// The script of a call, if the settings have a seed.
    pub(crate) fn new(settings: &str, call: u64) -> Option<Self> {
        let seed: u64 = settings.trim_matches('"').strip_prefix("script=")?.strip_suffix("@all")?.parse().ok()?;
        let wildness = u8::try_from(seed % 4).ok()?;
        Some(Self { random: Rng::with_seed(seed.wrapping_mul(31).wrapping_add(call)), wildness })
    }

    fn is_wild(&mut self) -> bool {
        self.random.u8(..10) < self.wildness
    }

    /// One of the good texts, or any.
    fn text(&mut self, good: &[&str]) -> String {
        let pool: &[&str] = if self.is_wild() { &TEXTS } else { good };
        let text = pool[self.random.usize(..pool.len())];
        if self.is_wild() && self.random.u8(..8) == 0 {
            text.repeat(self.random.usize(..3_000))
        } else {
            text.to_owned()
        }
    }

    fn rule(&mut self) -> String {
        self.text(&["", "/rules/0"])
    }

    fn attribute(&mut self, names: &[&str], values: &[&str]) -> Attribute {
        Attribute { name: self.text(names), value: self.text(values) }
    }

    fn attributes(&mut self) -> Vec<Attribute> {
        if self.is_wild() { vec![self.attribute(&["x-mine"], &["1"])] } else { Vec::new() }
    }

    fn maybe<T>(&mut self, value: T) -> Option<T> {
        self.random.bool().then_some(value)
    }

    /// Calls the host, and ignores what it answers.
    pub(crate) fn call_host(&mut self) {
        for _ in 0..self.random.usize(..5) {
            let key = self.text(&["index.html", "b.txt"]);
            let length = if self.is_wild() { self.random.u32(..) } else { self.random.u32(..1_000) };
            match self.random.u8(..6) {
                0 => log(Level::Warn, &self.text(&["fine"])),
                1 => drop(read_heads(&vec![key; self.random.usize(..20)], length)),
                2 => drop(read_texts(&[key, self.text(&["b.txt"])], length)),
                3 => {
                    let offset = if self.is_wild() { self.random.u64(..) } else { self.random.u64(..20) };
                    drop(read_range(&key, offset, length));
                }
                4 => {
                    let rules: Vec<RedirectRule> = (0..self.random.usize(..4)).map(|_| self.redirect()).collect();
                    drop(add_redirects(&rules));
                }
                _ => {
                    let rules: Vec<HeaderRule> = (0..self.random.usize(..4)).map(|_| self.headers()).collect();
                    drop(add_headers(&rules));
                }
            }
        }
    }

    fn redirect(&mut self) -> RedirectRule {
        let target = self.text(&["/new/", "https://example.com/"]);
        RedirectRule {
            path: self.text(&["/old", "/*", "/old/:id"]),
            target: self.maybe(target),
            status: if self.is_wild() {
                self.random.u16(..)
            } else {
                self.random.choice([301, 302, 200, 410]).unwrap_or(301)
            },
            either_slash: self.random.bool(),
            force: self.random.bool(),
            rule: self.rule(),
            reason: self.text(&["why"]),
            attributes: self.attributes(),
        }
    }

    fn headers(&mut self) -> HeaderRule {
        let removal = self.text(&["x-mine"]);
        HeaderRule {
            path: self.text(&["/*", "/old"]),
            either_slash: self.random.bool(),
            headers: vec![self.attribute(&["x-frame-options", "x-mine"], &["DENY"])],
            removals: self.maybe(removal).into_iter().collect(),
            rule: self.rule(),
            reason: self.text(&["why"]),
            attributes: self.attributes(),
        }
    }

    /// A failure, now and then.
    pub(crate) fn failure(&mut self) -> Result<(), Failure> {
        if !self.is_wild() || self.random.u8(..10) > 0 {
            return Ok(());
        }
        let key = self.text(&["index.html"]);
        Err(Failure {
            code: self.text(&["on-purpose"]),
            message: self.text(&["no"]),
            key: self.maybe(key),
            rule: self.rule(),
            attributes: self.attributes(),
        })
    }

    /// Decisions about a batch.
    pub(crate) fn decide(&mut self, batch: &[Entry]) -> Vec<Decision> {
        let mut decisions = Vec::new();
        for index in 0..u32::try_from(batch.len()).unwrap_or_default() {
            if self.random.bool() {
                let index = if self.is_wild() { self.random.u32(..3) } else { index };
                let action = self.action();
                decisions.push(Decision { index, action, rule: self.rule(), reason: self.text(&["why"]) });
            }
        }
        decisions
    }

    fn action(&mut self) -> Action {
        match self.random.u8(..8) {
            0 => Action::Exclude,
            1 if self.is_wild() => Action::Other(self.attribute(&["compress"], &["br"])),
            _ => Action::Publish((0..self.random.usize(..4)).map(|_| self.edit()).collect()),
        }
    }

    fn edit(&mut self) -> Edit {
        match self.random.u8(..7) {
            0 => Edit::Rename(self.text(&["z/new.html", "été"])),
            1 => Edit::SetHeader(self.attribute(&["content-type", "cache-control"], &["no-cache"])),
            2 => Edit::RemoveHeader(self.text(&["expires"])),
            3 => Edit::SetMetadata(self.attribute(&["author"], &["a"])),
            4 => Edit::RemoveMetadata(self.text(&["author"])),
            5 => Edit::Redirect(self.text(&["/new/", "https://example.com/"])),
            _ if self.is_wild() => Edit::Other(self.attribute(&["compress"], &["br"])),
            _ => Edit::RemoveHeader("expires".to_owned()),
        }
    }

    /// The last answer.
    pub(crate) fn finish(&mut self) -> Summary {
        let extras = (0..self.random.usize(..3)).map(|at| Extra {
            key: if self.is_wild() { self.text(&["index.html"]) } else { format!("extra-{at}") },
            redirect: self.text(&["/new/"]),
            rule: self.rule(),
            reason: self.text(&["why"]),
            attributes: self.attributes(),
        });
        let extras = extras.collect();
        let findings = (0..self.random.usize(..3)).map(|_| Finding {
            code: self.text(&["noise"]),
            severity: Severity::Warning,
            message: self.text(&["a message"]),
            key: None,
            rule: self.rule(),
            attributes: self.attributes(),
        });
        let findings = findings.collect();
        Summary { extras, findings, attributes: self.attributes() }
    }
}
