//! Figures of the edge of a site: the function's size and time in each engine, and the requests and seconds of a publish and
//! a rollback, atomic and in place, against the local AWS emulator in memory.
//!
//! Usage: `edge-figures [PAGES …]`; 10 and 1,000 pages by default. Prints Markdown.

use std::error::Error;
use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

use tidegate_core::config::SiteName;
use tidegate_core::edge::{MAX_FUNCTION_BYTES, OnFailure, function_code};
use tidegate_core::location::Source;
use tidegate_emulator::function::{EdgeFunction, request_event};
use tidegate_tests::fault::{ApiCall, AwsService};
use tidegate_tests::releases::world;
use tidegate_tests::world::{configuration, request, site};
use tidegate_tests::{Publish, SourceObject, Sources, World};

/// Requests whose time is measured.
const RUNS: usize = 20_000;

const POINTER: &str =
    r#"{"v":1,"n":42,"r":"r42","x":1,"w":[["/blog/:slug","/posts/{1}/","301"],["/docs/*","/guide/{1}","302"]]}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let sizes: Result<Vec<usize>, _> = std::env::args().skip(1).map(|size| size.parse()).collect();
    let sizes = Some(sizes?).filter(|sizes| !sizes.is_empty()).unwrap_or_else(|| vec![10, 1_000]);
    let mut out = std::io::stdout().lock();
    function(&mut out)?;
    let runtime = tokio::runtime::Runtime::new()?;
    writeln!(
        out,
        "\n| Pages | Releases | Step | Requests | to the store | Writes to the site | Invalidated paths | Seconds |"
    )?;
    writeln!(out, "| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |")?;
    for pages in sizes {
        for releases in ["atomic", "in-place"] {
            runtime.block_on(publishes(&mut out, pages, releases))?;
        }
    }
    Ok(())
}

fn function(out: &mut impl std::io::Write) -> Result<(), Box<dyn Error>> {
    let code = function_code(&SiteName::try_from("docs".to_owned())?, OnFailure::Open);
    writeln!(out, "The function has {} bytes of at most {MAX_FUNCTION_BYTES}.\n", code.len())?;
    writeln!(out, "| Engine | µs a page |\n| --- | ---: |")?;
    let function = EdgeFunction::new(&code, |key| (key == "docs").then(|| POINTER.to_owned()))?;
    let event = request_event("docs.example.com", "/guide/start/?x=1");
    let start = Instant::now();
    for _ in 0..RUNS {
        function.request(&event)?;
    }
    writeln!(out, "| QuickJS, with the conversion of the event | {:.0} |", micros(start, RUNS))?;
    for engine in ["node", "njs"] {
        if let Ok(time) = in_program(engine, &code, &event.to_string()) {
            writeln!(out, "| {engine} | {time:.0} |")?;
        }
    }
    Ok(())
}

fn micros(start: Instant, runs: usize) -> f64 {
    start.elapsed().as_secs_f64() * 1e6 / runs as f64
}

/// The time of one request in another program, without its start.
fn in_program(engine: &str, code: &str, event: &str) -> Result<f64, Box<dyn Error>> {
    let directory = tempfile::TempDir::new()?;
    let path = directory.path().join("function.js");
    let seconds = |runs: usize| -> Result<f64, Box<dyn Error>> {
        let text = format!(
            "const cf = {{ kvs: () => ({{ get: (key) => key === 'docs' ? Promise.resolve('{POINTER}') : Promise.reject('none') }}) }};\n\
             {}\nasync function run() {{ for (let i = 0; i < {runs}; i++) {{ await handler(JSON.parse('{event}')); }} }}\nrun();\n",
            code.replace("import cf from 'cloudfront';", "")
        );
        std::fs::write(&path, text)?;
        let start = Instant::now();
        let status = Command::new(engine).arg(&path).status()?;
        if status.success() { Ok(start.elapsed().as_secs_f64()) } else { Err(format!("{engine} failed").into()) }
    };
    let (few, many) = (seconds(1)?, seconds(RUNS)?);
    Ok((many - few) * 1e6 / RUNS as f64)
}

async fn publishes(out: &mut impl std::io::Write, pages: usize, releases: &str) -> Result<(), Box<dyn Error>> {
    let world = world().await;
    let config = configuration(world.account.http_client(), world.account.root_credentials(), 1);
    let store = aws_sdk_cloudfront::Client::new(&config).create_key_value_store().name("docs").send().await?;
    let store = store.key_value_store.map(|store| store.arn).unwrap_or_default();
    let text = format!(
        "state = \"s3://state/tidegate/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://site/docs/\"\n\
         cdn = [{{ distribution = \"E2EXAMPLE\", origin-path = \"/docs\" }}]\nkeep = {{ releases = 3, days = 0 }}\n\
         [site.edge]\nreleases = \"{releases}\"\nstore = \"{store}\"\n\
         [[site.policy]]\nplugin = \"guard\"\nsettings = {{ max-delete-share = 1.0 }}\n"
    );
    let files = |version: usize| {
        let page = move |n: usize| {
            let body = if n == 0 { format!("home {version}") } else { format!("page {n}") };
            SourceObject::text(&format!("p{n}/index.html"), &body)
        };
        Sources::directory((0..pages).map(page))
    };
    for (step, version) in [("first publish", 1), ("one page changed", 2)] {
        let source = files(version).stage(&world.directory().join(format!("c{version}")), &world.client()).await;
        measure(out, &world, pages, releases, step, (&text, source)).await?;
    }
    let source = Source::Release("r1".parse()?);
    measure(out, &world, pages, releases, "rollback", (&text, source)).await
}

async fn measure(
    out: &mut impl std::io::Write,
    world: &World,
    pages: usize,
    releases: &str,
    step: &str,
    (text, source): (&str, Source),
) -> Result<(), Box<dyn Error>> {
    let publish = Publish { publisher: world.publisher(), site: site(text), request: request(source) };
    world.clear_requests();
    let start = Instant::now();
    let report = publish.publish().await?;
    let seconds = start.elapsed().as_secs_f64();
    let calls = world.faults.calls();
    let count = |is: &dyn Fn(&ApiCall) -> bool| calls.iter().filter(|call| is(call)).count();
    let store = count(&|call| call.service == AwsService::KeyValueStore);
    let writes = count(&|call| call.bucket.as_deref() == Some("site") && !call.only_reads());
    let paths: usize = report.invalidations.iter().map(|one| one.paths.len()).sum();
    writeln!(out, "| {pages} | {releases} | {step} | {} | {store} | {writes} | {paths} | {seconds:.2} |", calls.len())?;
    Ok(())
}
