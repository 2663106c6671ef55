//! The interfaces that a plugin may import: `log`, `content` and, as a sync plugin, `edge`. Nothing else is linked, and nothing of WASI.

use tidegate_core::plugin_failure::FailureCause;
use tidegate_core::plugin_usage::LogLevel;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::bindings::sync_world::tidegate::plugin::content::ReadError;
use super::bindings::sync_world::tidegate::plugin::edge::{HeaderRule, RedirectRule};
use super::bindings::sync_world::tidegate::plugin::log::Level as WireLevel;
use super::content_server::{ReadRefusal, ReadReply, RequestedContent, request};
use super::limits::{MAX_HEAD_BYTES, MAX_HEADS, MAX_RANGE_BYTES, MAX_RULES};
use super::profiled_store::charge_read;
use super::store::{Stop, StoreState};

/// Names of interfaces that a component may import. `types` has types and no functions.
pub(super) const LINKED: [&str; 4] = ["types", "log", "content", EDGE];

/// The interface that only sync plugins may import.
pub(super) const EDGE: &str = "edge";

type Bytes = Result<Vec<u8>, ReadError>;

/// Adds the interfaces to a linker.
pub(super) fn add(linker: &mut Linker<StoreState>) -> wasmtime::Result<()> {
    linker.instance("tidegate:plugin/types@0.1.0")?;
    linker.instance("tidegate:plugin/log@0.1.0")?.func_wrap(
        "log",
        |mut store: StoreContextMut<'_, StoreState>, (level, message): (WireLevel, String)| {
            let level = match level {
                WireLevel::Trace => LogLevel::Trace,
                WireLevel::Debug => LogLevel::Debug,
                WireLevel::Info => LogLevel::Info,
                WireLevel::Warn => LogLevel::Warn,
                WireLevel::Error => LogLevel::Error,
            };
            store.data_mut().log.add(level, &message);
            Ok(())
        },
    )?;
    let mut content = linker.instance("tidegate:plugin/content@0.1.0")?;
    content.func_wrap(
        "read-heads",
        |mut store: StoreContextMut<'_, StoreState>, (keys, length): (Vec<String>, u32)| {
            check_limit("content.read-heads", "keys", keys.len() as u64, MAX_HEADS as u64)?;
            check_limit("content.read-heads", "bytes", u64::from(length), u64::from(MAX_HEAD_BYTES))?;
            Ok((read(&mut store, RequestedContent::Heads { keys, length })?,))
        },
    )?;
    content.func_wrap(
        "read-texts",
        |mut store: StoreContextMut<'_, StoreState>, (keys, length): (Vec<String>, u32)| {
            check_limit("content.read-texts", "keys", keys.len() as u64, MAX_HEADS as u64)?;
            check_limit("content.read-texts", "bytes", u64::from(length), u64::from(MAX_HEAD_BYTES))?;
            let heads = read(&mut store, RequestedContent::Heads { keys, length })?.into_iter();
            let texts = heads.map(|head| head.map(|bytes| decode_head(&bytes, length)));
            Ok((texts.collect::<Vec<Result<String, ReadError>>>(),))
        },
    )?;
    content.func_wrap(
        "read-range",
        |mut store: StoreContextMut<'_, StoreState>, (key, offset, length): (String, u64, u32)| {
            check_limit("content.read-range", "bytes", u64::from(length), u64::from(MAX_RANGE_BYTES))?;
            let mut answers = read(&mut store, RequestedContent::Range { key, offset, length })?;
            Ok((answers.pop().unwrap_or(Err(ReadError::NotFound)),))
        },
    )?;
    let mut edge = linker.instance("tidegate:plugin/edge@0.1.0")?;
    edge.func_wrap("add-redirects", |mut store: StoreContextMut<'_, StoreState>, (rules,): (Vec<RedirectRule>,)| {
        check_limit("edge.add-redirects", "rules", rules.len() as u64, MAX_RULES as u64)?;
        Ok((store.data_mut().edge.add_redirects(rules),))
    })?;
    edge.func_wrap("add-headers", |mut store: StoreContextMut<'_, StoreState>, (rules,): (Vec<HeaderRule>,)| {
        check_limit("edge.add-headers", "rules", rules.len() as u64, MAX_RULES as u64)?;
        Ok((store.data_mut().edge.add_headers(rules),))
    })
}

