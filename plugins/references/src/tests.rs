//! Pages and style sheets as sites have them, and URLs beside a well-known parser.

use html5gum::Token;
use proptest::prelude::*;

use super::tags::PageEvent;
use super::{Base, ReferenceTarget, Role, is_page, page, style_sheet};

fn in_page(html: &str) -> Vec<(String, Role)> {
    page(html.as_bytes()).references.into_iter().map(|reference| (reference.text, reference.role)).collect()
}

fn in_css(css: &str) -> Vec<(String, Role)> {
    style_sheet(css.as_bytes()).into_iter().map(|reference| (reference.text, reference.role)).collect()
}

#[test]
fn finds_references_in_pages() {
    use Role::{Alternative, Font, Image, Link, Other, Script, Style};
    let table: &[(&str, &[(&str, Role)])] = &[
        ("<a href=x>", &[("x", Link)]),
        ("<A HREF='x?a=1&amp;b=2#c'>", &[("x?a=1&b=2#c", Link)]),
        ("<a href=a href=b>", &[("a", Link)]),
        ("<a href>", &[("", Link)]),
        ("<a name=x><a>", &[]),
        ("<area href=/x>", &[("/x", Link)]),
        (
            "<img src=a.png srcset='a-1.png 1x, a-2.png 2x'>",
            &[("a.png", Image), ("a-1.png", Alternative), ("a-2.png", Alternative)],
        ),
        ("<img srcset='a,b.png 1x,c.png'>", &[("a,b.png", Alternative), ("c.png", Alternative)]),
        (
            "<source src=a.mp4><source srcset=' a.avif , b.avif (x, y) 2x'>",
            &[("a.mp4", Alternative), ("a.avif", Alternative), ("b.avif", Alternative)],
        ),
        (
            "<link rel=stylesheet href=a.css><link rel='ALTERNATE Stylesheet' href=b.css>",
            &[("a.css", Style), ("b.css", Alternative)],
        ),
        (
            "<link href=f.woff2 rel=preload as=font crossorigin><link rel=modulepreload href=m.js>",
            &[("f.woff2", Font), ("m.js", Script)],
        ),
        ("<link rel='shortcut icon' href=i.ico><link rel=dns-prefetch href=//cdn>", &[("i.ico", Image)]),
        ("<link rel=canonical href=/c><link rel=preconnect href=/d>", &[("/c", Link)]),
        ("<script src=a.js></script><script>let a = '<img src=no.png>'</script>", &[("a.js", Script)]),
        ("<!-- <img src=no.png> --><textarea><a href=no></textarea><title><a href=no></title>", &[]),
        (
            "<video src=v.mp4 poster=p.jpg><track src=t.vtt></video><audio src=a.ogg>",
            &[("v.mp4", Other), ("p.jpg", Image), ("t.vtt", Alternative), ("a.ogg", Other)],
        ),
        (
            "<iframe src=f.html></iframe><embed src=e.svg><object data=o.pdf></object>",
            &[("f.html", Other), ("e.svg", Other), ("o.pdf", Other)],
        ),
        ("<input type=image src=b.png><input src=no.png>", &[("b.png", Image)]),
        ("<svg><use href='s.svg#a'/><image xlink:href=i.png /></svg>", &[("s.svg#a", Image), ("i.png", Image)]),
        ("<p style='background:url(&quot;b.png&quot;)'>", &[("b.png", Image)]),
        (
            "<style>@import 'a.css'; p { background: url( b.png ) }</style><p>url(no.png)",
            &[("a.css", Style), ("b.png", Image)],
        ),
        ("<meta http-equiv=Refresh content=\"5; URL='/new/'\"><meta http-equiv=refresh content=5>", &[("/new/", Link)]),
        ("<form action=/no><blockquote cite=no>", &[]),
        ("<a href='x", &[]),
    ];
    for (html, expected) in table {
        let expected: Vec<(String, Role)> = expected.iter().map(|(text, role)| ((*text).to_owned(), *role)).collect();
        assert_eq!(in_page(html), expected, "{html}");
    }
    assert_eq!(page(b"<base target=x><base href=/a/><base href=/b/>").base.as_deref(), Some("/a/"));
}

