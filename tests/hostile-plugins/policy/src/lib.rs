//! A policy plugin that performs the act in its settings. With `"good"` it allows every plan.

use std::cell::RefCell;

use guest_acts::{UNSAFE_TEXT, act, perform};

wit_bindgen::generate!({ path: "../../../wit", world: "policy-plugin", generate_all });

use exports::tidegate::plugin::policy::{Change, Failure, Finding, Guest as Policy, Judgement, Run, Totals, Verdict};
use exports::tidegate::plugin::settings::{Guest as Settings, Issue};
use tidegate::plugin::content::read_range;
use tidegate::plugin::log::{Level, log};
use tidegate::plugin::types::{Attribute, Severity};

struct Guest;

export!(Guest);

thread_local! {
    static SETTINGS: RefCell<String> = const { RefCell::new(String::new()) };
}

fn finding(message: &str) -> Finding {
    Finding {
        code: "noise".to_owned(),
        severity: Severity::Error,
        message: message.to_owned(),
        key: None,
        rule: "/rules/1".to_owned(),
        attributes: Vec::new(),
    }
}

fn failure() -> Failure {
    Failure {
        code: "on-purpose".to_owned(),
        message: UNSAFE_TEXT.to_owned(),
        key: None,
        rule: String::new(),
        attributes: Vec::new(),
    }
}

impl Settings for Guest {
    fn validate(settings: String) -> Result<String, Vec<Issue>> {
        perform(act(&settings, "validate"));
        Ok(settings)
    }
}

impl Policy for Guest {
    fn begin(run: Run, totals: Totals) -> Result<(), Failure> {
        SETTINGS.set(run.settings.clone());
        let name = act(&run.settings, "begin");
        perform(name);
        match name {
            "failure" => return Err(failure()),
            "read-nothing" => loop {
                let _ = read_range("no-such", 0, 0);
            },
            "totals" => {
                let counts: Vec<String> = totals.counts.iter().map(|(name, count)| format!("{name}={count}")).collect();
                log(Level::Info, &format!("{} {}", run.objects, counts.join(" ")));
            }
            _ => {}
        }
        Ok(())
    }

    fn review(batch: Vec<Change>) -> Result<Vec<Finding>, Failure> {
        let settings = SETTINGS.with_borrow(String::clone);
        let name = act(&settings, "review");
        perform(name);
        match name {
            "failure" => Err(failure()),
            "flood" => Ok((0..20_000).map(|_| finding(UNSAFE_TEXT)).collect()),
            "pointer" => Ok(vec![Finding { rule: "x".to_owned(), ..finding("x") }]),
            "attribute" => Ok(vec![Finding {
                attributes: vec![Attribute { name: "weight".to_owned(), value: String::new() }],
                ..finding("x")
            }]),
            "see" => {
                for change in &batch {
                    let headers: Vec<String> =
                        change.headers.iter().map(|a| format!("{}={}", a.name, a.value)).collect();
                    log(
                        Level::Info,
                        &format!(
                            "{:?} {} {} {} [{}] {} {:?}",
                            change.kind,
                            change.key,
                            change.size,
                            change.redirect.as_deref().unwrap_or("-"),
                            headers.join(";"),
                            change.reason,
                            read_range(&change.key, 0, 4)
                        ),
                    );
                }
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn conclude() -> Result<Judgement, Failure> {
        let settings = SETTINGS.with_borrow(String::clone);
        let name = act(&settings, "conclude");
        perform(name);
        let judge = |verdict: Verdict| Judgement {
            verdict,
            findings: vec![finding("this is a finding")],
            attributes: Vec::new(),
        };
        match name {
            "failure" => Err(failure()),
            "hold" => Ok(judge(Verdict::Hold)),
            "deny" => Ok(judge(Verdict::Deny)),
            "other" => Ok(judge(Verdict::Other("allow-but-\u{1b}[31mred".to_owned()))),
            "attribute" => Ok(Judgement {
                attributes: vec![Attribute { name: "until".to_owned(), value: String::new() }],
                ..judge(Verdict::Allow)
            }),
            _ => Ok(Judgement { verdict: Verdict::Allow, findings: Vec::new(), attributes: Vec::new() }),
        }
    }
}
