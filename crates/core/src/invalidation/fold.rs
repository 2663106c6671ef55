//! Chooses the folders that become wildcards: fewest unchanged keys cleared, then fewest paths, within the quota.
//!
//! If the best choice exceeds the quota, each path gets a price in unchanged keys, and the search takes the lowest price at
//! which the choice fits.
//!
//! For one price the best choice is exact. Going from the last folder to the first, for each number of wildcards left, the
//! best from a folder on is the better of its wildcard plus the best after the folder, and its loose addresses plus the
//! best within it. That takes folders × wildcards steps. The price is found by bisection. A price can skip a choice between
//! two prices, so the folder that clears most unchanged keys is then forbidden, as long as that improves the choice. Finding
//! the optimum is a knapsack problem, so a choice that clears unchanged keys is near the optimum, not always at it.

use percent_encoding::percent_decode_str;

use super::address::Address;
use super::folder::{Folder, FolderCost, folders};
use super::path::CachePath;
use super::quota::{MAX_WILDCARDS, PathQuota};
use super::spelling::SPELLINGS;
use super::unchanged::UnchangedKeys;

/// How many folders are forbidden, one after the other, to find a better choice.
const TRIES: usize = 16;

/// The chosen paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoldedPaths {
    /// Sorted.
    pub(super) paths: Vec<CachePath>,
    /// Unchanged keys that they clear too.
    pub(super) unchanged: usize,
}

/// Covers sorted addresses with paths within the quota, or with a single path if that is impossible.
pub(super) fn fold(addresses: &[Address], unchanged: &UnchangedKeys<'_>, quota: PathQuota) -> FoldedPaths {
    let folders = folders(addresses, unchanged);
    let mut search = FoldSearch {
        wildcards: quota.wildcards.min(MAX_WILDCARDS),
        scale: addresses.len() as u128 + 1,
        max_price: (unchanged.len() as u128 * SPELLINGS.len() as u128 + 1) * 2,
        folders: folders.clone(),
    };
    match search.best(quota) {
        // A single wildcard that clears unchanged keys is no better than the single path.
        Some(chosen) if !(chosen.cost.wildcards == 1 && chosen.cost.singles == 0 && chosen.cost.unchanged > 0) => {
            let mut paths = paths(addresses, &folders, &chosen.folders);
            paths.sort_unstable();
            FoldedPaths { paths, unchanged: chosen.cost.unchanged }
        }
        _ => one_path(addresses, unchanged, quota),
    }
}

/// The folders that become wildcards, in order, and the cost of all paths.
#[derive(Debug, Clone)]
struct ChosenWildcards {
    folders: Vec<usize>,
    cost: FolderCost,
    /// The price of a path at which this choice is best.
    price: u128,
}

impl ChosenWildcards {
    fn fits(&self, quota: PathQuota) -> bool {
        self.cost.singles <= quota.paths && self.cost.paths() <= quota.free.max(1)
    }

    /// Less is better.
    fn rank(&self) -> (usize, usize) {
        (self.cost.unchanged, self.cost.paths())
    }
}

struct FoldSearch {
    folders: Vec<Folder>,
    wildcards: usize,
    /// The weight of an unchanged key relative to a path at price 1: more than all paths together.
    scale: u128,
    /// The price, in keys, at which a path weighs more than all keys together in all spellings.
    max_price: u128,
}

/// The smallest weight from a folder on, for each number of wildcards left; `u128::MAX` if there is no choice.
type Best = [u128; MAX_WILDCARDS + 1];

impl FoldSearch {
    /// The best choice within the quota.
    fn best(&mut self, quota: PathQuota) -> Option<ChosenWildcards> {
        let ideal = self.at(1)?;
        if ideal.fits(quota) {
            return Some(ideal);
        }
        let mut best = self.cheapest(quota)?;
        let (mut current, mut tried) = (best.clone(), Vec::new());
        for _ in 0..TRIES {
            let untried = current.folders.iter().copied().filter(|at| self.unchanged(*at) > 0 && !tried.contains(at));
            let Some(worst) = untried.max_by_key(|at| self.unchanged(*at)) else { break };
            tried.push(worst);
            let forbidden = self.folders.get_mut(worst).and_then(|folder| folder.wildcard.take());
            let same_price = self.at(current.price).filter(|chosen| chosen.fits(quota));
            let other = same_price.into_iter().chain(self.cheapest(quota)).min_by_key(ChosenWildcards::rank);
            // An equal choice can lead to a better one.
            if let Some(other) = other.filter(|other| other.cost.unchanged <= current.cost.unchanged) {
                current = other;
                if current.rank() < best.rank() {
                    best = current.clone();
                }
            } else if let Some(folder) = self.folders.get_mut(worst) {
                folder.wildcard = forbidden;
            }
        }
        Some(best)
    }

