//! The folders of the addresses that have to be forgotten, where a wildcard could replace at least two paths.
//!
//! Owns finding them, in one pass over sorted addresses, and what each would cost. Never chooses among them.

use super::address::PathText;
use super::unchanged::UnchangedKeys;

/// A folder. Folders lie within each other or apart, and stand in the order in which they begin, the outer one first, so
/// those within a folder are the ones between it and its `next`. The first one is always the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    /// The bytes of its name, with the final `/`; none for the root.
    pub(super) length: usize,
    /// Its first address.
    pub(super) first: usize,
    /// The address after its last one.
    pub(super) end: usize,
    /// The folder after the last one within it.
    pub(super) next: usize,
    /// What its addresses cost that are in no folder within it, as they are.
    pub(super) loose: FolderCost,
    /// What its wildcard costs, with the path of its own address where that has to be forgotten; nothing where the
    /// wildcard would clear what is not the site's.
    pub(super) wildcard: Option<FolderCost>,
}

/// What paths cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FolderCost {
    /// Paths without a wildcard.
    pub(super) singles: usize,
    /// Paths with one.
    pub(super) wildcards: usize,
    /// Unchanged keys that are cleared as well.
    pub(super) unchanged: usize,
}

impl FolderCost {
    pub(super) fn paths(self) -> usize {
        self.singles + self.wildcards
    }

    pub(super) fn add(&mut self, other: Self) {
        self.singles += other.singles;
        self.wildcards += other.wildcards;
        self.unchanged += other.unchanged;
    }
}

/// A folder whose end is not known yet.
struct OpenFolder {
    length: usize,
    first: usize,
    loose: FolderCost,
}

/// The folders of sorted addresses.
pub(super) fn folders(addresses: &[PathText], unchanged: &UnchangedKeys<'_>) -> Vec<Folder> {
    let mut open = vec![OpenFolder { length: 0, first: 0, loose: FolderCost::default() }];
    let mut all = Vec::new();
    let mut coming = addresses.iter().enumerate().peekable();
    while let Some((index, address)) = coming.next() {
        let shared = coming.peek().map_or(0, |(_, next)| shared_folder(&address.text, &next.text));
        if open.last().is_some_and(|top| top.length < shared) {
            open.push(OpenFolder { length: shared, first: index, loose: FolderCost::default() });
        }
        if let Some(top) = open.last_mut() {
            top.loose.add(cost(address, unchanged));
        }
        while let Some(done) = open.pop_if(|top| top.length > shared) {
            // The next address belongs to a folder between this one and the one around it, which begins here as well.
            if open.last().is_some_and(|top| top.length < shared) {
                open.push(OpenFolder { length: shared, first: done.first, loose: FolderCost::default() });
            }
            if let Some(folder) = close(&done, index + 1, addresses, unchanged) {
                all.push(folder);
            } else if let Some(top) = open.last_mut() {
                top.loose.add(done.loose);
            }
        }
    }
    if let Some(root) = open.pop() {
        all.push(root_folder(&root, addresses, unchanged));
    }
    all.sort_unstable_by_key(|folder| (folder.first, folder.length));
    let firsts: Vec<usize> = all.iter().map(|folder| folder.first).collect();
    for folder in &mut all {
        folder.next = firsts.partition_point(|first| *first < folder.end);
    }
    all
}

fn cost(address: &PathText, unchanged: &UnchangedKeys<'_>) -> FolderCost {
    if address.cut {
        FolderCost { singles: 0, wildcards: 1, unchanged: unchanged.cleared_by(&address.text) }
    } else {
        FolderCost { singles: 1, wildcards: 0, unchanged: 0 }
    }
}

