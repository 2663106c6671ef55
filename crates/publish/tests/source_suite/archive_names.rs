//! Names of entries as archivers write them: a table of what APPNOTE.TXT says and what tools do, and Python's `zipfile` as
//! another writer and reader.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::support::*;

/// "Version made by" of tools for DOS and Windows.
const DOS: Option<u16> = Some(20);

fn raw(name: &[u8]) -> Entry {
    Entry { name: name.to_vec(), content: b"x".to_vec(), ..Entry::default() }
}

fn dos(name: &str) -> Entry {
    Entry { made_by: DOS, ..entry(name, if name.ends_with(['/', '\\']) { b"" } else { b"x" }) }
}

/// An entry whose headers both have an extra field.
fn with_field(entry: Entry, field: &[u8]) -> Entry {
    Entry { extra: field.to_vec(), local_extra: field.to_vec(), ..entry }
}

fn flagged(entry: Entry) -> Entry {
    Entry { flags: 1 << 11, ..entry }
}

/// The keys of an archive, or part of the error.
type Expected = Result<&'static [&'static str], &'static str>;

#[test]
fn reads_names_as_appnote_says_or_refuses_them() {
    let cafe = || raw(b"caf\x82.html");
    let wrong = |at: usize, value: u8| {
        let mut field = unicode_path(b"caf\x82.html", "b.html");
        field[at] = value;
        field
    };
    let two = [unicode_path(b"a.html", "b.html"), unicode_path(b"a.html", "c.html")].concat();
    let same = [unicode_path(b"a.html", "b.html"), unicode_path(b"a.html", "b.html")].concat();
    let cases: Vec<(&str, Vec<Entry>, Expected)> = vec![
        // `bsdtar`, Bazel, `find . | zip`.
        (
            "current folder",
            ["./", "./a/", "./a/b.css", "./index.html"].map(|name| entry(name, b"")).into(),
            Ok(&["a/b.css", "index.html"]),
        ),
        ("current folder within", vec![raw(b"a/./b"), raw(b"././c")], Ok(&["a/b", "c"])),
        ("one name in two forms", vec![raw(b"./a"), raw(b"a")], Err("duplicate name `a`")),
        ("content in the root", vec![raw(b"./")], Err("folder with content")),
        ("out of the root", vec![raw(b"./../a")], Err("`..`")),
        (
            "a file that is a folder",
            vec![raw(b"./a"), entry("a/", b"")],
            Err("`a` in the archive `x.zip` is a file, and a folder"),
        ),
        // .NET before 4.6.1, Windows PowerShell 5.
        (
            "separators of Windows",
            ["css\\style.css", "empty\\", "index.html"].map(dos).into(),
            Ok(&["css/style.css", "index.html"]),
        ),
        ("current folder of Windows", vec![dos(".\\a\\b")], Ok(&["a/b"])),
        ("two separators", vec![dos("a\\b"), dos("c/d")], Err("build the archive with PowerShell 7")),
        ("two systems", vec![dos("a\\b"), raw(b"c")], Err("build the archive with PowerShell 7")),
        ("a backslash of Unix", vec![raw(b"a\\b")], Err("'\\\\' is not allowed; rename the file")),
        ("a backslash of NTFS", vec![Entry { made_by: Some(0x0a14), ..raw(b"a\\b") }], Err("'\\\\' is not allowed")),
        ("a drive", vec![dos("C:\\x")], Err("drive letter")),
        ("the root of a drive", vec![dos("\\x")], Err("starts with `/`")),
        ("a share", vec![dos("\\\\server\\share\\x")], Err("starts with `/`")),
        ("out of the root on Windows", vec![dos("a\\..\\..\\x")], Err("`..`")),
        (
            "content in a folder of Windows",
            vec![Entry { content: b"x".to_vec(), ..dos("a\\") }],
            Err("folder with content"),
        ),
        // Code pages.
        ("code page 437", vec![cafe()], Ok(&["café.html"])),
        ("code page 437 of DOS", vec![Entry { made_by: DOS, ..cafe() }], Ok(&["café.html"])),
        ("UTF-8 without the flag", vec![raw("é.html".as_bytes())], Ok(&["é.html"])),
        ("UTF-8 of DOS without the flag", vec![dos("é.html")], Ok(&["é.html"])),
        ("UTF-8 with the flag", vec![flagged(raw("é.html".as_bytes()))], Ok(&["é.html"])),
        ("a flag that is wrong", vec![flagged(cafe())], Err("marked as UTF-8 and is not")),
        ("Shift JIS", vec![Entry { made_by: DOS, ..raw(b"\x83\x5c.html") }], Err("unknown code page")),
        ("a control character in a code page", vec![raw(b"\x82\x07")], Err("'\\u{7}' is not allowed")),
        ("one name in two encodings", vec![cafe(), raw("café.html".as_bytes())], Err("duplicate name")),
        // The Unicode path field, which Info-ZIP, WinZip and Commons Compress write.
        ("Unicode path", vec![with_field(cafe(), &unicode_path(b"caf\x82.html", "café.html"))], Ok(&["café.html"])),
        (
            "Unicode path of a code page",
            vec![with_field(raw(b"\xaf.html"), &unicode_path(b"\xaf.html", "п.html"))],
            Ok(&["п.html"]),
        ),
        (
            "Unicode path of an escape",
            vec![with_field(raw(b"#U00e9.html"), &unicode_path(b"#U00e9.html", "é.html"))],
            Ok(&["é.html"]),
        ),
        ("wrong checksum", vec![with_field(cafe(), &wrong(5, 0))], Ok(&["café.html"])),
        ("unknown version", vec![with_field(cafe(), &wrong(4, 2))], Ok(&["café.html"])),
        ("not UTF-8", vec![with_field(cafe(), &wrong(9, 0xff))], Err("not UTF-8")),
        ("cut off", vec![with_field(cafe(), &field(0x7075, &[1, 0, 0, 0]))], Err("cut off")),
        ("out of the root by the field", vec![with_field(raw(b"a"), &unicode_path(b"a", "../a"))], Err("`..`")),
        ("two fields", vec![with_field(raw(b"a.html"), &two)], Err("second name")),
        ("one field twice", vec![with_field(raw(b"a.html"), &same)], Ok(&["b.html"])),
        ("the flag, and the same name", vec![flagged(with_field(raw(b"a"), &unicode_path(b"a", "a")))], Ok(&["a"])),
        (
            "the flag, and another name",
            vec![flagged(with_field(raw(b"a"), &unicode_path(b"a", "b")))],
            Err("second name"),
        ),
        ("in the directory only", vec![Entry { extra: unicode_path(b"a", "b"), ..raw(b"a") }], Err("another name")),
        (
            "in the local header only",
            vec![Entry { local_extra: unicode_path(b"a", "b"), ..raw(b"a") }],
            Err("another name"),
        ),
    ];
    for (what, entries, expected) in cases {
        match (open(zip(&entries)), expected) {
            (Ok(opened), Ok(expected)) => assert_eq!(keys(&opened), expected, "{what}"),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{what}: {error}"),
            (Ok(opened), Err(_)) => panic!("{what}: {:?}", keys(&opened)),
            (Err(error), Ok(_)) => panic!("{what}: {error}"),
        }
    }
}

