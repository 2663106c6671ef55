//! Which folders become wildcards: the choice among all the ways to cover what has to be forgotten.
//!
//! Owns the choice, as one search: least unchanged keys cleared, then fewest paths; and where that does not fit into the
//! room, the lowest price of a path, in unchanged keys, at which it does. Never knows a key.
//!
//! For one price the best choice is found exactly, by going through the folders from the last to the first: a folder's
//! best is the better of its wildcard with what is best after it, and its loose addresses with what is best within it, for
//! each number of wildcards that is left. That takes folders times wildcards steps. The price is found by halving. A price
//! can miss a choice that lies between two prices, so what loses most is then forbidden, for as long as that finds less.
//! Folds that lose something are thereby near the least loss, not always at it: to find that is a knapsack problem.

use super::MAX_WILDCARDS;
use super::address::PathText;
use super::folder::{Folder, FolderCost, folders};
use super::path::CachePath;
use super::quota::PathQuota;
use super::unchanged::UnchangedKeys;

/// How often a fold that loses much is forbidden to see whether there is a better way.
const TRIES: usize = 16;

/// The paths that were chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoldedPaths {
    /// Sorted.
    pub(super) paths: Vec<CachePath>,
    /// Unchanged keys that they clear as well.
    pub(super) unchanged: usize,
}

/// Covers sorted addresses by paths that fit into the room, and by one path where none do.
pub(super) fn fold(addresses: &[PathText], unchanged: &UnchangedKeys<'_>, room: PathQuota) -> FoldedPaths {
    let folders = folders(addresses, unchanged);
    let mut search = FoldSearch {
        wildcards: room.wildcards.min(MAX_WILDCARDS),
        scale: addresses.len() as u128 + 1,
        most: (unchanged.len() as u128 + 1) * 2,
        folders: folders.clone(),
    };
    match search.best(room) {
        // Nothing is gained by one wildcard that clears more than it must.
        Some(chosen) if !(chosen.cost.wildcards == 1 && chosen.cost.singles == 0 && chosen.cost.unchanged > 0) => {
            let mut paths = written(addresses, &folders, &chosen.folds);
            paths.sort_unstable();
            FoldedPaths { paths, unchanged: chosen.cost.unchanged }
        }
        _ => one_path(addresses, unchanged, room),
    }
}

/// A set of folders that become wildcards, in their order, and what all paths cost then.
#[derive(Debug, Clone)]
struct ChosenWildcards {
    folds: Vec<usize>,
    cost: FolderCost,
    /// The price of a path at which this is best.
    price: u128,
}

impl ChosenWildcards {
    fn fits(&self, room: PathQuota) -> bool {
        self.cost.singles <= room.paths && self.cost.paths() <= room.free.max(1)
    }

    fn worth(&self) -> (usize, usize) {
        (self.cost.unchanged, self.cost.paths())
    }
}

struct FoldSearch {
    folders: Vec<Folder>,
    wildcards: usize,
    /// What one unchanged key counts where a path at price 1 counts 1: more than all paths together.
    scale: u128,
    /// The price, in keys, at which a path counts more than all keys together.
    most: u128,
}

/// The best from one folder on, for each number of wildcards that is left; `u128::MAX` where there is no way.
type Best = [u128; MAX_WILDCARDS + 1];

impl FoldSearch {
    /// The choice that fits and loses least.
    fn best(&mut self, room: PathQuota) -> Option<ChosenWildcards> {
        let least = self.at(1)?;
        if least.fits(room) {
            return Some(least);
        }
        let mut best = self.priced(room)?;
        let (mut current, mut tried) = (best.clone(), Vec::new());
        for _ in 0..TRIES {
            let untried = current.folds.iter().copied().filter(|fold| self.lost(*fold) > 0 && !tried.contains(fold));
            let Some(worst) = untried.max_by_key(|fold| self.lost(*fold)) else { break };
            tried.push(worst);
            let forbidden = self.folders.get_mut(worst).and_then(|folder| folder.wildcard.take());
            let same_price = self.at(current.price).filter(|chosen| chosen.fits(room));
            let other = same_price.into_iter().chain(self.priced(room)).min_by_key(ChosenWildcards::worth);
            // What loses as much may still lead to what loses less.
            if let Some(other) = other.filter(|other| other.cost.unchanged <= current.cost.unchanged) {
                current = other;
                if current.worth() < best.worth() {
                    best = current.clone();
                }
            } else if let Some(folder) = self.folders.get_mut(worst) {
                folder.wildcard = forbidden;
            }
        }
        Some(best)
    }

    /// The unchanged keys that a folder's wildcard clears.
    fn lost(&self, folder: usize) -> usize {
        self.folders.get(folder).and_then(|folder| folder.wildcard).map_or(0, |cost| cost.unchanged)
    }

