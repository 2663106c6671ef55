"""The site that is published: pages of Rust's documentation, or files of like sizes where it is not installed."""

import os
import pathlib
import random
import shutil
import subprocess

BOOKS = ["alloc", "book", "cargo", "error_codes", "reference", "rust-by-example"]

# Sizes of those books' files in Rust 1.95, from the smallest to the largest: rank and bytes.
SIZES = [
    (0, 52), (100, 689), (300, 4_373), (500, 18_051), (800, 22_589), (1_400, 27_950),
    (2_000, 31_428), (2_500, 36_720), (2_700, 44_936), (2_800, 58_655), (2_850, 77_295), (2_900, 151_679),
    (2_950, 167_151), (3_000, 371_590), (3_015, 937_718), (3_022, 2_062_946), (3_026, 4_037_987), (3_028, 4_725_654),
]


def documentation():
    """The folder of Rust's documentation, if it is installed with these books."""
    try:
        asked = subprocess.run(["rustup", "doc", "--path"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    folder = pathlib.Path(asked.stdout.strip()).parent
    return folder if all((folder / book).is_dir() for book in BOOKS) else None


def make(directory):
    """Fills a directory and says what with."""
    folder = documentation()
    if folder:
        for book in BOOKS:
            # With their times: clients that compare times take a file that is older than its object as unchanged.
            shutil.copytree(folder / book, directory / book)
        return f"Rust's documentation ({', '.join(BOOKS)})"
    synthetic(directory)
    return "a synthetic site, since Rust's documentation is not installed (`rustup component add rust-docs`)"


def make_large(directory):
    """Fills a directory with all of the documentation and says what with."""
    folder = documentation()
    if folder:
        # Links, which take no time and no room: whoever changes a file writes it anew.
        shutil.copytree(folder, directory, dirs_exist_ok=True, copy_function=link)
        return "all of Rust's documentation"
    for part in range(17):
        (directory / f"book-{part:02}").mkdir()
        synthetic(directory / f"book-{part:02}")
    return "a synthetic site, since Rust's documentation is not installed (`rustup component add rust-docs`)"


def link(source, target):
    """A second name for a file, or a copy where the two names are on two disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def synthetic(directory):
    """As many files, of sizes like theirs; the same bytes on every machine."""
    chance = random.Random(1)
    words = [f"word{number}" for number in range(4_000)]
    sizes = [
        low + (high - low) * (rank - first) // (last - first)
        for (first, low), (last, high) in zip(SIZES, SIZES[1:])
        for rank in range(first, last)
    ]
    for number, size in enumerate(sizes + [SIZES[-1][1]]):
        text = "<!doctype html>\n"
        while len(text) < size:
            text += " ".join(chance.choices(words, k=500))
        kind = "css" if number % 50 == 0 else "js" if number % 50 == 1 else "html"
        path = directory / f"part-{number % 12:02}" / f"page-{number:05}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text[:size])


def tally(directory):
    """Files and bytes below a directory, and a picture of it that changes when anything in it is written."""
    picture = {}
    size = 0
    for path in directory.rglob("*"):
        if path.is_file():
            status = path.stat()
            size += status.st_size
            picture[str(path.relative_to(directory))] = (status.st_size, status.st_mtime_ns)
    return len(picture), size, picture
