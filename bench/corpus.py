"""The sites that are published: Rust's documentation, or generated files of similar sizes if it is not installed."""

import os
import pathlib
import random
import shutil
import subprocess

BOOKS = ["alloc", "book", "cargo", "error_codes", "reference", "rust-by-example"]

# Rank and size in bytes of files of those books in Rust 1.95, from the smallest to the largest.
SIZES = [
    (0, 52), (100, 689), (300, 4_373), (500, 18_051), (800, 22_589), (1_400, 27_950),
    (2_000, 31_428), (2_500, 36_720), (2_700, 44_936), (2_800, 58_655), (2_850, 77_295), (2_900, 151_679),
    (2_950, 167_151), (3_000, 371_590), (3_015, 937_718), (3_022, 2_062_946), (3_026, 4_037_987), (3_028, 4_725_654),
]


def documentation():
    """The folder of Rust's documentation; None if it is not installed with these books."""
    try:
        process = subprocess.run(["rustup", "doc", "--path"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    folder = pathlib.Path(process.stdout.strip()).parent
    return folder if all((folder / book).is_dir() for book in BOOKS) else None


def make(directory):
    """Fills a directory with the books; returns a description."""
    folder = documentation()
    if folder:
        for book in BOOKS:
            # Keeps modification times: tools that compare times treat a file that is older than its object as unchanged.
            shutil.copytree(folder / book, directory / book)
        return f"Rust's documentation ({', '.join(BOOKS)})"
    synthetic(directory)
    return "a synthetic site, since Rust's documentation is not installed (`rustup component add rust-docs`)"


def make_large(directory):
    """Fills a directory with the whole documentation; returns a description."""
    folder = documentation()
    if folder:
        # Hard links need no time and no space. The benchmark replaces files instead of changing them.
        shutil.copytree(folder, directory, dirs_exist_ok=True, copy_function=link)
        return "all of Rust's documentation"
    for part in range(17):
        (directory / f"book-{part:02}").mkdir()
        synthetic(directory / f"book-{part:02}")
    return "a synthetic site, since Rust's documentation is not installed (`rustup component add rust-docs`)"


def link(source, target):
    """A hard link, or a copy if the two paths are on two file systems."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def synthetic(directory):
    """Writes as many files, of similar sizes, with the same bytes on every machine."""
    generator = random.Random(1)
    words = [f"word{number}" for number in range(4_000)]
    sizes = [
        low + (high - low) * (rank - first) // (last - first)
        for (first, low), (last, high) in zip(SIZES, SIZES[1:])
        for rank in range(first, last)
    ]
    for number, size in enumerate(sizes + [SIZES[-1][1]]):
        text = "<!doctype html>\n"
        while len(text) < size:
            text += " ".join(generator.choices(words, k=500))
        kind = "css" if number % 50 == 0 else "js" if number % 50 == 1 else "html"
        path = directory / f"part-{number % 12:02}" / f"page-{number:05}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text[:size])


def tally(directory):
    """Files and bytes below a directory, and a snapshot that changes when anything in it is written."""
    snapshot = {}
    size = 0
    for path in directory.rglob("*"):
        if path.is_file():
            status = path.stat()
            size += status.st_size
            snapshot[str(path.relative_to(directory))] = (status.st_size, status.st_mtime_ns)
    return len(snapshot), size, snapshot