#[test]
fn finds_references_in_style_sheets() {
    use Role::{Font, Image, Style};
    let table: &[(&str, &[(&str, Role)])] = &[
        ("a{background:url(x.png)}", &[("x.png", Image)]),
        ("a{background:URL( 'x y.png' )}", &[("x y.png", Image)]),
        ("@import url(a.css) screen; @import \"b.css\";", &[("a.css", Style), ("b.css", Style)]),
        (
            "@font-face{font-family:'F';src:local('F'),url(f.woff2) format('woff2')} a{b:url(c)}",
            &[("f.woff2", Font), ("c", Image)],
        ),
        ("/* url(no.png) */ a::after{content:'url(no.png)'}", &[]),
        ("a{b:url(x\\29 y.png)}", &[("x)y.png", Image)]),
        ("a{b:url(a b)} c{d:url(e)}", &[("e", Image)]),
        ("a{b:url(", &[]),
        ("a{b:url('x", &[("x", Image)]),
        ("a{b:my-url(no)}", &[]),
        ("a{b:url()}", &[]),
        ("a{b:url(data:image/png;base64,AA==)}", &[("data:image/png;base64,AA==", Image)]),
        ("/* open", &[]),
    ];
    for (css, expected) in table {
        let expected: Vec<(String, Role)> = expected.iter().map(|(text, role)| ((*text).to_owned(), *role)).collect();
        assert_eq!(in_css(css), expected, "{css}");
    }
}

#[test]
fn resolves_references() {
    let hosts = ["www.acme.io".to_owned()];
    let base = Base::of_page("docs/guide/index.html");
    let local = |path: &str| ReferenceTarget::Local(path.to_owned());
    for (reference, expected) in [
        ("a.html", local("docs/guide/a.html")),
        ("./a.html?x#y", local("docs/guide/a.html")),
        ("../a.html", local("docs/a.html")),
        ("../../../a.html", local("a.html")),
        ("..", local("docs/")),
        (".", local("docs/guide/")),
        ("/", local("")),
        ("/a/", local("a/")),
        ("a//b", local("docs/guide/a//b")),
        ("%2e%2E/a", local("docs/a")),
        ("\\a\\b", local("a/b")),
        ("a%20b/%C3%A9.html", local("docs/guide/a b/é.html")),
        ("é.html", local("docs/guide/é.html")),
        ("a%2Fb", local("docs/guide/a/b")),
        ("100%.html", local("docs/guide/100%.html")),
        ("%FF", ReferenceTarget::Invalid),
        ("", local("docs/guide/index.html")),
        ("#top", local("docs/guide/index.html")),
        ("?q=1", local("docs/guide/index.html")),
        (" \n a.\thtml ", local("docs/guide/a.html")),
        ("https://www.acme.io/x", local("x")),
        ("HTTPS:\\\\WWW.ACME.IO:443/x/../y?z", local("y")),
        ("//www.acme.io", local("")),
        ("//www.acme.io?x", local("")),
        ("//user@www.acme.io/x", local("x")),
        ("//www.acme.io:/x", local("x")),
        ("https://www.acme.io:0443/x", local("x")),
        ("https://www.acme.io:0/x", ReferenceTarget::External),
        ("https://www.acme.io:00/x", ReferenceTarget::External),
        ("https://other.io/x", ReferenceTarget::External),
        ("//other.io/x", ReferenceTarget::External),
        ("https://www.acme.io:8443/x", ReferenceTarget::External),
        ("mailto:a@b", ReferenceTarget::External),
        ("data:,x", ReferenceTarget::External),
        ("javascript:void(0)", ReferenceTarget::External),
        ("tel:1", ReferenceTarget::External),
    ] {
        assert_eq!(base.resolve(reference, &hosts), expected, "{reference}");
    }
    let based = |base: &str| Base::of_page("a/b.html").with_base(Some(base), &hosts).resolve("x", &hosts);
    assert_eq!(based("/v2/"), local("v2/x"));
    assert_eq!(based("c/"), local("a/c/x"));
    assert_eq!(based("https://cdn.io/"), ReferenceTarget::External);
    assert_eq!(based("https://www.acme.io/c/d"), local("c/x"));
    let odd = Base::of_page("a?b/100%25#.html");
    assert_eq!(odd.resolve("", &[]), local("a?b/100%25#.html"));
    assert_eq!(odd.resolve("x", &[]), local("a?b/x"));
}

#[test]
fn pages_are_known_by_type_or_name() {
    assert!(is_page("about", Some("text/html; charset=utf-8")) && is_page("a.html", None));
    assert!(!is_page("a.html", Some("text/plain")) && !is_page("about", None));
}

