//! The wire between a process and an account that is served to it: what really was sent, whoever sent it.

use std::sync::{Arc, Mutex, PoisonError};

use tidegate_emulator::LocalAws;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An account behind a socket, whose requests are noted.
#[derive(Debug)]
pub struct Wire {
    address: std::net::SocketAddr,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Wire {
    /// Serves an account for as long as the test's runtime lives.
    pub async fn before(account: LocalAws) -> Self {
        let behind = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = behind.local_addr().unwrap();
        drop(tokio::spawn(account.serve(behind, std::future::pending())));
        let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = front.local_addr().unwrap();
        let sent: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let notes = Arc::clone(&sent);
        drop(tokio::spawn(async move {
            while let Ok((client, _)) = front.accept().await {
                let server = TcpStream::connect(inner).await.unwrap();
                drop(tokio::spawn(carry(client, server, Arc::clone(&notes))));
            }
        }));
        Self { address, sent }
    }

    /// Where a process finds it.
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
            // A body may stand before the method, without a line break between them.
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

/// Carries one connection both ways, and notes what the client says.
async fn carry(client: TcpStream, server: TcpStream, notes: Arc<Mutex<Vec<Vec<u8>>>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let place = {
        let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(Vec::new());
        notes.len() - 1
    };
    let there = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            let part = buffer.get(..read).unwrap_or_default();
            if let Some(note) = notes.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
                note.extend_from_slice(part);
            }
            if to_server.write_all(part).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    };
    tokio::join!(there, back);
}
