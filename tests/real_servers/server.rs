//! Starts and stops servers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use tidegate_publish::Connection;
use tidegate_tests::binary::{binary, cache};
use tidegate_tests::world;

/// A server of `scripts/servers`. It stops when this value is dropped or this process ends.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/servers")
}

/// Ports below the ephemeral range (Linux: from 32768, others: from 49152), so that no outgoing connection takes a free port
/// before the server listens on it.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How often a server is started. Another process may take its port in the meantime.
const ATTEMPTS: usize = 3;

/// A free port.
pub(crate) fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(PORTS));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

impl Server {
    /// Starts a server and waits until it answers. `arguments` returns the arguments of `scripts/servers` after the name, for
    /// the port of each attempt.
    ///
    /// # Errors
    /// The reason, with the last lines of the server's log.
    pub(crate) fn start(name: &str, mut arguments: impl FnMut(u16) -> Vec<String>) -> Result<Self, String> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            match Self::attempt(name, port, &arguments(port)) {
                Ok(server) => return Ok(server),
                Err(reason) if reason.contains("is not installed") => return Err(reason),
                Err(reason) => last = reason,
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
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        // The message of the script, before what servers print while they are stopped.
        let message = log.lines().rev().find(|line| line.starts_with("servers: "));
        let last: Vec<&str> = log.lines().rev().take(5).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
        Err(format!("{} ({last})", message.unwrap_or("the server exited")))
    }

    /// The URL of the server.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A configuration for SDK clients.
    pub(crate) fn configuration(&self, key: &str, secret: &str) -> SdkConfig {
        let credentials = Credentials::new(key, secret, None, None, "test");
        let config = world::configuration(Connection::https(), credentials, 3);
        config.to_builder().endpoint_url(self.endpoint()).build()
    }

    /// The binary, in a directory, with the endpoint and credentials for this server.
    pub(crate) fn command(&self, directory: &Path, secret: &str) -> Command {
        command_at(&self.endpoint(), directory, secret)
    }

    /// Sends an unsigned GET request.
    pub(crate) fn get(&self, path: &str) -> PlainResponse {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port).unwrap();
        let mut head = Vec::new();
        stream.read_to_end(&mut head).unwrap();
        let end = head.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let body = head.split_off(end + 4);
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        PlainResponse { status, head, body }
    }
}

/// The binary, in a directory, with an endpoint and credentials.
pub(crate) fn command_at(endpoint: &str, directory: &Path, secret: &str) -> Command {
    let mut command = Command::new(binary());
    command
        .current_dir(directory)
        .env("XDG_CACHE_HOME", cache())
        .env("NO_COLOR", "1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .args(["--endpoint-url", endpoint]);
    command
}

/// The response to an unsigned request.
pub(crate) struct PlainResponse {
    pub(crate) status: u16,
    /// The status line and the headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // The script stops the server when its input ends.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
