//! The folders of the addresses to invalidate whose wildcard would replace at least two paths, found in one pass.

use super::address::Address;
use super::unchanged::UnchangedKeys;

/// A folder. Folders are nested or disjoint, and in the order of their first address, the outer one first. So the folders
/// within a folder are those between it and its `next`. The first one is the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    /// The bytes of its name, including the final `/`; 0 for the root.
    pub(super) length: usize,
    /// Index of its first address.
    pub(super) first: usize,
    /// Index after its last address.
    pub(super) end: usize,
    /// Index of the folder after the last one within it.
    pub(super) next: usize,
    /// Cost of its addresses that are in no inner folder, each with its own path.
    pub(super) loose: FolderCost,
    /// Cost of its wildcard, and of the path of its own address if that is to be invalidated. `None` if the wildcard would
    /// clear addresses outside the site.
    pub(super) wildcard: Option<FolderCost>,
}

/// The cost of paths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FolderCost {
    /// Paths without a wildcard.
    pub(super) singles: usize,
    /// Wildcard paths.
    pub(super) wildcards: usize,
    /// Unchanged keys that are cleared too.
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

/// A folder whose end is still unknown.
struct OpenFolder {
    length: usize,
    first: usize,
    loose: FolderCost,
}

/// The folders of sorted addresses.
pub(super) fn folders(addresses: &[Address], unchanged: &UnchangedKeys<'_>) -> Vec<Folder> {
    let mut open = vec![OpenFolder { length: 0, first: 0, loose: FolderCost::default() }];
    let mut all = Vec::new();
    let mut rest = addresses.iter().enumerate().peekable();
    while let Some((index, address)) = rest.next() {
        let shared = rest.peek().map_or(0, |(_, next)| shared_folder(&address.text, &next.text));
        if open.last().is_some_and(|top| top.length < shared) {
            open.push(OpenFolder { length: shared, first: index, loose: FolderCost::default() });
        }
        if let Some(top) = open.last_mut() {
            top.loose.add(cost(address, unchanged));
        }
        while let Some(done) = open.pop_if(|top| top.length > shared) {
            // The next address belongs to a folder between this one and the outer one, which starts here too.
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

fn cost(address: &Address, unchanged: &UnchangedKeys<'_>) -> FolderCost {
    if address.truncated {
        FolderCost { singles: 0, wildcards: 1, unchanged: unchanged.cleared_by(&address.text) }
    } else {
        FolderCost { singles: 1, wildcards: 0, unchanged: 0 }
    }
}

/// Closes a folder. `None` if its wildcard would replace a single path.
fn close(open: &OpenFolder, end: usize, addresses: &[Address], unchanged: &UnchangedKeys<'_>) -> Option<Folder> {
    let first = addresses.get(open.first)?;
    let name = first.text.get(..open.length)?;
    // Its own address is the first one, or the second one after a truncated one with the same text.
    let own = addresses.iter().take(end).skip(open.first).take(2).filter(|address| !address.is_below(name)).count();
    if end - open.first - own < 2 {
        return None;
    }
    let wildcard =
        unchanged.owns(name).then(|| FolderCost { singles: own, wildcards: 1, unchanged: unchanged.cleared_by(name) });
    Some(Folder { length: open.length, first: open.first, end, next: 0, loose: open.loose, wildcard })
}

/// Closes the root, which exists even if its wildcard saves nothing, because it has the addresses that are in no folder.
fn root_folder(root: &OpenFolder, addresses: &[Address], unchanged: &UnchangedKeys<'_>) -> Folder {
    let loose = root.loose;
    let bare = Folder { length: 0, first: 0, end: addresses.len(), next: 0, loose, wildcard: None };
    close(root, addresses.len(), addresses, unchanged).unwrap_or(bare)
}

/// The length of the deepest folder of both addresses, in bytes.
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
    use super::super::address::AddressRules;
    use super::*;
    use crate::location::Prefix;

    /// A folder's name, its loose addresses, and what its wildcard costs: singles and unchanged keys.
    type Row = (String, usize, Option<(usize, usize)>);

    fn rows(keys: &[&str], kept: &[&str], prefix: &str) -> Vec<Row> {
        let prefix = Prefix::new(prefix).unwrap();
        let rules = AddressRules { prefix: prefix.clone(), clean_urls: false };
        let addresses = rules.addresses(keys.iter().copied());
        let unchanged = UnchangedKeys::new(kept.iter().copied(), &prefix);
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
    fn finds_folders_whose_wildcard_replaces_two_paths() {
        assert_eq!(rows(&["x"], &[], ""), [row("", 1, None)]);
        assert_eq!(rows(&["a/1", "b/1"], &["b/2"], ""), [row("", 2, Some((0, 1)))]);
        let keys = ["a/b/1", "a/b/2", "a/c/1", "a/c/2", "d/e/f/1", "d/e/f/2"];
        let expected = [
            row("", 0, Some((0, 1))),
            row("a/", 0, Some((0, 1))),
            row("a/b/", 2, Some((0, 0))),
            row("a/c/", 2, Some((0, 1))),
            row("d/e/f/", 2, Some((0, 0))),
        ];
        assert_eq!(rows(&keys, &["a/c/3"], ""), expected);
    }

    #[test]
    fn the_own_address_of_a_folder_keeps_its_path() {
        let expected = [row("", 1, Some((0, 0))), row("d/", 3, Some((1, 0)))];
        assert_eq!(rows(&["d/index.html", "d/x"], &[], ""), expected);
        assert_eq!(rows(&["d/index.html"], &[], ""), [row("", 3, Some((0, 0)))]);
    }

    #[test]
    fn folders_outside_the_site_have_no_wildcard() {
        let expected = [row("", 1, None), row("docs/", 3, Some((1, 1)))];
        assert_eq!(rows(&["index.html", "x"], &["y"], "docs"), expected);
    }
}