    /// The choice at the lowest price at which it fits.
    fn priced(&self, room: PathQuota) -> Option<ChosenWildcards> {
        let fitting = |price| self.at(price).filter(|chosen| chosen.fits(room));
        let (mut low, mut high) = (0, self.scale * self.most);
        let mut best = fitting(high)?;
        while high - low > 1 {
            let middle = low.midpoint(high);
            match fitting(middle) {
                Some(chosen) => (best, high) = (chosen, middle),
                None => low = middle,
            }
        }
        Some(best)
    }

    /// The choice with the least sum of cleared keys and paths at a price.
    fn at(&self, price: u128) -> Option<ChosenWildcards> {
        let weight = |cost: FolderCost| cost.unchanged as u128 * self.scale + cost.paths() as u128 * price;
        // From the last folder to the first, so the best from folder `i` on is at `folders.len() - i`.
        let mut bests: Vec<Best> = Vec::with_capacity(self.folders.len() + 1);
        bests.push([0; MAX_WILDCARDS + 1]);
        let after = |bests: &[Best], index: usize, left: Option<usize>| {
            let best = bests.get(self.folders.len().checked_sub(index)?)?;
            best.get(left?).copied().filter(|weight| *weight < u128::MAX)
        };
        let ways = |bests: &[Best], index: usize, folder: &Folder, left: usize| {
            let loose = after(bests, index + 1, left.checked_sub(folder.loose.wildcards));
            let loose = loose.map_or(u128::MAX, |rest| rest + weight(folder.loose));
            let wildcard = folder
                .wildcard
                .and_then(|cost| Some(after(bests, folder.next, left.checked_sub(cost.wildcards))? + weight(cost)));
            (loose, wildcard.unwrap_or(u128::MAX))
        };
        for (index, folder) in self.folders.iter().enumerate().rev() {
            let mut best = [u128::MAX; MAX_WILDCARDS + 1];
            for (left, slot) in best.iter_mut().enumerate().take(self.wildcards + 1) {
                let (loose, wildcard) = ways(&bests, index, folder, left);
                *slot = loose.min(wildcard);
            }
            bests.push(best);
        }

        let mut chosen = ChosenWildcards { folds: Vec::new(), cost: FolderCost::default(), price };
        let (mut index, mut left) = (0, self.wildcards);
        while let Some(folder) = self.folders.get(index) {
            let (loose, wildcard) = ways(&bests, index, folder, left);
            let cost = match folder.wildcard.filter(|_| wildcard < loose) {
                Some(cost) => {
                    chosen.folds.push(index);
                    index = folder.next;
                    cost
                }
                None if loose < u128::MAX => {
                    index += 1;
                    folder.loose
                }
                None => return None,
            };
            left = left.checked_sub(cost.wildcards)?;
            chosen.cost.add(cost);
        }
        Some(chosen)
    }
}

/// The paths of a choice.
fn written(addresses: &[PathText], folders: &[Folder], folds: &[usize]) -> Vec<CachePath> {
    let mut paths = Vec::new();
    let mut folds = folds.iter().filter_map(|fold| folders.get(*fold)).peekable();
    let mut fold: Option<(&str, usize)> = None;
    for (index, address) in addresses.iter().enumerate() {
        if let Some(begun) = folds.next_if(|next| next.first == index) {
            let name = address.text.get(..begun.length).unwrap_or_default();
            paths.push(CachePath::below(name));
            fold = Some((name, begun.end));
        }
        let covered = fold.is_some_and(|(name, end)| index < end && address.is_below(name));
        match (covered, address.cut) {
            (true, _) => {}
            (false, true) => paths.push(CachePath::below(&address.text)),
            (false, false) => paths.push(CachePath::of(&address.text)),
        }
    }
    paths
}

/// The last resort: the longest beginning that all addresses share, which is `/*` for most sites. It is sent even where
/// there is no room for it, since nothing less covers; the one address of a single key stays itself if that fits better.
fn one_path(addresses: &[PathText], unchanged: &UnchangedKeys<'_>, room: PathQuota) -> FoldedPaths {
    if let [address] = addresses
        && !address.cut
        && (room.paths > 0 || room.wildcards == 0)
    {
        return FoldedPaths { paths: vec![CachePath::of(&address.text)], unchanged: 0 };
    }
    let mut stem = addresses.iter().map(|address| address.text.as_str()).reduce(shared_beginning).unwrap_or_default();
    // An address that is the beginning itself is not sure to be cleared: one character less, and it is.
    if addresses.iter().any(|address| !address.is_below(stem)) {
        stem = stem.char_indices().next_back().and_then(|(last, _)| stem.get(..last)).unwrap_or_default();
    }
    FoldedPaths { paths: vec![CachePath::below(stem)], unchanged: unchanged.cleared_by(stem) }
}

fn shared_beginning<'a>(a: &'a str, b: &'a str) -> &'a str {
    let same = a.chars().zip(b.chars()).take_while(|(one, other)| one == other);
    let length: usize = same.map(|(c, _)| c.len_utf8()).sum();
    a.get(..length).unwrap_or_default()
}
