//! What people should know of the names of a source.

use tidegate_core::finding::{Finding, Severity};
use tidegate_core::sanitize::sanitize_name;

/// A finding of Tidegate itself.
pub(crate) fn warning(code: &str, message: String) -> Finding {
    Finding {
        plugin: "tidegate".to_owned(),
        code: code.to_owned(),
        severity: Severity::Warning,
        message,
        key: None,
        rule: String::new(),
    }
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
    warning("code-page-name", message)
}
