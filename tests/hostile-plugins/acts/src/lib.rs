//! Acts of the hostile plugins that do not depend on the contract: they exhaust time, memory and stack.
//!
//! Settings are a JSON string `act@call`, such as `"loop@decide"`.

use std::hint::black_box;

/// The act for a call in the settings, or an empty string.
pub fn act<'a>(settings: &'a str, call: &str) -> &'a str {
    match settings.trim().trim_matches('"').split_once('@') {
        Some((act, at)) if at == call => act,
        _ => "",
    }
}

/// Performs an act of this crate; does nothing for other acts.
pub fn perform(act: &str) {
    match act {
        "loop" => {
            let mut turns = 0_u64;
            loop {
                turns = black_box(turns + 1);
            }
        }
        "trap" => panic!("the host does not see this message"),
        "recurse" => {
            black_box(recurse(black_box(1)));
        }
        "memory" => {
            let mut held: Vec<Vec<u8>> = Vec::new();
            loop {
                held.push(black_box(vec![1; 1 << 20]));
            }
        }
        "work" => {
            let mut sum = 0_u64;
            for turn in 0..1_000_000 {
                sum = black_box(sum ^ turn);
            }
        }
        _ => {}
    }
}

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    // The stack overflows long before.
    let deeper = if depth == u64::MAX { 0 } else { recurse(black_box(depth + 1)) };
    deeper + frame.iter().sum::<u64>()
}

/// A text with control characters, which must be sanitized before it is printed.
pub const UNSAFE_TEXT: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}line one\r\nline two\u{202e}\u{0}";
