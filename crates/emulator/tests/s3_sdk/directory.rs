//! An account in a directory.

use tidegate_emulator::OpenError;
use tidegate_emulator::s3::StoredHeaders;

use crate::*;

#[tokio::test]
async fn everything_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..500_000_u32).map(|number| (number % 253) as u8).collect();
    let (root, user_key, upload, etag);
    {
        let account = LocalAws::open(directory.path()).unwrap();
        account.s3().create_bucket(BUCKET).await.unwrap();
        root = account.root_credentials();
        let client = client(&account, root.clone());
        put(&client, "small", b"small").await;
        put(&client, "large", &large).await;
        put(&client, "gone", &large).await;
        client.delete_object().bucket(BUCKET).key("gone").send().await.unwrap();
        let policy =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
        account.iam().create_user("reader", &[("read", policy)]).unwrap();
        user_key = account.iam().create_access_key("reader").unwrap();
        let created = client
            .create_multipart_upload()
            .bucket(BUCKET)
            .key("parts")
            .checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Crc32)
            .send()
            .await
            .unwrap();
        upload = created.upload_id.unwrap();
        let part = client.upload_part().bucket(BUCKET).key("parts").upload_id(&upload).part_number(1);
        etag = part.body(ByteStream::from_static(b"part")).send().await.unwrap();
    }
    let account = LocalAws::open(directory.path()).unwrap();
    assert_eq!(account.root_credentials().secret_access_key(), root.secret_access_key());
    let reader = client(&account, user_key.credentials());
    assert_eq!(body(&reader, "small").await, b"small");
    assert_eq!(body(&reader, "large").await, large);
    let client = client(&account, root);
    let listed: Vec<String> = account.s3().list(BUCKET, "").unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(listed, ["large", "small"]);
    let parts = client.list_parts().bucket(BUCKET).key("parts").upload_id(&upload).send().await.unwrap();
    assert_eq!(parts.parts()[0].e_tag(), etag.e_tag());
    assert_eq!(std::fs::read_dir(directory.path().join("bodies")).unwrap().count(), 1);
    // New bodies never replace old ones.
    put(&client, "more", &vec![9; 100_000]).await;
    assert_eq!(body(&client, "large").await, large);
}

#[tokio::test]
async fn only_one_process_can_open_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let account = LocalAws::open(directory.path()).unwrap();
    let second = LocalAws::open(directory.path()).unwrap_err();
    assert!(matches!(second, OpenError::InUse { .. }), "{second:?}");
    assert!(second.to_string().contains("is in use by another process"), "{second}");
    drop(account);
    LocalAws::open(directory.path()).unwrap();

    std::fs::write(directory.path().join("tidegate.redb"), "not a database").unwrap();
    assert!(matches!(LocalAws::open(directory.path()).unwrap_err(), OpenError::Database { .. }));
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(LocalAws::open(file.path()).unwrap_err(), OpenError::Directory { .. }));
}

#[tokio::test]
async fn removes_files_of_a_killed_process() {
    let directory = tempfile::tempdir().unwrap();
    let large = vec![1_u8; 100_000];
    {
        let account = LocalAws::open(directory.path()).unwrap();
        account.s3().create_bucket(BUCKET).await.unwrap();
        account.s3().put(BUCKET, "x", large.clone(), StoredHeaders::default()).await.unwrap();
    }
    let bodies = directory.path().join("bodies");
    std::fs::write(bodies.join("00000000000000ff"), "a part of a body").unwrap();
    std::fs::write(bodies.join("stray"), "something else").unwrap();
    let account = LocalAws::open(directory.path()).unwrap();
    assert_eq!(std::fs::read_dir(&bodies).unwrap().count(), 1);
    assert_eq!(account.s3().get(BUCKET, "x").unwrap().content.bytes().await.unwrap(), large);
}

