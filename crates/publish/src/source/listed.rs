//! What every kind of source does with the names that it listed: leave out a leading folder, and report what people should
//! know of them.

use tidegate_core::finding::Finding;
use tidegate_core::key::Key;
use tidegate_core::location::Prefix;
use tidegate_core::sanitize::sanitize_name;

use super::error::SourceError;

/// Leaves out `prefix` in the names of a source. What is outside of the folder is not published, which the finding says.
pub(super) fn strip<T>(
    prefix: &Prefix,
    items: Vec<T>,
    key: impl Fn(&mut T) -> &mut Key,
) -> Result<(Vec<T>, Vec<Finding>), SourceError> {
    if prefix.as_str().is_empty() {
        return Ok((items, Vec::new()));
    }
    let mut stripped = Vec::with_capacity(items.len());
    let (mut outside, mut first) = (0_usize, None::<Key>);
    for mut item in items {
        let name = key(&mut item);
        if let Some(Ok(rest)) = name.as_str().strip_prefix(prefix.as_str()).map(Key::new) {
            *name = rest;
            stripped.push(item);
        } else {
            outside += 1;
            if first.as_ref().is_none_or(|first| *name < *first) {
                first = Some(name.clone());
            }
        }
    }
    let Some(first) = first else { return Ok((stripped, Vec::new())) };
    if stripped.is_empty() {
        return Err(SourceError::NothingBelow { prefix: prefix.clone(), example: first });
    }
    let message = match outside {
        1 => format!("`{first}` is outside of `{prefix}` and is not published"),
        more => format!("{more} objects outside of `{prefix}`, such as `{first}`, are not published"),
    };
    Ok((stripped, vec![Finding::warning("outside-prefix", message)]))
}

/// The finding about names that were read in a code page that the archive does not declare.
pub(super) fn code_page(example: &str, count: usize) -> Finding {
    let example = sanitize_name(example);
    let names = match count {
        1 => format!("the name `{example}` was"),
        more => format!("{more} names, such as `{example}`, were"),
    };
    let message = format!(
        "{names} read in code page 437, because the archive does not say that it is UTF-8; if this is wrong, \
                           build the archive with UTF-8 names"
    );
    Finding::warning("code-page-name", message)
}
