//! A plan over a generated site, as large as one likes: the same values, merges and digests as in a publish, with nobody
//! to ask. Says how long each step took and how much memory was resident after it.
//!
//!     million write FILE OBJECTS             writes the manifest of the live release
//!     million plan FILE OBJECTS EVERY        plans the same site with every EVERYth object changed, none with 0;
//!                                            headers are set by this program
//!     million shape FILE OBJECTS EVERY       the same, with headers set by the bundled `mime` and `headers`
//!
//! Prints JSON. Owns the names, sizes and digests that are generated, in the order of a listing and never all at once.
//! What it leaves out: the requests, the parsing of their answers, and what a source keeps to read from.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::time::Instant;

use serde_json::{Value, json};
use tidegate_core::approval::review;
use tidegate_core::artifact::{Artifact, ArtifactItem, ArtifactNames, Fingerprint};
use tidegate_core::config::ProtectedKeys;
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::desired::DesiredSite;
use tidegate_core::diff::{self, Comparison, DeletePolicy};
use tidegate_core::headers::{HeaderPool, ObjectHeader, ObjectHeaders};
use tidegate_core::identity::{ContentIdentity, ETag};
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::listing::{ListedObject, Pagination, PreservedAttributes};
use tidegate_core::location::{Location, Source};
use tidegate_core::manifest::{ManifestDecoder, ManifestEncoder, ManifestRecord, RecordState};
use tidegate_core::plan::{FORMAT, Plan, PlanInputs, PlanTotals};
use tidegate_core::plan_review::Verdict;
use tidegate_core::put_options::ObjectSettings;
use tidegate_core::release::ReleaseId;
use tidegate_core::run_facts::RunFacts;
use tidegate_core::site_state::{SiteMerge, SiteMergeInputs, SiteState, UnfinishedRuns};
use tidegate_host::sync::{Trace, transform};
use tidegate_host::{ConfiguredPlugin, Engine, Plugin, policy};

type Failure = Box<dyn Error + Send + Sync>;

/// Objects of one page of a listing.
const PAGE: u64 = 1_000;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["write", file, objects] => write(file, objects.parse()?),
        [kind @ ("plan" | "shape"), file, objects, every] => {
            let figures = plan(file, objects.parse()?, every.parse()?, *kind == "shape")?;
            println!("{figures}");
            Ok(())
        }
        _ => Err("say write, plan or shape, as the head of the source has it".into()),
    }
}

