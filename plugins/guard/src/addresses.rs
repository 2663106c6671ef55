//! Finds objects with the same address for visitors: `about`, `about.html` and `about/index.html`.
//!
//! Keys come in order, so all keys with a common prefix are adjacent, and all keys of an address start with it. An
//! address is complete when a key comes that does not start with it.

/// Limit of the addresses that a finding names.
const MAX_NAMED: usize = 5;

/// Addresses that several objects share.
#[derive(Debug, Default)]
pub(crate) struct SharedAddresses {
    /// Addresses that may get more keys. Each starts with the previous one.
    open: Vec<OpenAddress>,
    found: Vec<String>,
    more: u64,
}

#[derive(Debug)]
struct OpenAddress {
    /// The first key, which starts with the address.
    key: String,
    /// The length of the address.
    length: usize,
    /// Further keys.
    others: Vec<String>,
}

impl OpenAddress {
    fn text(&self) -> &str {
        self.key.get(..self.length).unwrap_or(&self.key)
    }
}

/// The shortest address of a key; `None` for a key that is not a page.
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

impl SharedAddresses {
    /// Adds the next key.
    pub(crate) fn add(&mut self, key: &str) {
        while let Some(last) = self.open.pop_if(|last| !key.starts_with(last.text())) {
            self.close(&last);
        }
        let Some(address) = address(key) else { return };
        // All of them start the key now, so those of one length are equal.
        match self.open.iter_mut().find(|open| open.length == address.len()) {
            Some(open) => open.others.push(key.to_owned()),
            None => {
                self.open.push(OpenAddress { key: key.to_owned(), length: address.len(), others: Vec::new() });
            }
        }
    }

    fn close(&mut self, address: &OpenAddress) {
        if address.others.is_empty() {
            return;
        }
        if self.found.len() < MAX_NAMED {
            let keys: Vec<String> =
                [&address.key].into_iter().chain(&address.others).map(|key| format!("`{key}`")).collect();
            self.found.push(format!("{} for `/{}`", keys.join(" and "), address.text()));
        } else {
            self.more += 1;
        }
    }

    /// The message about shared addresses, if there are any.
    pub(crate) fn finish(&mut self) -> Option<String> {
        while let Some(last) = self.open.pop() {
            self.close(&last);
        }
        if self.found.is_empty() {
            return None;
        }
        let more = match self.more {
            0 => String::new(),
            1 => "; and 1 more address".to_owned(),
            more => format!("; and {more} more addresses"),
        };
        Some(format!(
            "several objects have the same address, so the server decides which one visitors get: {}{more}; keep one of \
             each, or redirect one to the other",
            self.found.join("; ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::{SharedAddresses, address};

    fn message(keys: &[&str]) -> Option<String> {
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        let mut addresses = SharedAddresses::default();
        sorted.iter().for_each(|key| addresses.add(key));
        addresses.finish()
    }

    #[test]
    fn an_address_has_no_extension_and_no_index() {
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
    fn finds_keys_of_one_address_with_other_keys_in_between() {
        let all = message(&[
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
        assert!(message(&["a/b.html", "a/b/c.html", "a/b/c/index.html"]).unwrap().contains("for `/a/b/c`"));
        assert_eq!(message(&["index.html", "about.html", "about/team.html", "contact/index.html", "style.css"]), None);
    }

    #[test]
    fn the_message_names_a_few_addresses() {
        let keys: Vec<String> = (0..40).flat_map(|n| [format!("{n:02}.html"), format!("{n:02}/index.html")]).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let message = message(&keys).unwrap();
        assert!(
            message.contains("`04.html`") && !message.contains("`05.html`") && message.contains("35 more addresses"),
            "{message}"
        );
    }
}
