//! A plan that replaces a million objects is stored and read again in bounded memory.
//! A program of its own, because it measures the memory of the process.
#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a panic here is a failed test and names its location")]

use tidegate_core::desired::DesiredSite;
use tidegate_core::headers::{ObjectHeader, ObjectHeaders};
use tidegate_core::identity::{ContentIdentity, ETag, sha256};
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::plan::{
    Action, ArchiveCopy, ChangeReason, Operation, PlanEncoder, PlanLine, PlannedBody, ReplacedObject,
};
use tidegate_core::site_state::UnfinishedRunsBuilder;
use tidegate_core::stored_lines::LineDecoder;

const OBJECTS: u64 = 1_000_000;

/// Bytes of the largest document of a state that is read whole.
const DOCUMENT: u64 = 64 * 1024 * 1024;

/// Memory for bytes and lines on their way, beside what is known about each key: 64 MiB.
const STREAMING: u64 = 64 * 1024 * 1024;

/// Memory for what is known about one key, in bytes.
const PER_KEY: u64 = 200;

/// Memory of this process in bytes, from the kernel; nothing on other systems.
fn memory(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

fn key(number: u64) -> String {
    format!("library-{:03}/struct.Name{number:07}.html", number / 20_000)
}

/// The lines of one replaced object. Its digests cannot be compressed.
fn lines(number: u64, headers: &ObjectHeaders) -> [PlanLine; 2] {
    let digest = sha256(&number.to_be_bytes());
    let (size, etag) = (500 + number % 60_000, ETag::new(&digest[32..]));
    let mut bytes = [0; 32];
    hex::decode_to_slice(&digest, &mut bytes).unwrap();
    let key = key(number);
    let action = Action::Put {
        body: PlannedBody::Source(Key::new(&key).unwrap()),
        size,
        identity: ContentIdentity { sha256: Some(bytes), ..ContentIdentity::default() }.into(),
        headers: headers.clone(),
        replaces: Some(Box::new(ReplacedObject { size, etag: etag.clone() })),
    };
    let key = StoredKey::new(&key);
    let operation = Operation { key: key.clone(), reason: ChangeReason::ContentDiffers, action };
    let copy = ArchiveCopy { key, etag, size, last: "r1".parse().unwrap() };
    [PlanLine::Operation(operation), PlanLine::Archive(copy)]
}

#[test]
fn a_large_plan_is_read_in_bounded_memory() {
    let mut headers = ObjectHeaders::default();
    headers.set(ObjectHeader::ContentType, "text/html; charset=utf-8").unwrap();
    headers.set(ObjectHeader::CacheControl, "public, max-age=0, must-revalidate").unwrap();
    let (mut encoder, mut decoder) = (PlanEncoder::new(&()).unwrap(), LineDecoder::<PlanLine>::default());
    let mut unfinished = UnfinishedRunsBuilder::default();
    unfinished.begin("r2".parse().unwrap());
    let (mut stored, before) = (0, memory("VmRSS:"));
    let mut read = |bytes: &[u8]| {
        stored += bytes.len();
        decoder.push(bytes).unwrap().into_iter().for_each(|line| unfinished.add(line).unwrap());
    };
    for number in 0..OBJECTS {
        for line in lines(number, &headers) {
            encoder.push(&line).unwrap();
        }
        if let Some(bytes) = encoder.take() {
            read(&bytes);
        }
    }
    read(&encoder.finish().unwrap());
    decoder.finish().unwrap().into_iter().for_each(|line| unfinished.add(line).unwrap());
    let unfinished = unfinished.finish().unwrap();
    assert!(stored as u64 > DOCUMENT, "only {stored} bytes for {OBJECTS} objects");
    if let (Some(before), Some(after), Some(peak)) = (before, memory("VmRSS:"), memory("VmHWM:")) {
        let (kept, streaming) = (after.saturating_sub(before), peak.saturating_sub(after));
        println!("{stored} bytes stored, {kept} bytes kept, {streaming} bytes on the way");
        assert!(kept < OBJECTS * PER_KEY, "{kept} bytes for {OBJECTS} keys");
        assert!(streaming < STREAMING, "{streaming} bytes on the way");
    }
    assert_eq!(unfinished.touched_without(&DesiredSite::default()).len() as u64, OBJECTS);
    let etag = ETag::new(&sha256(&7_u64.to_be_bytes())[32..]);
    assert!(unfinished.archived(&StoredKey::new(&key(7)), &etag));
    assert!(!unfinished.archived(&StoredKey::new(&key(8)), &etag));
}
