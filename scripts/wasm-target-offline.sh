#!/usr/bin/env bash
# A Rust compiler with a WebAssembly target, from Debian's packages: for machines on which rustup cannot fetch one.
#
#   wasm-target-offline.sh DIRECTORY [TARGET...]     TARGET is wasm32-unknown-unknown where absent
#   then: RUSTC=DIRECTORY/rustc cargo build --release --target wasm32-unknown-unknown
#
# Debian's rustc-web and the rust-web-src that belongs to it are unpacked, not installed, into DIRECTORY, and the
# standard library is built once from that source: rustup, PATH and /usr stay as they are.
#
# Needs apt-get, dpkg-deb, cargo, and the rust-lld of rustup's own toolchain. x86_64 Linux only.
set -euo pipefail

directory=$(mkdir -p "${1:?name a directory}" && cd "$1" && pwd)
shift
targets=("${@:-wasm32-unknown-unknown}")
jobs=${JOBS:-2}
host=x86_64-unknown-linux-gnu

fail() { echo "wasm-target-offline: $*" >&2; exit 1; }
step() { printf '%4ss  %s\n' "$SECONDS" "$*" >&2; }

[ "$(uname -sm)" = "Linux x86_64" ] || fail "only x86_64 Linux has this route, this is $(uname -sm)"
for tool in apt-get apt-cache dpkg-deb cargo; do
    command -v "$tool" >/dev/null || fail "\`$tool\` is missing"
done

# The toolchain of the folder that this was called in; the library is built in another one.
cargo=$(rustup which cargo 2>/dev/null || command -v cargo)

# The first dependency of a package whose name starts so.
dependency() { apt-cache depends "$1" | sed -n "s/^ *Depends: \($2[^ ]*\)$/\1/p" | head -1; }

unpack() {
    local as=() standard llvm scratch package
    [ "$(id -u)" = 0 ] || as=(sudo)
    step "apt-get update: a stale list offers a compiler that is too old"
    "${as[@]}" apt-get update -qq
    standard=$(dependency libstd-rust-web-dev libstd-rust-web-)
    [ -n "$standard" ] || fail "Debian's package libstd-rust-web-dev is not to be had here"
    llvm=$(dependency "$standard" libllvm)
    scratch=$(mktemp -d "$directory/unpack.XXXX")
    mkdir "$scratch/packages" "$scratch/root"
    step "downloading rustc-web, libstd-rust-web-dev, rust-web-src, $standard, $llvm"
    (cd "$scratch/packages" && apt-get download -qq rustc-web libstd-rust-web-dev rust-web-src "$standard" "$llvm" 2>/dev/null)
    step "unpacking"
    for package in "$scratch"/packages/*.deb; do
        case $package in
        */rust-web-src_*)
            dpkg-deb --fsys-tarfile "$package" |
                tar -x -C "$scratch/root" --wildcards './usr/src/rustc-*/library' './usr/lib/rustlib/src/rust'
            ;;
        *) dpkg-deb --fsys-tarfile "$package" | tar -x -C "$scratch/root" --exclude './usr/share' ;;
        esac
    done
    # Moved when whole, so that a run that was killed is started over.
    rm -rf "$directory/root"
    mv "$scratch/root" "$directory/root"
    rm -rf "$scratch"
}

[ -x "$directory/root/usr/bin/rustc" ] || unpack
prefix=$directory/root/usr
cat >"$directory/rustc" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH=$prefix/lib/x86_64-linux-gnu\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH} exec $prefix/bin/rustc "\$@"
WRAPPER
chmod +x "$directory/rustc"

# Where rustc looks for its linker of WebAssembly: <sysroot>/lib/rustlib/<host>/bin/rust-lld.
linkers=$prefix/lib/rustlib/$host/bin
linker=$(env -u RUSTC rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld
[ -x "$linker" ] || fail "rustup's toolchain has no rust-lld: apt-get install lld and link it to $linkers/rust-lld"
mkdir -p "$linkers"
ln -sfn "$linker" "$linkers/rust-lld"

build_library() {
    local target=$1 libraries=$2 scratch optimisation=3 panic=unwind
    case $target in wasm*) optimisation='"s"' panic=abort ;; esac
    step "building the standard library for $target"
    scratch=$(mktemp -d)
    mkdir -p "$scratch/src" "$scratch/.cargo"
    : >"$scratch/src/lib.rs"
    cat >"$scratch/Cargo.toml" <<MANIFEST
[package]
name = "sysroot-build"
version = "0.0.0"
edition = "2021"
[lib]
crate-type = ["rlib"]
[profile.release]
opt-level = $optimisation
panic = "$panic"
MANIFEST
    # The library's dependencies come with its source: no network.
    cat >"$scratch/.cargo/config.toml" <<CONFIG
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "$prefix/lib/rustlib/src/rust/library/vendor"
CONFIG
    # Bitcode is embedded so that a plugin's own link-time optimisation reaches the library; paths are mapped so that any
    # folder gives the same bytes.
    (cd "$scratch" && env -u CARGO_BUILD_TARGET -u RUSTC_WRAPPER \
        RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=$directory=/rust-web --remap-path-prefix=$scratch=/build" \
        CARGO_TARGET_DIR="$scratch/target" RUSTC="$directory/rustc" RUSTC_BOOTSTRAP=1 \
        "$cargo" build --quiet --jobs "$jobs" --release --target "$target" -Z build-std=std,panic_abort,proc_macro)
    rm -f "$scratch/target/$target"/release/deps/libsysroot_build*
    rm -rf "$libraries.new"
    mkdir -p "$libraries.new"
    cp "$scratch/target/$target"/release/deps/*.rlib "$libraries.new"/
    rm -rf "$libraries"
    mv "$libraries.new" "$libraries"
    rm -rf "$scratch"
}

for target in "${targets[@]}"; do
    libraries=$prefix/lib/rustlib/$target/lib
    compgen -G "$libraries/libstd-*.rlib" >/dev/null || build_library "$target" "$libraries"
done
step "$("$directory/rustc" --version)"
