//! Spellings of the paths that requests and targets have.

/// The path with a `/` at the end, or without it.
pub(crate) fn other_spelling(path: &str) -> String {
    match path.strip_suffix('/') {
        Some("") => path.to_owned(),
        Some(without) => without.to_owned(),
        None => format!("{path}/"),
    }
}

/// A path on the site without runs of `/`.
pub(crate) fn single_slashes(path: &str) -> String {
    let mut single = path.to_owned();
    while single.starts_with('/') && single.contains("//") {
        single = single.replace("//", "/");
    }
    single
}
