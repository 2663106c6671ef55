//! A sync plugin that performs the act in its settings. With `"good"` it decides nothing.

use std::cell::RefCell;

use guest_acts::{UNSAFE_TEXT, act, perform};

mod edge;
mod scripted;

wit_bindgen::generate!({ path: "../../../wit", world: "sync-plugin", generate_all });

use exports::tidegate::plugin::settings::{Guest as Settings, Issue};
use exports::tidegate::plugin::sync::{
    Action, Attribute, Decision, Edit, Entry, Extra, Failure, Finding, Guest as Sync, Run, Summary,
};
use tidegate::plugin::content::{ReadError, read_heads, read_range};
use tidegate::plugin::edge::RuleError;
use tidegate::plugin::log::{Level, log};
use tidegate::plugin::types::Severity;

use scripted::Script;

struct Guest;

export!(Guest);

thread_local! {
    static SETTINGS: RefCell<String> = const { RefCell::new(String::new()) };
}

fn settings() -> String {
    SETTINGS.with_borrow(String::clone)
}

fn attribute(name: &str, value: &str) -> Attribute {
    Attribute { name: name.to_owned(), value: value.to_owned() }
}

fn failure(message: &str) -> Failure {
    Failure {
        code: "on-purpose".to_owned(),
        message: message.to_owned(),
        key: Some("a/key".to_owned()),
        rule: "/rules/7".to_owned(),
        attributes: Vec::new(),
    }
}

impl Settings for Guest {
    fn validate(settings: String) -> Result<String, Vec<Issue>> {
        let issue = |pointer: &str, message: &str| Issue { pointer: pointer.to_owned(), message: message.to_owned() };
        let act = act(&settings, "validate").to_owned();
        perform(&act);
        match act.as_str() {
            "invalid-json" => Ok("{".to_owned()),
            "grow" => Ok(format!("{settings} ")),
            "inconsistent" => Ok("\"refuse@validate\"".to_owned()),
            "long" => Ok(format!("\"{}\"", "x".repeat(2 << 20))),
            "huge" => Ok("x".repeat(40 << 20)),
            "pointer" => Err(vec![issue("no/pointer", "this is wrong")]),
            "no-issue" => Err(Vec::new()),
            "many-issues" => Err((0..1_000).map(|at| issue(&format!("/{at}"), UNSAFE_TEXT)).collect()),
            "refuse" => Err(vec![issue("/globs/3", "write a pattern here")]),
            "edge" => match edge::add_one("good") {
                Err(RuleError::NoEdge) => Ok(settings),
                other => Err(vec![issue("", &format!("{other:?}"))]),
            },
            "read" => match read_range("index.html", 0, 10) {
                Err(ReadError::NotFound) => Ok(settings),
                _ => Err(vec![issue("", "there is content to read")]),
            },
            _ => Ok(settings),
        }
    }
}

impl Sync for Guest {
    fn begin(run: Run) -> Result<(), Failure> {
        SETTINGS.set(run.settings.clone());
        if let Some(mut script) = Script::new(&run.settings, 0) {
            script.call_host();
            return script.failure();
        }
        let act = act(&run.settings, "begin").to_owned();
        perform(&act);
        edge::perform(&act);
        match act.as_str() {
            "failure" => return Err(failure(UNSAFE_TEXT)),
            "log-flood" => {
                let line = format!("{UNSAFE_TEXT}{}", "x".repeat(1_000));
                (0..100_000).for_each(|_| log(Level::Info, &line));
            }
            "log-huge" => log(Level::Info, &"x".repeat(30 << 20)),
            "heads-huge" => {
                read_heads(&vec!["x".repeat(1 << 20); 30], 1);
            }
            "heads-many" => {
                read_heads(&vec!["index.html".to_owned(); 1_001], 1);
            }
            "heads-long" => {
                read_heads(&["index.html".to_owned()], (64 << 10) + 1);
            }
            "range-long" => {
                let _ = read_range("index.html", 0, (1 << 20) + 1);
            }
            "read-until-refused" => {
                for reads in 0_u64.. {
                    match read_range("index.html", 0, 1 << 20) {
                        Ok(_) => {}
                        Err(ReadError::BudgetExhausted) => return Err(failure(&format!("refused after {reads}"))),
                        Err(error) => return Err(failure(&format!("{error:?}"))),
                    }
                }
            }
            "read-for-ever" => loop {
                let _ = read_range("index.html", 0, 1 << 20);
            },
            "read-nothing" => loop {
                let _ = read_range("no-such", 0, 0);
            },
            "heads-nothing" => {
                // Keys as long as a call may have, which differ from each other only at their ends.
                let keys: Vec<String> = (0..1_000).map(|at| format!("{}{at}", "x".repeat(8 << 10))).collect();
                loop {
                    read_heads(&keys, 1);
                }
            }
            "heads-none" => loop {
                read_heads(&[], 1);
            },
            "read-elsewhere" => {
                for key in ["../secret", "/etc/passwd", "no-such", "", "index.html\0"] {
                    match read_range(key, 0, 10) {
                        Err(ReadError::NotFound) => {}
                        other => return Err(failure(&format!("{key}: {other:?}"))),
                    }
                }
            }
            "read-back" => {
                let heads = read_heads(&["index.html".to_owned(), "no-such".to_owned(), "b.txt".to_owned()], 3);
                let texts: Vec<String> = heads
                    .iter()
                    .map(|head| match head {
                        Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                        Err(error) => format!("{error:?}"),
                    })
                    .collect();
                let range = read_range("index.html", 1, 2).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                let past = read_range("index.html", 100, 2).map(|bytes| bytes.len());
                log(Level::Info, &format!("{} {range:?} {past:?}", texts.join(" ")));
            }
            "unread" => {
                if let Err(ReadError::Unavailable(why)) = read_range("index.html", 0, 10) {
                    return Err(failure(&why));
                }
            }
            "facts" => {
                let attributes: Vec<String> =
                    run.attributes.iter().map(|a| format!("{}={}", a.name, a.value)).collect();
                log(
                    Level::Warn,
                    &format!("{} {} {} {} {}", run.site, run.release, run.now_ms, run.objects, attributes.join(",")),
                );
            }
            _ => {}
        }
        Ok(())
    }