#[test]
fn reports_names_in_an_undeclared_code_page() {
    let opened = open(zip(&[raw(b"caf\x82.html"), raw(b"\x81.html"), raw(b"plain")])).unwrap();
    let [finding] = opened.findings.as_slice() else { panic!("{:?}", opened.findings) };
    assert_eq!(finding.code, "code-page-name");
    assert!(finding.message.starts_with("2 names, such as `café.html`, were read in code page 437"), "{finding}");
    assert!(open(zip(&[raw("é".as_bytes())])).unwrap().findings.is_empty());
}

#[test]
fn reads_every_byte_of_code_page_437_as_python_does() {
    let bytes = zip(&(0x80..=0xff).map(|byte| raw(&[b'x', byte])).collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zip");
    fs::write(&path, &bytes).unwrap();
    let script = "import sys, zipfile\nsys.stdout.reconfigure(encoding='utf-8')\n\
                  print('\\n'.join(zipfile.ZipFile(sys.argv[1]).namelist()))";
    let names = python(script, &path);
    let opened = open(bytes).unwrap();
    assert_eq!(names.split_terminator('\n').collect::<BTreeSet<_>>(), keys(&opened).into_iter().collect());
    assert_eq!(opened.artifact.len(), 128);
}

#[tokio::test]
async fn reads_what_python_writes() {
    // To a file, and as a stream, which has data descriptors.
    for writer in ["open(sys.argv[1], 'wb')", "Unseekable(sys.argv[1])"] {
        let script = format!(
            "import sys, zipfile\n\
             class Unseekable:\n\
             \x20   def __init__(self, path): self.file = open(path, 'wb')\n\
             \x20   def write(self, data): return self.file.write(data)\n\
             \x20   def flush(self): self.file.flush()\n\
             def entry(name, system, mode):\n\
             \x20   info = zipfile.ZipInfo(name)\n\
             \x20   info.create_system, info.external_attr, info.compress_type = system, mode << 16, 8\n\
             \x20   return info\n\
             target = {writer}\n\
             with zipfile.ZipFile(target, 'w') as archive:\n\
             \x20   archive.writestr(entry('./', 3, 0o40755), '')\n\
             \x20   archive.writestr(entry('./index.html', 3, 0o100644), 'page')\n\
             \x20   archive.writestr(entry('v2/ü.html', 0, 0), 'two')\n\
             \x20   archive.writestr(entry('latest', 3, 0o120777), 'v2')\n\
             \x20   archive.writestr(entry('v2/home.html', 3, 0o120777), '../index.html')\n\
             target.flush()\n"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.zip");
        python(&script, &path);
        let opened = open(fs::read(&path).unwrap()).unwrap();
        let all = read_all(&opened).await;
        let all: Vec<(&str, &[u8])> = all.iter().map(|(key, body)| (key.as_str(), body.as_slice())).collect();
        let expected: [(&str, &[u8]); 5] = [
            ("index.html", b"page"),
            ("latest/home.html", b"page"),
            ("latest/ü.html", b"two"),
            ("v2/home.html", b"page"),
            ("v2/ü.html", b"two"),
        ];
        assert_eq!(all, expected, "{writer}");
    }
}

/// What a Python script prints, which gets a path.
fn python(script: &str, path: &std::path::Path) -> String {
    let output = Command::new("python3").args(["-c", script]).arg(path).output().expect("python3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
