//! Plans a generated site of any size, with the same types, merges and digests as a publish, but without requests. Prints the
//! time and the resident memory of each step as JSON.
//!
//!     million write FILE OBJECTS                 write the manifest of the live release
//!     million plan FILE OBJECTS EVERY            plan the same site with one object in EVERY changed, none with 0;
//!                                                this program sets the headers
//!     million transform FILE OBJECTS EVERY       the same, with headers by the bundled `mime` and `headers`
//!     million first OBJECTS                      plan a first publish
//!     million finish OBJECTS                     plan what is left of a first publish after workers have written everything
//!
//! Generates the objects in the order of a listing, one at a time. The figures do not include requests, the parsing of
//! responses, and what a source keeps in memory to read bodies.

mod object;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::time::Instant;

use serde_json::{Value, json};
use tidegate_core::approval::review;
use tidegate_core::artifact::{Artifact, ArtifactNames, Fingerprint};
use tidegate_core::config::ProtectedKeys;
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::desired::DesiredSite;
use tidegate_core::diff::{self, Comparison, DeletePolicy};
use tidegate_core::headers::HeaderPool;
use tidegate_core::key::Key;
use tidegate_core::listing::{ListedObject, Listing, Pagination};
use tidegate_core::location::{Location, Source};
use tidegate_core::manifest::{ManifestDecoder, ManifestEncoder, ManifestRecord};
use tidegate_core::plan::shards::SHARD_OPERATIONS;
use tidegate_core::plan::{FORMAT, Plan, PlanInputs, PlanTotals};
use tidegate_core::plan_review::Verdict;
use tidegate_core::put_options::ObjectSettings;
use tidegate_core::release::ReleaseId;
use tidegate_core::run_facts::RunFacts;
use tidegate_core::site_state::{SiteMerge, SiteMergeInputs, SiteState, UnfinishedRuns, UnfinishedRunsBuilder};
use tidegate_host::sync::{Trace, transform};
use tidegate_host::{ConfiguredPlugin, Engine, Plugin, policy};

use object::BenchObject;

type Failure = Box<dyn Error + Send + Sync>;

/// Objects of one page of a listing.
const PAGE: u64 = 1_000;

/// The generated site.
#[derive(Clone, Copy)]
struct GeneratedSite {
    objects: u64,
    /// One object in so many has changed; none with 0.
    every: u64,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["write", file, objects] => write(file, objects.parse()?),
        [kind @ ("plan" | "transform"), file, objects, every] => {
            let (objects, every) = (objects.parse()?, every.parse()?);
            println!("{}", plan(GeneratedSite { objects, every }, SiteHistory::Manifest(file), *kind == "transform")?);
            Ok(())
        }
        [kind @ ("first" | "finish"), objects] => {
            let history = if *kind == "first" { SiteHistory::Nothing } else { SiteHistory::Results };
            println!("{}", plan(GeneratedSite { objects: objects.parse()?, every: 0 }, history, false)?);
            Ok(())
        }
        _ => {
            let usage = "million write FILE OBJECTS, million plan|transform FILE OBJECTS EVERY, or million first|finish OBJECTS";
            Err(format!("usage: {usage}").into())
        }
    }
}