fn reference() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b.html",
        "..",
        ".",
        "/",
        "//",
        "\\",
        "?",
        "#",
        "%2e",
        "%2E%2e",
        "%20",
        "é",
        " ",
        "\t",
        "\n",
        ":",
        "http:",
        "https://",
        "site.test",
        "other.test",
        "@",
        ":443",
        ":80",
        ":",
        ":00",
        ":080",
        "%",
        "%zz",
        "+",
        "&",
        ";",
        "mailto:",
        "c",
    ]);
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// Tags with their attributes, and the text of style sheets.
type Found = Vec<(String, Vec<(String, String)>)>;

fn found(text: &[u8]) -> Found {
    let owned = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut found = Found::new();
    super::tags::scan(text, |event| match event {
        PageEvent::Start { name, attributes } => {
            let mut known: Vec<(String, String)> = Vec::new();
            for (name, value) in attributes {
                let name = owned(name).to_ascii_lowercase();
                if known.iter().all(|(known, _)| *known != name) {
                    known.push((name, owned(value)));
                }
            }
            known.sort();
            found.push((owned(name).to_ascii_lowercase(), known));
        }
        PageEvent::Style(text) if !text.is_empty() => found.push((owned(text), Vec::new())),
        PageEvent::Style(_) => {}
    });
    found
}

fn expected(text: &str) -> Found {
    let owned = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut emitter = html5gum::DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut in_style = false;
    let mut found = Found::new();
    for token in html5gum::Tokenizer::new_with_emitter(text, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                in_style = *tag.name == b"style"[..];
                let attributes = tag.attributes.iter().map(|(name, value)| (owned(name), owned(value))).collect();
                found.push((owned(&tag.name), attributes));
            }
            Token::String(text) if in_style => found.push((owned(&text), Vec::new())),
            Token::EndTag(_) => in_style = false,
            _ => {}
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// References are resolved as by the parser of Servo.
    #[test]
    fn resolves_as_the_standard_says(reference in reference(), key in prop::sample::select(vec!["index.html", "a/b/c.html", "a/b/"])) {
        let hosts = ["site.test".to_owned()];
        let document = url::Url::parse("https://site.test/").and_then(|site| site.join(key)).unwrap();
        let ours = Base::of_page(key).resolve(&reference, &hosts);
        let Ok(theirs) = document.join(&reference) else {
            // A URL that is no URL leads nowhere.
            prop_assert!(ours != ReferenceTarget::Invalid, "{:?}", ours);
            return Ok(());
        };
        // Without slashes, it depends on the scheme of the page.
        let text = reference.trim_matches(|character: char| character <= ' ').replace(['\t', '\n'], "");
        let after = text.strip_prefix("http:").or_else(|| text.strip_prefix("https:"));
        prop_assume!(after.is_none_or(|after| after.starts_with(['/', '\\'])));
        let is_default = theirs.port().is_none_or(|port| port == 80 || port == 443);
        if theirs.host_str() == Some("site.test") && matches!(theirs.scheme(), "http" | "https") && is_default {
            let path = percent_encoding::percent_decode_str(theirs.path().strip_prefix('/').unwrap_or_default()).decode_utf8();
            let path = path.map_or(ReferenceTarget::Invalid, |path| ReferenceTarget::Local(path.into_owned()));
            prop_assert_eq!(ours, path, "{} from {}", reference, key);
        } else {
            prop_assert_eq!(ours, ReferenceTarget::External, "{} from {}", reference, key);
        }
    }

    /// Tags and style sheets are those that a complete tokenizer finds.
    #[test]
    fn finds_the_tags_that_a_tokenizer_finds(parts in prop::collection::vec(prop::sample::select(vec![
        "<a href='x'>", "<p", " class=", "\"q\"", ">", "text é ", "<!--", "-->", "--!>", "-", "--", "<script>", "</script>", "</script",
        "<SCRIPT ", "<!doctype html>", "]]>", "'", "\"", "=", "/", "<style>a{}", "</style >", "<title>", "</title/>", "<", "</", "<!", "<?",
        "<![CDATA[", " ", "\n", "x", "<textarea>", "<plaintext>",
    ]), 0..30)) {
        let text = parts.concat();
        prop_assert_eq!(found(text.as_bytes()), expected(&text), "{:?}", text);
    }

    /// No bytes make it panic.
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300), prefix in prop::sample::select(vec!["<a href='", "<style>@import ", "<img srcset=", "<meta http-equiv=refresh content='1;", ""])) {
        let bytes = [prefix.as_bytes(), &bytes].concat();
        let _ = (page(&bytes), style_sheet(&bytes));
    }
}
