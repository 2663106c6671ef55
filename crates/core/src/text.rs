//! Text for people: counts with their nouns, and lists that are cut.

/// A count and its noun in the right number: `1 object`, `2 objects`, `0 policies`.
///
/// The last word of `noun` gets the plural, so `archived body` works too.
#[must_use]
pub fn count(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    if count == 1 { format!("1 {noun}") } else { format!("{count} {}", plural(noun)) }
}

/// What follows a list that is cut after `shown` of `total` entries; nothing if all of them are shown.
#[must_use]
pub fn rest(total: usize, shown: usize, noun: &str) -> Option<String> {
    let rest = total.checked_sub(shown).filter(|rest| *rest > 0)?;
    Some(format!("and {} (list all with `--json`)", count(rest, &format!("more {noun}"))))
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if noun.ends_with(['s', 'x']) || noun.ends_with("ch") || noun.ends_with("sh") => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::{count, rest};

    #[test]
    fn nouns_follow_their_count() {
        assert_eq!(count(1_u64, "object"), "1 object");
        assert_eq!(count(0_u64, "object"), "0 objects");
        assert_eq!(count(2_usize, "archived body"), "2 archived bodies");
        assert_eq!(count(2_u64, "key"), "2 keys");
        assert_eq!(count(2_u64, "prefix"), "2 prefixes");
        assert_eq!(count(2_u64, "path"), "2 paths");
    }

    #[test]
    fn a_cut_list_says_how_much_is_missing() {
        assert_eq!(rest(20, 20, "finding"), None);
        assert_eq!(rest(0, 20, "finding"), None);
        assert_eq!(rest(22, 20, "finding").as_deref(), Some("and 2 more findings (list all with `--json`)"));
    }
}
