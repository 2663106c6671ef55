//! Opens and reads sources as a publish does: directories, archives, and a bucket in memory.

#[cfg(test)]
#[path = "../common/http.rs"]
mod http;
#[cfg(test)]
mod memory_s3;
#[cfg(test)]
mod support;

#[cfg(test)]
mod archive_links;
#[cfg(test)]
mod archive_names;
#[cfg(test)]
mod archive_reading;
#[cfg(test)]
mod archive_rules;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod listing_ranges;
#[cfg(test)]
mod prefix;
