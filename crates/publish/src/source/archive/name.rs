//! Names of entries: what the bytes of a header say, and where that is in the tree.
//!
//! Source of the rules: PKWARE, APPNOTE.TXT 6.3.10, sections 4.4.17, 4.6.9 and D. Where it leaves a choice, names are
//! read as Info-ZIP's `unzip`, libarchive, 7-Zip and Python agree to read them; where they disagree, refused.

use std::borrow::Cow;

use rawzip::ZipFileHeaderRecord;
use rawzip::extra_fields::{ExtraFieldId, ExtraFields};
use tidegate_core::key::{Key, MAX_KEY_BYTES};
use tidegate_core::sanitize::sanitize_name;

/// The characters of the bytes from 0x80 in IBM's code page 437, in which names are without another declaration.
const CODE_PAGE_437: &str = "\
    ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// The version of the Unicode path field that APPNOTE describes.
const UNICODE_PATH_VERSION: u8 = 1;

/// An entry's name as text, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryName<'a> {
    pub(super) text: Cow<'a, str>,
    /// Whether it was read in code page 437, which the archive does not declare.
    pub(super) from_code_page: bool,
}

impl<'a> EntryName<'a> {
    /// A name that cannot be decoded, for patterns and messages.
    pub(super) fn lossy(raw: &'a [u8]) -> Self {
        Self { text: String::from_utf8_lossy(raw), from_code_page: false }
    }

    /// The name that a header gives to an entry, or why it gives more or less than one.
    ///
    /// A valid Unicode path field has the name. Without one, the header has it, in UTF-8 if it says so by its flag. Without
    /// the flag, a name that is valid UTF-8 is read as UTF-8: tools on macOS and Unix write UTF-8 without the flag, and
    /// text in a code page is hardly ever valid UTF-8. All other names are in code page 437.
    pub(super) fn decode(raw: &'a [u8], is_utf8: bool, fields: ExtraFields<'a>) -> Result<Self, String> {
        let refuse = |why: &str| Err(format!("the name `{}` {why}", sanitize_name(&String::from_utf8_lossy(raw))));
        let plain = |text| Ok(Self { text: Cow::Borrowed(text), from_code_page: false });
        let mut unicode = None;
        for (_, data) in fields.filter(|(field, _)| *field == ExtraFieldId::INFO_ZIP_UNICODE_PATH) {
            let Some((version, Some((checksum, name)))) =
                data.split_first().map(|(v, rest)| (*v, rest.split_first_chunk()))
            else {
                return refuse("has an extra field that is cut off; build the archive again");
            };
            // A field of another version, or of a name that a tool has changed since, is ignored.
            if version != UNICODE_PATH_VERSION || u32::from_le_bytes(*checksum) != rawzip::crc32(raw) {
                continue;
            }
            let Ok(name) = std::str::from_utf8(name) else {
                return refuse("has a Unicode name that is not UTF-8; build the archive again");
            };
            if unicode.is_some_and(|other| other != name) || (is_utf8 && name.as_bytes() != raw) {
                return refuse("has a second name in an extra field; build the archive again");
            }
            unicode = Some(name);
        }
        match (unicode, std::str::from_utf8(raw)) {
            (Some(name), _) | (None, Ok(name)) => plain(name),
            (None, Err(_)) if is_utf8 => refuse("is marked as UTF-8 and is not; build the archive again"),
            (None, Err(_)) if raw.len() > MAX_KEY_BYTES => refuse("is too long"),
            (None, Err(_)) => {
                Ok(Self { text: raw.iter().map(|byte| character(*byte)).collect(), from_code_page: true })
            }
        }
    }
}

/// A byte's character in code page 437.
fn character(byte: u8) -> char {
    let high = byte.checked_sub(0x80).and_then(|at| CODE_PAGE_437.chars().nth(at.into()));
    high.unwrap_or(char::from(byte))
}

/// What the names of an archive show about the tool that built it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Separators {
    slash: bool,
    /// Whether every entry was made on DOS or Windows, by a tool that does not know Unix.
    dos: bool,
}

impl Default for Separators {
    fn default() -> Self {
        Self { slash: false, dos: true }
    }
}

impl Separators {
    pub(super) fn add(&mut self, central: &ZipFileHeaderRecord<'_>, name: &EntryName<'_>) {
        self.slash |= name.text.contains('/');
        self.dos &= is_dos(central);
    }

    /// Whether `\` separates folders. .NET before 4.6.1, which Windows PowerShell uses, wrote such archives.
    fn is_backslash(self) -> bool {
        self.dos && !self.slash
    }
}

/// Whether the host system in "version made by" is DOS.
pub(super) fn is_dos(central: &ZipFileHeaderRecord<'_>) -> bool {
    central.version_made_by().as_u16() >> 8 == 0
}

/// Where an entry is in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryPath {
    File(Key),
    Folder(Key),
    /// The folder of everything, which archivers write as `./`.
    Root,
    /// Nowhere, because a pattern excludes the entry.
    Excluded,
}

