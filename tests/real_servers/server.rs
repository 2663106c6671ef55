//! Starting and stopping a server, and giving up on one that cannot be had.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use tidegate_publish::Connection;
use tidegate_tests::binary::{binary, cache};
use tidegate_tests::world;

/// A server of `scripts/servers`. It stops when this is dropped, or when this process ends.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/servers")
}

/// Ports that systems do not give out by themselves (Linux: 32768 and up, others 49152 and up): one that is free now is
/// not taken by somebody's connection before the server listens on it.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How often a server is started: another process may have taken its port after all.
const ATTEMPTS: usize = 3;

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(PORTS));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

impl Server {
    /// Starts a server and waits until it answers. `arguments` are those of `scripts/servers`, after the server's name,
    /// for a port that it listens on; they are asked for anew with every attempt.
    ///
    /// # Errors
    /// Why it cannot be had: what it last said.
    pub(crate) fn start(name: &str, mut arguments: impl FnMut(u16) -> Vec<String>) -> Result<Self, String> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            match Self::attempt(name, port, &arguments(port)) {
                Ok(server) => return Ok(server),
                Err(why) if why.contains("is not installed") => return Err(why),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    fn attempt(name: &str, port: u16, arguments: &[String]) -> Result<Self, String> {
        let log = std::env::temp_dir().join(format!("tidegate-{name}-{port}.log"));
        let file = std::fs::File::create(&log).map_err(|error| error.to_string())?;
        let mut child = Command::new(script())
            .arg(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .map_err(|error| format!("{}: {error}", script().display()))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).map_err(|error| error.to_string())?;
        if line.trim() == "ready" {
            let _ = std::fs::remove_file(log);
            return Ok(Self { child, port });
        }
        let _ = child.wait();
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        // What the script says of it counts for more than what servers say while they are stopped.
        let script = said.lines().rev().find(|line| line.starts_with("servers: "));
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
        Err(format!("{} ({last})", script.unwrap_or("it ended by itself")))
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the SDKs need to reach it.
    pub(crate) fn configuration(&self, key: &str, secret: &str) -> SdkConfig {
        let credentials = Credentials::new(key, secret, None, None, "test");
        let config = world::configuration(Connection::https(), credentials, 3);
        config.to_builder().endpoint_url(self.endpoint()).build()
    }

    /// The binary, in a directory and with everything that it needs to ask this server.
    pub(crate) fn command(&self, directory: &Path, secret: &str) -> Command {
        let mut command = Command::new(binary());
        command
            .current_dir(directory)
            .env("XDG_CACHE_HOME", cache())
            .env("NO_COLOR", "1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .args(["--endpoint-url", &self.endpoint()]);
        command
    }

    /// What it answers to a plain GET: status, headers in lower case, body.
    pub(crate) fn get(&self, path: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let body = answer.split_off(end + 4);
        let head = String::from_utf8_lossy(&answer).to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The script stops everything it started once its input ends.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Says that a test was skipped, where a person and where CI look.
pub(crate) fn skipped(test: &str, why: &str) {
    let line = format!("SKIPPED: {test}: {why}");
    println!("{line}");
    if let Some(path) = std::env::var_os("TIDEGATE_SKIPS") {
        let mut text = String::new();
        writeln!(text, "{line}").unwrap();
        OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }
}
