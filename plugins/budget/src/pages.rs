//! The weight of pages: what each loads, by the sizes of the objects of the site.

use tidegate_plugin_references::{Base, KeyMap, KeySet, PageReferences, ReferenceTarget, Role, key_hash};

/// Limit of what all pages together load: 16 MB.
const MAX_LOADS: usize = 2_000_000;

/// The pages that were read, and the sizes of all objects.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    sizes: KeyMap<u64>,
    assets: Vec<Box<str>>,
    /// Positions in `assets`.
    known: KeyMap<u32>,
    pages: Vec<LoadedPage>,
    loads: usize,
    /// Pages that were not kept because of the limit.
    pub(crate) unchecked: u64,
}

/// A page and the assets that it loads, without repeated ones.
#[derive(Debug)]
struct LoadedPage {
    key: Box<str>,
    size: u64,
    loads: Box<[(u32, Role)]>,
}

/// The weight of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageWeight {
    pub(crate) key: String,
    /// In the order of the limits: all, scripts, styles, images, fonts.
    pub(crate) sizes: [u64; 5],
    pub(crate) requests: u64,
    /// What it loads, with sizes and roles, the largest first.
    pub(crate) assets: Vec<(String, u64, Role)>,
}

impl Pages {
    /// Adds an object that the site will have.
    pub(crate) fn add_object(&mut self, key: &str, size: u64) {
        self.sizes.insert(key_hash(&[key]), size);
    }

    /// Adds a page with what it loads.
    pub(crate) fn add_page(&mut self, key: &str, size: u64, found: &PageReferences, hosts: &[String]) {
        let base = Base::of_page(key).with_base(found.base.as_deref(), hosts);
        let mut loads = Vec::new();
        let mut seen = KeySet::from_iter([key_hash(&[key])]);
        for reference in found.references.iter().filter(|reference| reference.role.is_loaded()) {
            if let ReferenceTarget::Local(path) = base.resolve(&reference.text, hosts)
                && seen.insert(key_hash(&[&path]))
            {
                loads.push((self.asset(path), reference.role));
            }
        }
        if self.loads + loads.len() > MAX_LOADS {
            self.unchecked += 1;
            return;
        }
        self.loads += loads.len();
        self.pages.push(LoadedPage { key: key.into(), size, loads: loads.into() });
    }

    fn asset(&mut self, path: String) -> u32 {
        let Self { assets, known, .. } = self;
        *known.entry(key_hash(&[&path])).or_insert_with(|| {
            assets.push(path.into());
            u32::try_from(assets.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// The weight of each page, in the order of keys.
    pub(crate) fn weights(&self) -> impl Iterator<Item = PageWeight> + '_ {
        self.pages.iter().map(|page| self.weight(page))
    }

    fn weight(&self, page: &LoadedPage) -> PageWeight {
        let mut assets: Vec<(String, u64, Role)> = page
            .loads
            .iter()
            .filter_map(|(asset, role)| {
                let path = self.assets.get(*asset as usize)?;
                // A frame can be a folder.
                let index = if path.is_empty() || path.ends_with('/') { "index.html" } else { "" };
                let size = self.sizes.get(&key_hash(&[path, index]))?;
                Some((format!("{path}{index}"), *size, *role))
            })
            .collect();
        let of =
            |role: Role| assets.iter().filter(|(_, _, known)| *known == role).map(|(_, size, _)| size).sum::<u64>();
        let all = assets.iter().map(|(_, size, _)| size).sum::<u64>();
        let sizes = [page.size + all, of(Role::Script), of(Role::Style), of(Role::Image), of(Role::Font)];
        let requests = assets.len() as u64 + 1;
        assets.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        PageWeight { key: page.key.to_string(), sizes, requests, assets }
    }
}