impl EntryPath {
    /// The place of an entry, or why it has none. Segments `.` are left out: `bsdtar`, Bazel and others write
    /// `./index.html`.
    pub(super) fn new(name: &EntryName<'_>, separators: Separators, is_dos: bool) -> Result<Self, String> {
        let shown = || sanitize_name(&name.text);
        if name.text.is_empty() {
            return Err("an entry has no name; remove it".to_owned());
        }
        let mut path = Cow::Borrowed(&*name.text);
        if path.contains('\\') {
            if name.from_code_page {
                return Err(format!(
                    "the name `{}` is in an unknown code page, in which `\\` may be part of a character; build the archive \
                     with UTF-8 names",
                    shown()
                ));
            }
            if separators.is_backslash() {
                path = path.replace('\\', "/").into();
            } else if is_dos {
                return Err(format!(
                    "the name `{}` has a `\\`, which may separate folders or be part of the name; build the archive with \
                     PowerShell 7, .NET 4.6.1 or later, `tar -a` or 7-Zip",
                    shown()
                ));
            }
        }
        let path: String = path.split_inclusive('/').filter(|segment| *segment != "./").collect();
        let has_drive = matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
        if has_drive {
            return Err(format!("the name `{}` starts with a drive letter; make it relative", shown()));
        }
        let key = |key: &str| {
            Key::new(key).map_err(|error| {
                if path == name.text { error.to_string() } else { format!("the name `{}`: {error}", shown()) }
            })
        };
        match path.strip_suffix('/') {
            None if path.is_empty() => Ok(Self::Root),
            None => key(&path).map(Self::File),
            Some(folder) => key(folder).map(Self::Folder),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(text: &str) -> EntryName<'_> {
        EntryName { text: text.into(), from_code_page: false }
    }

    /// The path of an entry, with a `/` after that of a folder.
    fn path(name: &str, separators: Separators, is_dos: bool) -> Result<String, String> {
        EntryPath::new(&plain(name), separators, is_dos).map(|path| match path {
            EntryPath::File(key) => key.to_string(),
            EntryPath::Folder(key) => format!("{key}/"),
            EntryPath::Root | EntryPath::Excluded => String::new(),
        })
    }

    fn read(name: &str) -> Result<String, String> {
        path(name, Separators { slash: true, dos: false }, false)
    }

    #[test]
    fn current_folders_are_left_out_and_nothing_else() {
        for (name, expected) in [
            ("./index.html", "index.html"),
            ("././a/./b", "a/b"),
            ("./", ""),
            ("a/./", "a/"),
            (".well-known/x", ".well-known/x"),
            ("a./b", "a./b"),
            ("...", "..."),
        ] {
            assert_eq!(read(name).as_deref(), Ok(expected), "{name}");
        }
        for name in
            [".", "..", "./..", "../x", "./../x", "a/../b", "a/.", ".//x", "a//b", "/", "/x", "./C:/x", "", "x\0"]
        {
            assert!(read(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn every_byte_has_its_own_character() {
        let all: std::collections::BTreeSet<char> = (0..=u8::MAX).map(character).collect();
        assert_eq!(all.len(), 256);
        assert_eq!((character(b'a'), character(0x82), character(0xe1), character(0xff)), ('a', 'é', 'ß', '\u{a0}'));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// However a name is written, it is refused, or it is what a file system would make of it.
        #[test]
        fn a_path_is_what_a_file_system_would_make_of_the_name(name in r"([ab.é:\\/]|\./|\.\./){0,12}") {
            for windows in [false, true] {
                let separators = Separators { slash: !windows, dos: windows };
                let Ok(read) = path(&name, separators, windows) else { continue };
                let written = if windows { name.replace('\\', "/") } else { name.clone() };
                let segments: Vec<&str> = written.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
                prop_assert_eq!(read.trim_end_matches('/'), segments.join("/"));
                prop_assert!(!read.starts_with('/') && !segments.contains(&".."));
                // Reading it again changes nothing.
                if !read.is_empty() {
                    prop_assert_eq!(path(&read, separators, windows), Ok(read.clone()));
                }
            }
        }

        #[test]
        fn every_name_is_decoded_or_refused(raw in prop::collection::vec(any::<u8>(), 0..40), is_utf8 in any::<bool>()) {
            let decoded = EntryName::decode(&raw, is_utf8, ExtraFields::new(&[]));
            match std::str::from_utf8(&raw) {
                Ok(text) => prop_assert_eq!(decoded, Ok(plain(text))),
                Err(_) if is_utf8 => prop_assert!(decoded.is_err()),
                Err(_) => {
                    let decoded = decoded.unwrap();
                    prop_assert!(decoded.from_code_page);
                    prop_assert_eq!(decoded.text.chars().count(), raw.len());
                }
            }
        }
    }
}