    fn decide(batch: Vec<Entry>) -> Result<Vec<Decision>, Failure> {
        let settings = settings();
        if let Some(mut script) = Script::new(&settings, 1) {
            script.call_host();
            script.failure()?;
            return Ok(script.decide(&batch));
        }
        let name = act(&settings, "decide");
        perform(name);
        edge::perform(name);
        let decide = |index: u32, edits: Vec<Edit>| Decision {
            index,
            action: Action::Publish(edits),
            rule: "/rules/0".to_owned(),
            reason: format!("because {UNSAFE_TEXT}"),
        };
        let one = |edit: Edit| Ok(vec![decide(0, vec![edit])]);
        let header = |name: &str, value: &str| one(Edit::SetHeader(attribute(name, value)));
        let metadata = |name: &str, value: &str| one(Edit::SetMetadata(attribute(name, value)));
        let other = |action: Action| {
            Ok(vec![Decision { index: 0, action, rule: "/rules/0".to_owned(), reason: String::new() }])
        };
        if let Some(key) = name.strip_prefix("rename=") {
            return one(Edit::Rename(key.replace("\\u0000", "\0").replace("\\n", "\n")));
        }
        if let Some(target) = name.strip_prefix("redirect=") {
            return one(Edit::Redirect(target.to_owned()));
        }
        match name {
            "failure" => Err(failure("this must not be published")),
            "descending" => Ok(vec![decide(1, vec![]), decide(0, vec![])]),
            "twice" => Ok(vec![decide(1, vec![]), decide(1, vec![])]),
            "out-of-range" => Ok(vec![decide(u32::try_from(batch.len()).unwrap_or(u32::MAX), vec![])]),
            "far-out" => Ok(vec![decide(u32::MAX, vec![])]),
            "rename-long" => one(Edit::Rename("x".repeat(1_025))),
            "rename-huge" => one(Edit::Rename("\u{1}".repeat(4 << 20))),
            "collide" => one(Edit::Rename("b.txt".to_owned())),
            "collide-both" => Ok(vec![
                decide(0, vec![Edit::Rename("same".to_owned())]),
                decide(1, vec![Edit::Rename("same".to_owned())]),
            ]),
            "swap" => Ok(vec![
                decide(0, vec![Edit::Rename("index.html".to_owned())]),
                decide(1, vec![Edit::Rename("b.txt".to_owned())]),
            ]),
            "header-name" => header("x-frame-options", "DENY"),
            "header-split" => header("cache-control", "no-cache\r\nset-cookie: a=b"),
            "header-empty" => header("cache-control", ""),
            "header-long" => header("cache-control", &"x".repeat(5_000)),
            "header-name-huge" => header(&"\u{1}".repeat(4 << 20), "x"),
            "metadata-name" => metadata("a b", "x"),
            "metadata-size" => metadata("a", &"x".repeat(2_048)),
            "metadata-sum" => Ok(vec![decide(
                0,
                (0..30).map(|at| Edit::SetMetadata(attribute(&format!("m{at}"), &"x".repeat(100)))).collect(),
            )]),
            "metadata-reserved" => metadata("Tidegate-sha256", "0"),
            "other-edit" => one(Edit::Other(attribute("compress", "br"))),
            "other-action" => other(Action::Other(attribute("quarantine", ""))),
            "pointer" => Ok(vec![Decision {
                index: 0,
                action: Action::Exclude,
                rule: "globs[0]".to_owned(),
                reason: String::new(),
            }]),
            "huge-list" => Ok((0..250_000).map(|index| decide(index, vec![])).collect()),
            "huge-string" => Ok(vec![Decision {
                index: 0,
                action: Action::Exclude,
                rule: String::new(),
                reason: "x".repeat(40 << 20),
            }]),
            "many-edits" => {
                Ok(vec![decide(0, (0..100_000).map(|_| Edit::RemoveHeader("expires".to_owned())).collect())])
            }
            "everything" => Ok(vec![
                decide(
                    0,
                    vec![
                        Edit::Rename("z/é.txt".to_owned()),
                        Edit::SetHeader(attribute("Content-Type", "text/plain")),
                        Edit::SetHeader(attribute("expires", "0")),
                        Edit::RemoveHeader("expires".to_owned()),
                        Edit::SetMetadata(attribute("Author", "me")),
                        Edit::SetMetadata(attribute("b", "c")),
                        Edit::RemoveMetadata("B".to_owned()),
                    ],
                ),
                decide(1, vec![Edit::Redirect("/z/".to_owned())]),
            ]),
            "exclude" => other(Action::Exclude),
            "see" => {
                for entry in &batch {
                    let list = |list: &[Attribute]| {
                        list.iter().map(|a| format!("{}={}", a.name, a.value)).collect::<Vec<_>>().join(";")
                    };
                    log(
                        Level::Debug,
                        &format!(
                            "{} {} {} {} [{}] [{}]",
                            entry.key,
                            entry.size,
                            entry.digest.as_deref().unwrap_or("-"),
                            entry.redirect.as_deref().unwrap_or("-"),
                            list(&entry.headers),
                            list(&entry.metadata)
                        ),
                    );
                    if entry.key.starts_with("z/") {
                        match read_range(&entry.key, 0, 5) {
                            Ok(bytes) => log(Level::Debug, &String::from_utf8_lossy(&bytes)),
                            Err(error) => log(Level::Debug, &format!("{error:?}")),
                        }
                    }
                }
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn finish() -> Result<Summary, Failure> {
        let settings = settings();
        if let Some(mut script) = Script::new(&settings, 2) {
            script.call_host();
            script.failure()?;
            return Ok(script.finish());
        }
        let name = act(&settings, "finish");
        perform(name);
        edge::perform(name);
        let mut summary = Summary { extras: Vec::new(), findings: Vec::new(), attributes: Vec::new() };
        let extra = |key: &str, redirect: &str| Extra {
            key: key.to_owned(),
            redirect: redirect.to_owned(),
            rule: "/extras/0".to_owned(),
            reason: "because of a rule".to_owned(),
            attributes: Vec::new(),
        };
        let finding = |message: &str| Finding {
            code: "noise".to_owned(),
            severity: Severity::Warning,
            message: message.to_owned(),
            key: Some(UNSAFE_TEXT.to_owned()),
            rule: String::new(),
            attributes: vec![attribute("x-mine", "1")],
        };
        match name {
            "failure" => return Err(failure("no")),
            "extra" => summary.extras = vec![extra("old.html", "/index.html"), extra("a/old", "https://example.com/")],
            "extra-collide" => summary.extras = vec![extra("index.html", "/x")],
            "extra-twice" => summary.extras = vec![extra("old", "/x"), extra("old", "/y")],
            "extra-escape" => summary.extras = vec![extra("../old", "/x")],
            "extra-target" => summary.extras = vec![extra("old", "javascript:alert(1)")],
            "extra-huge" => summary.extras = vec![extra("old", &"x".repeat(1 << 20)); 20],
            "extra-attribute" => {
                summary.extras = vec![Extra { attributes: vec![attribute("weight", "1")], ..extra("old", "/x") }];
            }
            "attribute" => summary.attributes = vec![attribute("compress", "all")],
            "free-attribute" => summary.attributes = vec![attribute("x-compress", "all")],
            "finding-pointer" => summary.findings = vec![Finding { rule: "rules".to_owned(), ..finding("x") }],
            "finding" => summary.findings = vec![finding(UNSAFE_TEXT)],
            "finding-flood" => summary.findings = (0..20_000).map(|_| finding(UNSAFE_TEXT)).collect(),
            _ => {}
        }
        Ok(summary)
    }
}
