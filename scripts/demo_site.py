"""The two versions of the demo's site, and the operations that the second plan must have.

Each version is a real site with files that real builds contain although they do not belong on a site.
"""

import pathlib
import shutil
import subprocess

# The name has a fingerprint, so caches keep the file for a year.
SCRIPT = "static/app.3f9a1c2b.js"
NOTES = "notes/résumé of chapter 1.html"
DOWNLOAD = "downloads/field notes (é).txt"
CHART = "img/tide-chart.svg"
MOVED_CHART = "img/tides/chart.svg"

REDIRECTS = """\
# Old addresses.
/book        /index.html
/intro.html  /index.html  301
"""
HEADERS = """\
/c++.html
  Content-Language: en
"""

# The operations of the second plan: kind and reason by key.
CHANGES = {
    "index.html": ("update", "content-differs"),
    "data/versions.ts": ("update", "content-differs"),
    "news/second-edition.html": ("create", "new"),
    MOVED_CHART: ("create", "new"),
    CHART: ("delete", "stale"),
    "retired.html": ("delete", "stale"),
    "old-chapter.html": ("update", "redirect-differs"),
    DOWNLOAD: ("headers", "headers-differ"),
}
# New keys with bytes that the bucket has already, so they are copied within it: key and origin.
COPIED = {MOVED_CHART: CHART}
# The invalidated paths: every changed key, and the other path of the index page.
INVALIDATED = {
    "/",
    "/index.html",
    "/data/versions.ts",
    "/news/second-edition.html",
    "/img/tides/chart.svg",
    "/img/tide-chart.svg",
    "/retired.html",
    "/old-chapter.html",
    # The name has several spellings, and the folder holds nothing else.
    "/downloads/*",
}
# Files that plugins exclude.
EXCLUDED = {
    ".DS_Store",
    "img/.DS_Store",
    "drafts/next-chapter.html",
    f"{SCRIPT}.map",
    "_headers",
    "_redirects",
}
# Headers that visitors get: key, header, value. Each is set by one plugin.
SERVED = [
    ("assets/app.3f9a1c2b.js", "cache-control", "public, max-age=31536000, immutable"),
    ("index.html", "cache-control", "no-cache"),
    ("changelog", "content-type", "text/html; charset=utf-8"),
    ("data/versions.ts", "content-type", "application/json"),
    ("c++.html", "content-language", "en"),
    (NOTES, "content-type", "text/html; charset=utf-8"),
    ("img/photo", "content-type", "image/png"),
    (DOWNLOAD, "content-disposition", "attachment"),
]
# Redirects: key, target.
REDIRECTED = [("book", "/index.html"), ("intro.html", "/index.html"), ("start", "/index.html")]

# A PNG with one pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000"
    "050001a5f645400000000049454e44ae426082"
)


def source(root, directory):
    """The site to publish, with its name: the given directory, else Rust's book if installed, else examples/site."""
    if directory:
        return root / directory, directory
    try:
        process = subprocess.run(["rustup", "doc", "--path", "--book"], capture_output=True, text=True, timeout=60, check=False)
        book = pathlib.Path(process.stdout.strip()).parent
        if process.returncode == 0 and (book / "index.html").is_file():
            return book, "Rust's book"
    except (OSError, subprocess.TimeoutExpired):
        pass
    return root / "examples/site", "examples/site, since Rust's book is not installed"


def page(title, text):
    return f"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n</html>\n"


def chart():
    """An SVG of some kilobytes. Smaller renamed files are uploaded again instead of copied."""
    points = " ".join(f"{x},{60 + 40 * ((x // 20) % 2) + x % 7}" for x in range(0, 900, 1))
    return f"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 160\"><polyline fill=\"none\" stroke=\"teal\" points=\"{points}\"/></svg>\n"


def first(site, directory):
    """Writes the first version to `directory`: the site, and files that builds add."""
    shutil.copytree(site, directory)
    added = {
        ".DS_Store": b"\0\0\0\1Bud1",
        "img/.DS_Store": b"\0\0\0\1Bud1",
        ".nojekyll": b"",
        ".well-known/security.txt": "Contact: mailto:security@example.com\nExpires: 2030-01-01T00:00:00Z\n",
        "_headers": HEADERS,
        "_redirects": REDIRECTS,
        SCRIPT: "console.log('tidegate');\n//# sourceMappingURL=app.3f9a1c2b.js.map\n",
        f"{SCRIPT}.map": "{\"version\":3,\"sources\":[],\"mappings\":\"\"}\n",
        "drafts/next-chapter.html": page("Next chapter", "Not yet."),
        "changelog": page("Changelog", "A page without an extension."),
        "c++.html": page("C++", "A name with plus signs."),
        NOTES: page("Résumé", "A name with spaces and accents."),
        DOWNLOAD: "Spring tide on Tuesday.\n",
        "data/versions.ts": "{\"edition\": 1}\n",
        "img/photo": PIXEL,
        CHART: chart(),
        "old-chapter.html": page("An old chapter", "The second edition redirects it."),
        "retired.html": page("Retired", "The second edition removes it."),
    }
    for name, content in added.items():
        write(directory / name, content)


def second(before, directory):
    """Writes the second version: changed, new, renamed and removed files, and one changed header."""
    shutil.copytree(before, directory)
    index = directory / "index.html"
    index.write_bytes(index.read_bytes().replace(b"</body>", b"<p>Second edition.</p>\n</body>", 1))
    write(directory / "data/versions.ts", "{\"edition\": 2}\n")
    write(directory / "news/second-edition.html", page("Second edition", "What is new."))
    (directory / MOVED_CHART).parent.mkdir(parents=True)
    (directory / CHART).rename(directory / MOVED_CHART)
    (directory / "retired.html").unlink()
    (directory / "old-chapter.html").unlink()
    write(directory / "_redirects", REDIRECTS + "/old-chapter.html  /news/second-edition.html\n")
    write(directory / "_headers", HEADERS + "/downloads/*\n  Cache-Control: public, max-age=3600\n")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
