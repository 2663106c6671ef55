//! `tidegate dev`: what it previews, and which changes of a source it publishes.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::first_hour::{Project, RELEASES, send};

/// A running `tidegate dev`, and the lines that it prints.
pub(crate) struct Dev {
    child: Child,
    lines: Receiver<String>,
    /// Lines of standard error.
    notes: Receiver<String>,
}

impl Dev {
    pub(crate) fn start(project: &Project, source: &str) -> Self {
        Self::start_with(project, source, &[])
    }

    fn start_with(project: &Project, source: &str, options: &[&str]) -> Self {
        let arguments = [&["dev", "docs", "--from", source, "--listen", "127.0.0.1:0"], options].concat();
        let mut child = project.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = read_lines(child.stdout.take().unwrap());
        let notes = read_lines(child.stderr.take().unwrap());
        Self { child, lines, notes }
    }

    /// The address of the preview.
    pub(crate) fn address(&self) -> String {
        loop {
            let line = self.notes.recv_timeout(Duration::from_secs(60)).unwrap();
            if let Some((_, rest)) = line.split_once("http://") {
                return rest.split('/').next().unwrap().to_owned();
            }
        }
    }

    /// Waits for a publish.
    pub(crate) fn wait_for_publish(&self) {
        while !self.lines.recv_timeout(Duration::from_secs(60)).unwrap().ends_with(": live") {}
    }

    pub(crate) fn stop(mut self) {
        send("-INT", &self.child);
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn dev_watches_a_directory_that_is_recreated() {
    let project = Project::new(RELEASES);
    let dev = Dev::start(&project, "public");
    dev.wait_for_publish();
    for text in ["<p>two", "<p>three"] {
        project.build("public", &[("index.html", text)]);
        dev.wait_for_publish();
    }
    // The new directory is watched, not only its appearance.
    std::fs::write(project.path("public/index.html"), "<p>four").unwrap();
    dev.wait_for_publish();
    dev.stop();
}

#[test]
fn dev_watches_a_zip_that_is_replaced_by_renaming() {
    let project = Project::new(RELEASES);
    write_zip(&project.path("site.zip"), "<p>one");
    let dev = Dev::start(&project, "site.zip");
    dev.wait_for_publish();
    for text in ["<p>two", "<p>three"] {
        write_zip(&project.path("next"), text);
        std::fs::rename(project.path("next"), project.path("site.zip")).unwrap();
        dev.wait_for_publish();
    }
    dev.stop();
}

#[test]
fn dev_ignores_changes_of_what_is_excluded() {
    let project = Project::new(&format!("{RELEASES}\n[[site.sync]]\nplugin = \"exclude\"\n"));
    project.build("public", &[("index.html", "<p>one"), (".git/index", "1")]);
    let dev = Dev::start(&project, "public");
    dev.wait_for_publish();
    for (name, text) in [(".git/index", "2"), (".git/index.lock", ""), (".#index.html", ""), ("index.html~", "<p>o")] {
        std::fs::write(project.path(&format!("public/{name}")), text).unwrap();
    }
    // Longer than the debounce interval and a publish without changes. The rest of the first report may follow.
    let end = Instant::now() + Duration::from_secs(4);
    while let Ok(line) = dev.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
        assert!(!line.starts_with("docs"), "{line}");
    }
    std::fs::write(project.path("public/index.html"), "<p>two").unwrap();
    dev.wait_for_publish();
    dev.stop();
}

#[test]
fn dev_refuses_an_endpoint() {
    let ended = Project::new(RELEASES).run(&["--endpoint-url", "http://127.0.0.1:1", "dev", "docs"]);
    ended.assert_error(2, &["`--endpoint-url`"]);
}

#[test]
fn dev_ends_during_a_publish() {
    let project = Project::new(RELEASES);
    let dev = Dev::start(&project, "public");
    dev.wait_for_publish();
    project.build("public", &[("index.html", "<p>two"), ("large.bin", &"x".repeat(50_000_000))]);
    // Some time within the debounce interval and the publish.
    std::thread::sleep(Duration::from_millis(450));
    dev.stop();
}

/// The status and the body that a visitor gets.
pub(crate) fn visit(address: &str, path: &str) -> (u16, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn dev_previews_a_private_bucket_and_names_folders_once() {
    let project = Project::new(RELEASES);
    let build = |text: &str| {
        project.build("public", &[("index.html", text), ("guide/index.html", text), ("404.html", "not found")]);
    };
    build("<p>one");
    let dev = Dev::start(&project, "public");
    let address = dev.address();
    dev.wait_for_publish();
    for (path, status) in [("/", 200), ("/guide/index.html", 200), ("/guide/", 403), ("/guide", 403), ("/none", 403)] {
        assert_eq!(visit(&address, path).0, status, "{path}");
    }
    assert_eq!(visit(&address, "/").1, "<p>one");
    let note = dev.notes.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(note.contains("`/guide/`") && note.contains("`--website`") && note.contains("`[site.edge]`"), "{note}");
    build("<p>two");
    dev.wait_for_publish();
    assert!(dev.notes.recv_timeout(Duration::from_secs(2)).is_err(), "the note is printed once");
    dev.stop();
}

#[test]
fn dev_previews_the_website_endpoint_and_goes_back() {
    let project = Project::new(RELEASES);
    project.build("public", &[("index.html", "<p>one"), ("guide/index.html", "<p>guide")]);
    for (options, status) in [(&["--website"][..], 200), (&[], 403), (&["--website"], 200)] {
        let dev = Dev::start_with(&project, "public", options);
        let address = dev.address();
        // The second and third start publish nothing new.
        let line = dev.lines.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(line.starts_with("docs"), "{line}");
        assert_eq!(visit(&address, "/guide/").0, status, "{options:?}");
        dev.stop();
    }
}

/// The lines of a stream, which a thread reads.
fn read_lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let stream = BufReader::new(stream);
    std::thread::spawn(move || stream.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    lines
}

fn write_zip(path: &Path, text: &str) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    zip.start_file("index.html", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
    zip.finish().unwrap();
}
