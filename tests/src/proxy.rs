//! A TCP proxy in front of an emulated account. It records the bytes that a process sends, whichever client it uses.

use std::sync::{Arc, Mutex, PoisonError};

use tidegate_emulator::LocalAws;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A proxy that serves one account and records its requests.
#[derive(Debug)]
pub struct RecordingProxy {
    address: std::net::SocketAddr,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl RecordingProxy {
    /// Serves an account until the test's runtime ends.
    pub async fn start(account: LocalAws) -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream_address = upstream.local_addr().unwrap();
        drop(tokio::spawn(account.serve(upstream, std::future::pending())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sent: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let record = Arc::clone(&sent);
        drop(tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(upstream_address).await.unwrap();
                drop(tokio::spawn(forward(client, server, Arc::clone(&record))));
            }
        }));
        Self { address, sent }
    }

    /// The endpoint URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first line of every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = sent.iter().flat_map(|connection| connection.split(|byte| *byte == b'\n'));
        lines
            .map(|line| String::from_utf8_lossy(line).trim_end().to_owned())
            // The body of the previous request may come directly before the method, without a line break.
            .filter_map(|line| {
                let request = line.strip_suffix(" HTTP/1.1")?;
                let start = ["GET /", "HEAD /", "PUT /", "POST /", "DELETE /"]
                    .into_iter()
                    .filter_map(|method| request.rfind(method))
                    .max()?;
                request.get(start..).map(str::to_owned)
            })
            .collect()
    }
}

/// Forwards one connection in both directions and records what the client sends.
async fn forward(client: TcpStream, server: TcpStream, record: Arc<Mutex<Vec<Vec<u8>>>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let connection = {
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        record.push(Vec::new());
        record.len() - 1
    };
    let requests = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            let part = buffer.get(..read).unwrap_or_default();
            if let Some(sent) = record.lock().unwrap_or_else(PoisonError::into_inner).get_mut(connection) {
                sent.extend_from_slice(part);
            }
            if to_server.write_all(part).await.is_err() {
                return;
            }
        }
    };
    let responses = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    };
    tokio::join!(requests, responses);
}
