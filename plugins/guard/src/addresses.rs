//! Objects that a visitor could mean by one address: `about`, `about.html` and `about/index.html`.
//!
//! Owns finding them while keys go by in their order. What has gone by is forgotten: the keys of one address all begin with
//! it, and keys that begin alike stand together, so that only addresses that begin the last key can still grow.

/// How many addresses a report names.
const MOST_NAMED: usize = 5;

/// The addresses of several objects.
#[derive(Debug, Default)]
pub(crate) struct ForbiddenPaths {
    /// Each begins with the one before it.
    open: Vec<ForbiddenPath>,
    found: Vec<String>,
    more: u64,
}

#[derive(Debug)]
struct ForbiddenPath {
    text: String,
    keys: Vec<String>,
}

/// What a visitor who leaves everything out that can be left out asks for. Nothing for what is no page.
fn address(key: &str) -> Option<&str> {
    let name = key.rsplit('/').next().unwrap_or(key);
    if name == "index.html" {
        return key.strip_suffix("/index.html");
    }
    match key.strip_suffix(".html") {
        Some(address) => Some(address).filter(|address| !address.is_empty() && !address.ends_with('/')),
        None => Some(key).filter(|_| !name.contains('.')),
    }
}

impl ForbiddenPaths {
    /// Notes the next key.
    pub(crate) fn see(&mut self, key: &str) {
        while let Some(last) = self.open.pop_if(|last| !key.starts_with(&last.text)) {
            self.close(&last);
        }
        let Some(address) = address(key) else { return };
        match self.open.iter_mut().find(|open| open.text == address) {
            Some(open) => open.keys.push(key.to_owned()),
            None => self.open.push(ForbiddenPath { text: address.to_owned(), keys: vec![key.to_owned()] }),
        }
    }

    fn close(&mut self, address: &ForbiddenPath) {
        if address.keys.len() < 2 {
            return;
        }
        if self.found.len() < MOST_NAMED {
            let keys: Vec<String> = address.keys.iter().map(|key| format!("`{key}`")).collect();
            self.found.push(format!("{} for `/{}`", keys.join(" and "), address.text));
        } else {
            self.more += 1;
        }
    }

    /// What a person should know, if anything.
    pub(crate) fn finish(&mut self) -> Option<String> {
        while let Some(last) = self.open.pop() {
            self.close(&last);
        }
        if self.found.is_empty() {
            return None;
        }
        let more = if self.more > 0 { format!("; and {} more addresses", self.more) } else { String::new() };
        Some(format!(
            "several objects stand for one address, and what serves the site decides which of them a visitor gets: \
             {}{more}; keep one of each, or let one redirect to the other",
            self.found.join("; ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::{ForbiddenPaths, address};

    fn told(keys: &[&str]) -> Option<String> {
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        let mut addresses = ForbiddenPaths::default();
        sorted.iter().for_each(|key| addresses.see(key));
        addresses.finish()
    }

    #[test]
    fn an_address_leaves_out_what_can_be_left_out() {
        for (key, expected) in [
            ("about", Some("about")),
            ("about.html", Some("about")),
            ("about/index.html", Some("about")),
            ("a/b.c/index.html", Some("a/b.c")),
            ("index.html", None),
            (".html", None),
            ("a/.html", None),
            ("about.css", None),
            ("CNAME", Some("CNAME")),
        ] {
            assert_eq!(address(key), expected, "{key}");
        }
    }

    #[test]
    fn keys_of_one_address_are_found_whatever_stands_between_them() {
        let all = told(&[
            "about",
            "about-us.html",
            "about.css",
            "about.html",
            "about.html5",
            "about/a.html",
            "about/index.html",
        ]);
        let all = all.unwrap();
        assert!(all.contains("`about` and `about.html` and `about/index.html` for `/about`"), "{all}");
        assert!(!all.contains("about-us") && !all.contains("more addresses"), "{all}");
        assert!(told(&["a/b.html", "a/b/c.html", "a/b/c/index.html"]).unwrap().contains("for `/a/b/c`"));
        assert_eq!(told(&["index.html", "about.html", "about/team.html", "contact/index.html", "style.css"]), None);
    }

    #[test]
    fn a_site_of_nothing_else_stays_a_short_message() {
        let keys: Vec<String> = (0..40).flat_map(|n| [format!("{n:02}.html"), format!("{n:02}/index.html")]).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let said = told(&keys).unwrap();
        assert!(
            said.contains("`04.html`") && !said.contains("`05.html`") && said.contains("35 more addresses"),
            "{said}"
        );
    }
}