#[tokio::test]
async fn a_reader_gets_the_whole_object_after_its_deletion() {
    let directory = tempfile::tempdir().unwrap();
    let account = LocalAws::open(directory.path()).unwrap();
    account.s3().create_bucket(BUCKET).await.unwrap();
    let client = client(&account, account.root_credentials());
    let large = vec![1_u8; 1_000_000];
    put(&client, "x", &large).await;
    let reading = client.get_object().bucket(BUCKET).key("x").send().await.unwrap();
    put(&client, "x", b"replaced").await;
    client.delete_object().bucket(BUCKET).key("x").send().await.unwrap();
    assert_eq!(reading.body.collect().await.unwrap().to_vec(), large);
    assert_eq!(std::fs::read_dir(directory.path().join("bodies")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_get_a_whole_object_while_it_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let account = LocalAws::open(directory.path()).unwrap();
    account.s3().create_bucket(BUCKET).await.unwrap();
    let version = |number: u8| vec![number; 70_000 + usize::from(number)];
    account.s3().put(BUCKET, "x", version(0), StoredHeaders::default()).await.unwrap();
    let writer = {
        let store = account.s3().clone();
        tokio::spawn(async move {
            for number in 1..60 {
                store.put(BUCKET, "x", version(number), StoredHeaders::default()).await.unwrap();
            }
        })
    };
    let mut reads = 0_usize;
    while !writer.is_finished() {
        let object = account.s3().get(BUCKET, "x").unwrap();
        let (size, bytes) = (object.info.size, object.content.bytes().await.unwrap());
        assert_eq!(bytes.len() as u64, size);
        assert_eq!(bytes, version(bytes[0]));
        reads += 1;
    }
    writer.await.unwrap();
    assert!(reads > 0);
    assert_eq!(std::fs::read_dir(directory.path().join("bodies")).unwrap().count(), 1);
}

/// The directory of the child process of the test below. Without it the child does nothing.
const CHILD_DIRECTORY: &str = "TIDEGATE_LOCAL_TEST_DIRECTORY";

/// Content that reveals missing bytes: alternately small and large.
fn content_of(number: usize) -> Vec<u8> {
    let size = if number.is_multiple_of(2) { 1_000 } else { 150_000 };
    vec![u8::try_from(number % 256).unwrap(); size + number]
}

/// Not a test: writes objects until it is killed, and prints each one that is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_writes_until_killed() {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY) else {
        return;
    };
    let account = LocalAws::open(std::path::Path::new(&directory)).unwrap();
    account.s3().create_bucket(BUCKET).await.unwrap();
    for number in 0.. {
        let puts = (number * 4..number * 4 + 4).map(|number| {
            let store = account.s3().clone();
            async move {
                store.put(BUCKET, &format!("{number:06}"), content_of(number), StoredHeaders::default()).await.unwrap();
                println!("acknowledged {number}");
            }
        });
        futures::future::join_all(puts).await;
    }
}

#[tokio::test]
async fn a_killed_process_loses_no_acknowledged_write() {
    use std::io::BufRead as _;
    let directory = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "directory::child_that_writes_until_killed", "--nocapture"])
        .env(CHILD_DIRECTORY, directory.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 50 {
        let line = lines.next().unwrap().unwrap();
        acknowledged.extend(line.strip_prefix("acknowledged ").map(|number| number.parse::<usize>().unwrap()));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let account = LocalAws::open(directory.path()).unwrap();
    for number in acknowledged {
        account.s3().head(BUCKET, &format!("{number:06}")).unwrap();
    }
    let listed = account.s3().list(BUCKET, "").unwrap();
    for (key, info) in &listed {
        let bytes = account.s3().get(BUCKET, key).unwrap().content.bytes().await.unwrap();
        assert_eq!(bytes, content_of(key.parse().unwrap()), "{key}");
        assert_eq!(info.etag, md5_hex(&bytes), "{key}");
    }
    let large = listed.iter().filter(|(_, info)| info.size > 64 * 1024).count();
    assert_eq!(std::fs::read_dir(directory.path().join("bodies")).unwrap().count(), large);
}