    /// How many unchanged keys the wildcard of a folder clears.
    fn unchanged(&self, folder: usize) -> usize {
        self.folders.get(folder).and_then(|folder| folder.wildcard).map_or(0, |cost| cost.unchanged)
    }

    /// The best choice at the lowest price at which it is within the quota.
    fn cheapest(&self, quota: PathQuota) -> Option<ChosenWildcards> {
        let fitting = |price| self.at(price).filter(|chosen| chosen.fits(quota));
        let (mut low, mut high) = (0, self.scale * self.max_price);
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

    /// The choice with the smallest weight of cleared keys and paths at a price.
    fn at(&self, price: u128) -> Option<ChosenWildcards> {
        let weight = |cost: FolderCost| cost.unchanged as u128 * self.scale + cost.paths() as u128 * price;
        // Filled from the last folder to the first, so the best from folder `i` on is at `folders.len() - i`.
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

        let mut chosen = ChosenWildcards { folders: Vec::new(), cost: FolderCost::default(), price };
        let (mut index, mut left) = (0, self.wildcards);
        while let Some(folder) = self.folders.get(index) {
            let (loose, wildcard) = ways(&bests, index, folder, left);
            let cost = match folder.wildcard.filter(|_| wildcard < loose) {
                Some(cost) => {
                    chosen.folders.push(index);
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
fn paths(addresses: &[Address], folders: &[Folder], chosen: &[usize]) -> Vec<CachePath> {
    let mut paths = Vec::new();
    let mut chosen = chosen.iter().filter_map(|at| folders.get(*at)).peekable();
    let mut wildcard: Option<(&str, usize)> = None;
    for (index, address) in addresses.iter().enumerate() {
        if let Some(folder) = chosen.next_if(|next| next.first == index) {
            let name = address.text.get(..folder.length).unwrap_or_default();
            paths.push(CachePath::below(name));
            wildcard = Some((name, folder.end));
        }
        let covered = wildcard.is_some_and(|(name, end)| index < end && address.is_below(name));
        match (covered, address.truncated) {
            (true, _) => {}
            (false, true) => paths.push(CachePath::below(&address.text)),
            (false, false) => paths.push(CachePath::of(&address.text)),
        }
    }
    paths
}

/// The last resort, even beyond the quota: a wildcard after the longest common beginning of all addresses, which is `/*` for
/// most sites. A single address gets its own path if the quota allows that.
fn one_path(addresses: &[Address], unchanged: &UnchangedKeys<'_>, quota: PathQuota) -> FoldedPaths {
    if let [address] = addresses
        && !address.truncated
        && (quota.paths > 0 || quota.wildcards == 0)
    {
        return FoldedPaths { paths: vec![CachePath::of(&address.text)], unchanged: 0 };
    }
    let mut stem = addresses.iter().map(|address| address.text.as_str()).reduce(common_beginning).unwrap_or_default();
    // A wildcard may not clear an address that equals the stem (see `Address::is_below`), so shorten the stem.
    if addresses.iter().any(|address| !address.is_below(stem)) {
        stem = stem.get(..stem.len().saturating_sub(1)).unwrap_or_default();
    }
    let stem = whole_characters(stem);
    FoldedPaths { paths: vec![CachePath::below(stem)], unchanged: unchanged.cleared_by(stem) }
}

fn common_beginning<'a>(a: &'a str, b: &'a str) -> &'a str {
    // Encoded addresses are ASCII.
    let length = a.bytes().zip(b.bytes()).take_while(|(one, other)| one == other).count();
    a.get(..length).unwrap_or_default()
}

/// An encoded text without an escape or a character that is cut at its end.
fn whole_characters(mut stem: &str) -> &str {
    loop {
        let Some(escape) = stem.rfind('%') else { return stem };
        if stem.len() - escape >= 3 && percent_decode_str(stem).decode_utf8().is_ok() {
            return stem;
        }
        stem = stem.get(..escape).unwrap_or_default();
    }
}
