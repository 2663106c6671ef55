//! Writes the zip of a deployment package. The same files always make the same bytes.

use std::io::{Cursor, Write};

use tidegate_core::lambda_package::PackageContents;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// The highest level of deflate. Packages are made rarely, and a smaller one starts faster.
const LEVEL: i64 = 9;

/// Packs the files, sorted by path, with 1980-01-01 as their time: the earliest that a zip can hold.
pub(super) fn pack(contents: &PackageContents) -> Result<Vec<u8>, ZipError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, file) in contents.files() {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .last_modified_time(DateTime::default())
            .system(System::Unix)
            .unix_permissions(file.mode);
        archive.start_file(path, options)?;
        archive.write_all(&file.bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}