fn check_limit(function: &'static str, what: &'static str, asked: u64, most: u64) -> Result<(), Stop> {
    if asked > most { Err(Stop(FailureCause::Request { function, what, asked, most })) } else { Ok(()) }
}

/// Reads: charges fuel for each key, whatever the answer, and adds the fuel to process the bytes.
fn read(store: &mut StoreContextMut<'_, StoreState>, content: RequestedContent) -> wasmtime::Result<Vec<Bytes>> {
    let left = store.get_fuel()?;
    let allowed = store.data().fuel_allowed;
    let cost = content.fuel();
    let left = left.checked_sub(cost).ok_or(Stop(FailureCause::Fuel { used: allowed, allowed }))?;
    charge_read(store, cost);
    let state = store.data_mut();
    let ReadReply { answers, reading } = request(&state.requests, content)
        .ok_or_else(|| Stop(FailureCause::Host("its reads are no longer served".to_owned())))?;
    state.clock.exclude(reading);
    if let Some(missing) = answers.iter().find_map(|answer| match answer {
        Err(ReadRefusal::NotGranted(missing)) => Some(missing.clone()),
        _ => None,
    }) {
        return Err(Stop(missing.into()).into());
    }
    let bytes: u64 = answers.iter().flatten().map(|body| body.len() as u64).sum();
    let added = bytes.saturating_mul(state.fuel_per_byte_read);
    state.fuel_allowed = state.fuel_allowed.saturating_add(added);
    store.set_fuel(left.saturating_add(added))?;
    Ok(answers
        .into_iter()
        .map(|answer| {
            answer.map_err(|refusal| match refusal {
                ReadRefusal::NotFound => ReadError::NotFound,
                ReadRefusal::Budget | ReadRefusal::NotGranted(_) => ReadError::BudgetExhausted,
                ReadRefusal::Unavailable(reason) => ReadError::Unavailable(reason),
            })
        })
        .collect())
}

/// The text of an object's first bytes. If there are as many as asked for, the last character may be cut.
fn decode_head(bytes: &[u8], length: u32) -> String {
    let is_cut = |last: &std::str::Utf8Chunk<'_>| {
        bytes.len() as u64 >= u64::from(length)
            && std::str::from_utf8(last.invalid()).is_err_and(|error| error.error_len().is_none())
    };
    let cut = bytes.utf8_chunks().last().filter(is_cut).map_or(0, |last| last.invalid().len());
    let whole = bytes.get(..bytes.len().saturating_sub(cut)).unwrap_or(bytes);
    String::from_utf8_lossy(whole.strip_prefix(b"\xef\xbb\xbf").unwrap_or(whole)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decode_head;

    #[test]
    fn heads_are_decoded_to_text() {
        for (bytes, length, text) in [
            (&b"plain"[..], 100, "plain"),
            (b"", 0, ""),
            (b"\xef\xbb\xbftext", 100, "text"),
            (b"\xef\xbb\xbf", 3, ""),
            // The limit cuts a character of 2, 3 and 4 bytes.
            (b"a\xc3", 2, "a"),
            (b"a\xe2\x82", 3, "a"),
            (b"a\xf0\x9f\x98", 4, "a"),
            // The object ends there.
            (b"a\xc3", 100, "a\u{fffd}"),
            // Not UTF-8: the end is no part of a character.
            (b"a\xff", 2, "a\u{fffd}"),
            (b"\xe9t\xe9", 3, "\u{fffd}t"),
            (b"\x00\xc3\xa9", 3, "\0\u{e9}"),
        ] {
            assert_eq!(decode_head(bytes, length), text, "{bytes:?}");
        }
    }
}