/// A folder whose end is known; nothing where its wildcard would replace one path only.
fn close(open: &OpenFolder, end: usize, addresses: &[PathText], unchanged: &UnchangedKeys<'_>) -> Option<Folder> {
    let first = addresses.get(open.first)?;
    let name = first.text.get(..open.length)?;
    // Its own address is the first one, or the second one where a cut one has the same text.
    let own = addresses.iter().take(end).skip(open.first).take(2).filter(|address| !address.is_below(name)).count();
    if end - open.first - own < 2 {
        return None;
    }
    let wildcard =
        unchanged.owns(name).then(|| FolderCost { singles: own, wildcards: 1, unchanged: unchanged.cleared_by(name) });
    Some(Folder { length: open.length, first: open.first, end, next: 0, loose: open.loose, wildcard })
}

/// The root is there even if nothing is gained by its wildcard, since it holds what is in no folder.
fn root_folder(root: &OpenFolder, addresses: &[PathText], unchanged: &UnchangedKeys<'_>) -> Folder {
    let loose = root.loose;
    let bare = Folder { length: 0, first: 0, end: addresses.len(), next: 0, loose, wildcard: None };
    close(root, addresses.len(), addresses, unchanged).unwrap_or(bare)
}

/// The bytes of the deepest folder that holds both.
fn shared_folder(a: &str, b: &str) -> usize {
    let mut folder = 0;
    for (at, (one, other)) in a.bytes().zip(b.bytes()).enumerate() {
        if one != other {
            break;
        }
        if one == b'/' {
            folder = at + 1;
        }
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::super::address::addresses;
    use super::*;
    use crate::location::Prefix;

    /// A folder's name, its loose addresses, and what its wildcard costs: singles and unchanged keys.
    type Row = (String, usize, Option<(usize, usize)>);

    fn told(keys: &[&str], kept: &[&str], below: &str) -> Vec<Row> {
        let below = Prefix::new(below).unwrap();
        let addresses = addresses(keys.iter().copied(), &below);
        let unchanged = UnchangedKeys::new(kept.iter().copied(), &below);
        let all = folders(&addresses, &unchanged);
        for (index, folder) in all.iter().enumerate() {
            assert!(index < folder.next && folder.next <= all.len());
            assert!(
                all[index + 1..folder.next].iter().all(|inner| folder.first <= inner.first && inner.end <= folder.end)
            );
        }
        all.iter()
            .map(|folder| {
                let name =
                    addresses.get(folder.first).and_then(|first| first.text.get(..folder.length)).map(str::to_owned);
                let wildcard = folder.wildcard.map(|cost| (cost.singles, cost.unchanged));
                (name.unwrap_or_default(), folder.loose.paths(), wildcard)
            })
            .collect()
    }

    fn row(name: &str, loose: usize, wildcard: Option<(usize, usize)>) -> Row {
        (name.to_owned(), loose, wildcard)
    }

    #[test]
    fn folders_are_found_where_a_wildcard_replaces_two_paths() {
        assert_eq!(told(&["x"], &[], ""), [row("", 1, None)]);
        assert_eq!(told(&["a/1", "b/1"], &["b/2"], ""), [row("", 2, Some((0, 1)))]);
        let keys = ["a/b/1", "a/b/2", "a/c/1", "a/c/2", "d/e/f/1", "d/e/f/2"];
        let expected = [
            row("", 0, Some((0, 1))),
            row("a/", 0, Some((0, 1))),
            row("a/b/", 2, Some((0, 0))),
            row("a/c/", 2, Some((0, 1))),
            row("d/e/f/", 2, Some((0, 0))),
        ];
        assert_eq!(told(&keys, &["a/c/3"], ""), expected);
    }

    #[test]
    fn a_folder_whose_own_address_is_forgotten_keeps_a_path_for_it() {
        let expected = [row("", 1, Some((0, 0))), row("d/", 3, Some((1, 0)))];
        assert_eq!(told(&["d/index.html", "d/x"], &[], ""), expected);
        assert_eq!(told(&["d/index.html"], &[], ""), [row("", 3, Some((0, 0)))]);
    }

    #[test]
    fn what_is_not_the_site_s_is_not_folded() {
        let expected = [row("", 1, None), row("docs/", 3, Some((1, 1)))];
        assert_eq!(told(&["index.html", "x"], &["y"], "docs"), expected);
    }
}
