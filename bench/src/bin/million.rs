//! Plans a generated site of any size, with the same types, merges and digests as a publish, but without requests. Prints the
//! time and the resident memory of each step as JSON.
//!
//!     million write FILE OBJECTS                 write the manifest of the live release
//!     million plan FILE OBJECTS EVERY            plan the same site with one object in EVERY changed, none with 0;
//!                                                this program sets the headers
//!     million transform FILE OBJECTS EVERY       the same, with headers by the bundled `mime` and `headers`
//!
//! Generates the objects in the order of a listing, one at a time. The figures do not include requests, the parsing of
//! responses, and what a source keeps in memory to read bodies.

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
use tidegate_core::declared::DeclaredHeaders;
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
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["write", file, objects] => write(file, objects.parse()?),
        [kind @ ("plan" | "transform"), file, objects, every] => {
            let figures = plan(file, objects.parse()?, every.parse()?, *kind == "transform")?;
            println!("{figures}");
            Ok(())
        }
        _ => Err("usage: million write FILE OBJECTS, or million plan|transform FILE OBJECTS EVERY".into()),
    }
}

/// The kinds of file of a site, most of them pages: suffix, content type and `Cache-Control`.
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
        let index = usize::try_from(self.0).unwrap_or_default() % KINDS.len();
        KINDS.get(index).copied().unwrap_or_default()
    }

    /// About 50 bytes. The keys are sorted.
    fn key(self) -> String {
        let (library, module) = (self.0 / 20_000, self.0 / 200 % 100);
        format!("library-{library:03}/module-{module:03}/struct.Name{:07}{}", self.0, self.kind().0)
    }

    fn size(self) -> u64 {
        500 + self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 60_000
    }

    /// Bytes that differ between objects and states. Planning only compares digests, so they need not be real.
    fn digest<const N: usize>(self, state: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let mut word = self.0.wrapping_add(state << 40);
        for chunk in bytes.chunks_mut(8) {
            word = (word ^ (word >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(0x9e37_79b9_7f4a_7c15);
            for (byte, value) in chunk.iter_mut().zip(word.to_le_bytes()) {
                *byte = value;
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

    /// The object in a source that has hashed every byte.
    fn item(self, state: u64) -> Result<ArtifactItem, Failure> {
        let identity = ContentIdentity { sha256: Some(self.digest(state)), ..ContentIdentity::default() };
        Ok(ArtifactItem {
            key: Key::new(&self.key())?,
            size: self.size(),
            identity: identity.into(),
            declared: DeclaredHeaders::default(),
        })
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
    let (mut file, mut encoder) = (File::create(file)?, ManifestEncoder::new(&())?);
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
struct StepLog {
    since: Instant,
    steps: Vec<Value>,
}

impl StepLog {
    fn lap(&mut self, step: &str) -> Result<(), Failure> {
        let seconds = self.since.elapsed().as_secs_f64();
        let (now, peak) = (resident("VmRSS:")?, resident("VmHWM:")?);
        self.steps.push(json!({ "step": step, "seconds": seconds, "resident": now, "peak": peak }));
        self.since = Instant::now();
        Ok(())
    }
}

/// Memory of this process in bytes, from the kernel.
fn resident(name: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("`/proc/self/status` has no memory")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}

/// A reader without content. The plugins of this site read none.
struct EmptyContent;

impl ContentReader for EmptyContent {
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
        release: "bench".into(),
        instant: 1_700_000_000_000,
        attributes: BTreeMap::from([("trigger".to_owned(), "cli".to_owned())]),
    }
}

fn configured(name: &str, settings: &Value) -> Result<ConfiguredPlugin, Failure> {
    let bundled =
        tidegate_bundled_plugins::PLUGINS.iter().find(|plugin| plugin.name == name).ok_or("unknown plugin")?;
    Ok(Plugin::load(&Engine::new()?, None, bundled.name, bundled.bytes)?.validate(settings)?)
}

/// The steps of a publish from the listing of the source to the verdict of the policy.
fn plan(file: &str, objects: u64, every: u64, plugins: bool) -> Result<Value, Failure> {
    let guard = [configured("guard", &json!({}))?];
    let sync_plugins = if plugins {
        // There are no bytes to read.
        vec![configured("mime", &json!({ "sniff": false }))?, configured("headers", &headers_settings())?]
    } else {
        Vec::new()
    };
    let mut log = StepLog { since: Instant::now(), steps: Vec::new() };
    log.lap("load the plugins")?;

    let changed = |number: u64| u64::from(every > 0 && number % every == every / 2);
    let items = (0..objects).map(|number| BenchObject(number).item(changed(number))).collect::<Result<Vec<_>, _>>()?;
    let artifact = Artifact::new(items, Fingerprint("benchmark".into()), ArtifactNames::Bucket)?;
    log.lap("list the source")?;

    let desired = if plugins {
        let transformed = transform(&sync_plugins, artifact, &facts(), &EmptyContent, Trace::Off)?;
        transformed.desired
    } else {
        let (mut entries, excluded) = DesiredSite::from(artifact).into_parts();
        // The decisions of plugins are applied in the same way: object by object, with equal headers shared at once.
        let mut shared = HeaderPool::default();
        for (entry, number) in entries.iter_mut().zip(0..) {
            entry.headers = BenchObject(number).headers()?;
            shared.share(&mut entry.headers);
        }
        DesiredSite::new(entries, excluded)?
    };
    log.lap("transform")?;

    let site = inspect(file, objects, &desired)?;
    log.lap("merge listing and manifest")?;

    let plan = assemble(&desired, &site)?;
    log.lap("plan")?;

    let digest = plan.digest()?;
    log.lap("digest the plan")?;

    let judgements = policy::review(&guard, &review(&plan, &desired), &facts(), &EmptyContent);
    if judgements.iter().any(|judgement| judgement.verdict != Verdict::Allow) {
        return Err(format!("the plan is not allowed: {judgements:?}").into());
    }
    log.lap("review")?;
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

/// Settings of `headers` for the same headers as in [`KINDS`].
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

/// Merges listing and manifest as `tidegate-publish` does: page by page, chunk by chunk.
fn inspect(file: &str, objects: u64, desired: &DesiredSite) -> Result<SiteState, Failure> {
    let (unfinished, artifact) = (UnfinishedRuns::default(), Fingerprint("benchmark".into()));
    let live = "r1".parse()?;
    let mut merge = SiteMerge::new(SiteMergeInputs {
        desired,
        artifact: &artifact,
        unfinished: &unfinished,
        live,
        oldest_kept: ReleaseId::default(),
        verify: false,
    });
    let mut pagination = Pagination::default();
    let (mut file, mut decoder, mut chunk) = (File::open(file)?, Some(ManifestDecoder::default()), vec![0; 64 * 1024]);
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
                let read = file.read(&mut chunk)?;
                records = match (&mut decoder, read) {
                    (Some(_), 0) => decoder.take().unwrap_or_default().finish()?.into_iter(),
                    (Some(decoder), read) => decoder.push(chunk.get(..read).unwrap_or_default())?.into_iter(),
                    (None, _) => return Err("the manifest has fewer objects".into()),
                };
            };
            if record.key != listed.key {
                return Err("the manifest has other objects".into());
            }
            merge.push(Some(listed), Some(&record));
        }
    }
    Ok(merge.finish(pagination.finish()?))
}

/// Makes the plan.
fn assemble(desired: &DesiredSite, site: &SiteState) -> Result<Plan, Failure> {
    if !diff::open_questions(desired, site, Comparison::Whole).is_empty() {
        return Err("the comparison needs HEAD requests".into());
    }
    let delete_policy = DeletePolicy {
        delete: true,
        protect: ProtectedKeys::default(),
        oldest_kept: ReleaseId::default(),
        live_folder: None,
    };
    let changes = diff::differences(desired, site, Comparison::Whole).decide(&delete_policy);
    let mut plan = Plan {
        format: FORMAT,
        site: "bench".to_owned(),
        release: "bench".into(),
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
            edge: None,
        },
        totals: PlanTotals { source_objects: desired.entries().len() as u64, ..changes.totals },
        operations: changes.operations,
        archive: changes.archive,
    };
    plan.inputs.kept = plan.kept_digest(desired);
    Ok(plan)
}
