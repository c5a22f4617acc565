#!/bin/bash
# package.sh: builds the deb and the RPM into dist/ (make package). The same sources give the same bytes, wherever they
# lie: times come from the last commit, paths of this machine do not reach the binary.
#
#   packaging/package.sh                everything
#   packaging/package.sh stage BINARY   only what is generated, for a binary that is there (the tests do that)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
MODE=${1:-all}
CARGO=${CARGO:-cargo}
STAGE=packaging/generated
DIST=dist
# What a package and its binary may be: bytes, and the glibc of EL9.
MOST_BYTES=$((8 << 20))
GLIBC=2.34

say() { printf '[package] %s\n' "$*"; }
die() { say "$*" >&2; exit 1; }

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || stat -c %Y Cargo.lock)}
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C.UTF-8
umask 022

# Paths of this machine are mapped by a wrapper around rustc, not by RUSTFLAGS: those would reach the names of symbols.
build() { # build: sets binary
    local target=${CARGO_TARGET_DIR:-target} home=${CARGO_HOME:-$HOME/.cargo} rust= c= prefix
    mkdir -p "$target/package"
    target=$(cd "$target/package" && pwd)
    for prefix in "$target=/usr/src/target" "$home=/usr/src/cargo" "$PWD=/usr/src/oxkeeper"; do
        rust+=" --remap-path-prefix='$prefix'"
        c+=" -ffile-prefix-map=$prefix"
    done
    printf '#!/bin/sh\nexec "$@"%s\n' "$rust" > "$target/rustc.sh"
    chmod +x "$target/rustc.sh"
    say "building the release binary"
    RUSTC_WRAPPER=$target/rustc.sh CFLAGS="${CFLAGS:-}$c" CARGO_TARGET_DIR=$target $CARGO build --release --locked
    binary=$target/release/oxkeeper
}

# The highest version of glibc that a binary asks for.
highest_glibc() {
    objdump -T "$1" | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -V | tail -n 1
}

stage() { # stage BINARY
    local page shell
    rm -rf "$STAGE"
    mkdir -p "$STAGE/man" "$STAGE/completions"
    say "staging man pages, completions, licences, SBOM"
    strip --strip-all --remove-section=.comment -o "$STAGE/oxkeeper" "$1"
    "$STAGE/oxkeeper" generate man "$STAGE/man"
    for shell in bash zsh fish; do
        "$STAGE/oxkeeper" generate completions $shell "$STAGE/completions"
    done
    for page in "$STAGE"/man/*.1; do gzip -9n "$page"; done
    if command -v python3 > /dev/null; then
        python3 packaging/sbom.py "$STAGE"
        gzip -9n "$STAGE/THIRD-PARTY.txt"
    else
        die "Python 3 is needed for the list of licences"
    fi
    find "$STAGE" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
}

check() {
    local have
    have=$(highest_glibc "$STAGE/oxkeeper")
    [ "$(printf '%s\n%s\n' "$have" $GLIBC | sort -V | tail -n 1)" = $GLIBC ] ||
        die "the binary asks for glibc $have; EL9 has $GLIBC: $(objdump -T "$STAGE/oxkeeper" | grep "GLIBC_$have")"
    say "highest glibc symbol: $have (at most $GLIBC)"
}

tool() { # tool COMMAND CRATE: is it there, or can it be had?
    $CARGO "$1" --version > /dev/null 2>&1 && return
    [ "${OXKEEPER_OFFLINE:-}" != 1 ] || return
    say "installing $2"
    $CARGO install --locked --quiet "$2"
}

made() { # made FILE
    local size
    size=$(stat -c %s "$1")
    say "$1: $size bytes"
    [ "$size" -le $MOST_BYTES ] || die "$1 is larger than $MOST_BYTES bytes"
}

case $MODE in
stage)
    stage "$2"
    ;;
all)
    build
    stage "$binary"
    check
    mkdir -p $DIST
    rm -f $DIST/*.deb $DIST/*.rpm
    if tool deb cargo-deb; then
        $CARGO deb --no-build --no-strip --quiet --output $DIST/
        made "$(echo $DIST/*.deb)"
    else
        say "not run: deb (cargo-deb is not installed and cannot be fetched)"
    fi
    if tool generate-rpm cargo-generate-rpm; then
        $CARGO generate-rpm --output $DIST/ --source-date "$SOURCE_DATE_EPOCH"
        made "$(echo $DIST/*.rpm)"
    else
        say "not run: RPM (cargo-generate-rpm is not installed and cannot be fetched)"
    fi
    cp "$STAGE/sbom.cdx.json" $DIST/
    ;;
*)
    sed -n '5,6p' "$0" | cut -c3-
    exit 2
    ;;
esac