/// What is known about the site.
#[derive(Clone, Copy, PartialEq)]
enum SiteHistory<'a> {
    /// The manifest of the live release.
    Manifest(&'a str),
    /// There is no object yet.
    Nothing,
    /// Workers have written every object of the first release.
    Results,
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

/// The results of a first publish, shard after shard, as the run that finishes it reads them.
fn results(objects: u64, artifact: &Fingerprint) -> Result<UnfinishedRuns, Failure> {
    let mut unfinished = UnfinishedRunsBuilder::default();
    unfinished.begin("r1".parse()?);
    for pages in [false, true] {
        let mut of_phase = (0..objects).map(BenchObject).filter(|object| object.is_page() == pages).peekable();
        while of_phase.peek().is_some() {
            let shard: Result<Vec<_>, _> = of_phase.by_ref().take(SHARD_OPERATIONS).map(BenchObject::written).collect();
            let (lines, result) = shard?.into_iter().unzip();
            unfinished.add_shard(lines, result, artifact)?;
        }
    }
    Ok(unfinished.finish()?)
}

/// The steps of a publish from the listing of the source to the verdict of the policy.
fn plan(site: GeneratedSite, history: SiteHistory<'_>, plugins: bool) -> Result<Value, Failure> {
    let (GeneratedSite { objects, every }, fingerprint) = (site, Fingerprint("benchmark".into()));
    let guard = [configured("guard", &json!({}))?];
    let sync_plugins = if plugins {
        // There are no bytes to read.
        vec![configured("mime", &json!({ "sniff": false }))?, configured("headers", &headers_settings())?]
    } else {
        Vec::new()
    };
    let mut log = StepLog { since: Instant::now(), steps: Vec::new() };
    log.lap("load the plugins")?;

    let mut unfinished = UnfinishedRuns::default();
    if history == SiteHistory::Results {
        unfinished = results(objects, &fingerprint)?;
        log.lap("read the results")?;
    }
    let changed = |number: u64| u64::from(every > 0 && number % every == every / 2);
    let items = (0..objects).map(|number| BenchObject(number).item(changed(number))).collect::<Result<Vec<_>, _>>()?;
    let artifact = Artifact::new(items, fingerprint.clone(), ArtifactNames::Bucket)?;
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

    let mut merge = SiteMerge::new(SiteMergeInputs {
        desired: &desired,
        artifact: &fingerprint,
        unfinished: &unfinished,
        live: "r1".parse()?,
        oldest_kept: ReleaseId::default(),
        verify: false,
    });
    let listing = inspect(history, objects, &mut merge)?;
    let state = merge.finish(listing);
    log.lap("merge listing and manifest")?;

    let plan = assemble(&desired, &state)?;
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
        "history": match history {
            SiteHistory::Manifest(_) => "manifest",
            SiteHistory::Nothing => "nothing",
            SiteHistory::Results => "results",
        },
        "operations": plan.operations.len(),
        "keep": plan.totals.keep,
        "digest": digest,
        "peak": resident("VmHWM:")?,
        "steps": log.steps,
    }))
}

/// Settings of `headers` for the same headers as in `object::KINDS`.
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
fn inspect(history: SiteHistory<'_>, objects: u64, merge: &mut SiteMerge<'_>) -> Result<Listing, Failure> {
    let mut pagination = Pagination::default();
    let mut records = match history {
        SiteHistory::Manifest(file) => Some(ManifestFile::open(file)?),
        SiteHistory::Results => None,
        SiteHistory::Nothing => {
            pagination.page(&[], true)?;
            return Ok(pagination.finish()?);
        }
    };
    for first in (0..objects).step_by(usize::try_from(PAGE)?) {
        let last = objects.min(first + PAGE);
        let page: Vec<ListedObject> = (first..last).map(|number| BenchObject(number).listed()).collect();
        pagination.page(&page, last == objects)?;
        for listed in page {
            let record = records.as_mut().map(ManifestFile::next).transpose()?;
            if record.as_ref().is_some_and(|record| record.key != listed.key) {
                return Err("the manifest has other objects".into());
            }
            merge.push(Some(listed), record.as_ref());
        }
    }
    Ok(pagination.finish()?)
}

/// A manifest, read in chunks.
struct ManifestFile {
    file: File,
    chunk: Vec<u8>,
    /// Nothing at the end of the file.
    decoder: Option<ManifestDecoder>,
    records: std::vec::IntoIter<ManifestRecord>,
}

impl ManifestFile {
    fn open(path: &str) -> Result<Self, Failure> {
        let (file, decoder) = (File::open(path)?, Some(ManifestDecoder::default()));
        Ok(Self { file, chunk: vec![0; 64 * 1024], decoder, records: Vec::new().into_iter() })
    }

    fn next(&mut self) -> Result<ManifestRecord, Failure> {
        loop {
            if let Some(record) = self.records.next() {
                return Ok(record);
            }
            let read = self.file.read(&mut self.chunk)?;
            self.records = match (&mut self.decoder, read) {
                (Some(_), 0) => self.decoder.take().unwrap_or_default().finish()?.into_iter(),
                (Some(decoder), read) => decoder.push(self.chunk.get(..read).unwrap_or_default())?.into_iter(),
                (None, _) => return Err("the manifest has fewer objects".into()),
            };
        }
    }
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