/// The kinds of file that a site has, most of them pages: name's end, type, and how long browsers may keep it.
const KINDS: [(&str, &str, &str); 10] = [
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    ("-4f1a2b3c.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
    ("-4f1a2b3c.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"),
    (".svg", "image/svg+xml; charset=utf-8", "public, max-age=3600"),
    (".png", "image/png", "public, max-age=3600"),
];

/// One generated object.
#[derive(Clone, Copy)]
struct BenchObject(u64);

impl BenchObject {
    fn kind(self) -> (&'static str, &'static str, &'static str) {
        let at = usize::try_from(self.0).unwrap_or_default() % KINDS.len();
        KINDS.get(at).copied().unwrap_or_default()
    }

    /// About 50 bytes, ascending.
    fn key(self) -> String {
        let (library, module) = (self.0 / 20_000, self.0 / 200 % 100);
        format!("library-{library:03}/module-{module:03}/struct.Name{:07}{}", self.0, self.kind().0)
    }

    fn size(self) -> u64 {
        500 + self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 60_000
    }

    /// Bytes that are another's for no other object and state. Nobody looks at more of a digest than whether it is equal.
    fn digest<const N: usize>(self, state: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let mut word = self.0.wrapping_add(state << 40);
        for piece in bytes.chunks_mut(8) {
            word = (word ^ (word >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(0x9e37_79b9_7f4a_7c15);
            for (byte, from) in piece.iter_mut().zip(word.to_le_bytes()) {
                *byte = from;
            }
        }
        bytes
    }

    fn etag(self) -> ETag {
        let md5: [u8; 16] = self.digest(0);
        ETag::new(&md5.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    fn headers(self) -> Result<ObjectHeaders, Failure> {
        let (_, content_type, cache_control) = self.kind();
        let mut headers = ObjectHeaders::default();
        headers.set(ObjectHeader::ContentType, content_type)?;
        headers.set(ObjectHeader::CacheControl, cache_control)?;
        Ok(headers)
    }

    /// As a source finds it that reads every byte.
    fn item(self, state: u64) -> Result<ArtifactItem, Failure> {
        let identity = ContentIdentity { sha256: Some(self.digest(state)), ..ContentIdentity::default() };
        Ok(ArtifactItem { key: Key::new(&self.key())?, size: self.size(), identity })
    }

    fn listed(self) -> ListedObject {
        ListedObject { key: StoredKey::new(&self.key()), size: self.size(), etag: self.etag() }
    }

    fn record(self) -> Result<ManifestRecord, Failure> {
        let identity =
            ContentIdentity { sha256: Some(self.digest(0)), md5: Some(self.digest(0)), ..ContentIdentity::default() };
        Ok(ManifestRecord {
            key: StoredKey::new(&self.key()),
            state: RecordState::Live,
            size: self.size(),
            etag: self.etag(),
            identity,
            headers: self.headers()?,
            redirect: None,
            attributes: PreservedAttributes { encryption: Some("AES256".to_owned()), ..PreservedAttributes::default() },
        })
    }
}

fn write(file: &str, objects: u64) -> Result<(), Failure> {
    let (mut file, mut encoder) = (File::create(file)?, ManifestEncoder::new()?);
    for number in 0..objects {
        encoder.push(&BenchObject(number).record()?)?;
        if let Some(bytes) = encoder.take() {
            file.write_all(&bytes)?;
        }
    }
    file.write_all(&encoder.finish()?)?;
    Ok(())
}

/// Seconds and memory by step.
struct WriteLog {
    since: Instant,
    steps: Vec<Value>,
}

impl WriteLog {
    fn lap(&mut self, step: &str) -> Result<(), Failure> {
        let seconds = self.since.elapsed().as_secs_f64();
        let (now, peak) = (resident("VmRSS:")?, resident("VmHWM:")?);
        self.steps.push(json!({ "step": step, "seconds": seconds, "resident": now, "peak": peak }));
        self.since = Instant::now();
        Ok(())
    }
}

/// Bytes, as the kernel counts them.
fn resident(name: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("the kernel does not tell memory")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}

/// Plugins of this site ask for no bytes.
struct Nothing;

impl ContentReader for Nothing {
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        keys.iter().map(|key| self.range(key, 0, length, deadline)).collect()
    }

    fn range(&self, key: &Key, _: u64, _: u32, _: Instant) -> Result<Vec<u8>, ReadError> {
        Err(ReadError::NotFound(key.clone()))
    }
}

fn facts() -> RunFacts {
    RunFacts {
        site: "bench".to_owned(),
        release: "bench".to_owned(),
        instant: 1_700_000_000_000,
        attributes: BTreeMap::from([("trigger".to_owned(), "cli".to_owned())]),
    }
}

fn configured(name: &str, settings: &Value) -> Result<ConfiguredPlugin, Failure> {
    let bundled =
        tidegate_bundled_plugins::PLUGINS.iter().find(|plugin| plugin.name == name).ok_or("no such plugin")?;
    Ok(Plugin::load(&Engine::new()?, None, bundled.name, bundled.bytes)?.validate(settings)?)
}

/// Everything between the last byte of the source and the verdict.
fn plan(file: &str, objects: u64, every: u64, plugins: bool) -> Result<Value, Failure> {
    let guard = [configured("guard", &json!({}))?];
    let chain = if plugins {
        vec![configured("mime", &json!({}))?, configured("headers", &headers_settings())?]
    } else {
        Vec::new()
    };
    let mut log = WriteLog { since: Instant::now(), steps: Vec::new() };
    log.lap("plugins are loaded, nothing is read")?;

    let changed = |number: u64| u64::from(every > 0 && number % every == every / 2);
    let items = (0..objects).map(|number| BenchObject(number).item(changed(number))).collect::<Result<Vec<_>, _>>()?;
    let artifact = Artifact::new(items, Fingerprint("benchmark".into()), ArtifactNames::Bucket)?;
    log.lap("the source is listed")?;

    let desired = if plugins {
        let shaped = transform(&chain, &artifact, &facts(), &Nothing, Trace::Off)?;
        drop(artifact);
        shaped.desired
    } else {
        let (mut entries, excluded) = DesiredSite::unshaped(&artifact).into_parts();
        drop(artifact);
        // As plugins' answers are applied: object by object, and equal headers are shared at once.
        let mut shared = HeaderPool::default();
        for (entry, number) in entries.iter_mut().zip(0..) {
            entry.headers = BenchObject(number).headers()?;
            shared.share(&mut entry.headers);
        }
        DesiredSite::new(entries, excluded)?
    };
    log.lap("it is shaped")?;

    let site = survey(file, objects, &desired)?;
    log.lap("listing and manifest are merged")?;

    let plan = assemble(&desired, &site)?;
    log.lap("the plan is made")?;

    let digest = plan.digest()?;
    log.lap("it is digested")?;

    let judgements = policy::review(&guard, &review(&plan, &desired), &facts(), &Nothing);
    if judgements.iter().any(|judgement| judgement.verdict != Verdict::Allow) {
        return Err(format!("the plan is not allowed: {judgements:?}").into());
    }
    log.lap("it is judged")?;
    Ok(json!({
        "objects": objects,
        "plugins": plugins,
        "operations": plan.operations.len(),
        "keep": plan.totals.keep,
        "digest": digest,
        "peak": resident("VmHWM:")?,
        "steps": log.steps,
    }))
}

/// The rules that [`KINDS`] follow.
fn headers_settings() -> Value {
    let set = |glob: &str, value: &str| json!({ "glob": glob, "set": { "cache-control": value } });
    json!({
        "presets": { "fingerprinted": null, "pages": null, "others": null },
        "headers-file": { "enabled": false },
        "rules": [
            set("*.html", "public, max-age=0, must-revalidate"),
            set("*.{js,css}", "public, max-age=31536000, immutable"),
            set("*.{svg,png}", "public, max-age=3600"),
        ],
    })
}

/// Listing and manifest side by side, as `tidegate-publish` merges them: page by page, piece by piece.
fn survey(file: &str, objects: u64, desired: &DesiredSite) -> Result<SiteState, Failure> {
    let unfinished = UnfinishedRuns::default();
    let live = "r1".parse()?;
    let mut merge = SiteMerge::new(SiteMergeInputs {
        desired,
        unfinished: &unfinished,
        live,
        oldest_kept: ReleaseId::default(),
        verify: false,
    });
    let mut pagination = Pagination::default();
    let (mut file, mut decoder, mut piece) = (File::open(file)?, Some(ManifestDecoder::default()), vec![0; 64 * 1024]);
    let mut records = Vec::new().into_iter();
    for first in (0..objects).step_by(usize::try_from(PAGE)?) {
        let last = objects.min(first + PAGE);
        let page: Vec<ListedObject> = (first..last).map(|number| BenchObject(number).listed()).collect();
        pagination.page(&page, last == objects)?;
        for listed in page {
            let record = loop {
                if let Some(record) = records.next() {
                    break record;
                }
                let read = file.read(&mut piece)?;
                records = match (&mut decoder, read) {
                    (Some(_), 0) => decoder.take().unwrap_or_default().finish()?.into_iter(),
                    (Some(decoder), read) => decoder.push(piece.get(..read).unwrap_or_default())?.into_iter(),
                    (None, _) => return Err("the manifest is of a smaller site".into()),
                };
            };
            if record.key != listed.key {
                return Err("the manifest is of another site".into());
            }
            merge.push(Some(listed), Some(&record));
        }
    }
    Ok(merge.finish(pagination.finish()?))
}

/// The operations, which are computed once more where they make another release.
fn assemble(desired: &DesiredSite, site: &SiteState) -> Result<Plan, Failure> {
    if !diff::open_questions(desired, site, Comparison::Whole).is_empty() {
        return Err("the site would be asked".into());
    }
    let removal = DeletePolicy { delete: true, protect: ProtectedKeys::default(), oldest_kept: ReleaseId::default() };
    let mut changes = diff::operations(desired, site, Comparison::Whole, &removal);
    if site.is_new_release(&changes.operations) {
        changes = diff::operations(desired, site, Comparison::Whole, &removal);
    }
    let mut plan = Plan {
        format: FORMAT,
        site: "bench".to_owned(),
        release: "bench".to_owned(),
        instant: 1_700_000_000_000,
        source: Source::Directory("site".into()),
        target: "s3://bench/".parse::<Location>()?,
        objects: ObjectSettings::default(),
        inputs: PlanInputs {
            artifact: Fingerprint("benchmark".into()),
            listing: site.listing().digest().to_owned(),
            kept: String::new(),
            live: Some("r1".parse()?),
            oldest_kept: None,
            plugins: Vec::new(),
        },
        totals: PlanTotals { source_objects: desired.entries().len() as u64, ..changes.totals },
        operations: changes.operations,
        archive: changes.archive,
    };
    plan.inputs.kept = plan.kept_digest(desired);
    Ok(plan)
}
