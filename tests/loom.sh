#!/bin/sh
# Runs the loom models of the promise, the mailbox and the doorbell in three modes:
#   plain  loom's primitives
#   rmw    every load a read-modify-write, which makes loom explore what it otherwise misses
#   asan   plain under AddressSanitizer: loom does not notice a use after free
# usage: tests/loom.sh [plain|rmw|asan]...      (default: all three)
# Unoptimised but for loom itself: compiling takes longer than running.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${TIDINGS_LOOM_TARGET:-$PWD/target/loom}"

models() {
    cargo test --quiet --package tidings-core --test loom \
        --config profile.dev.debug=0 \
        --config profile.dev.package.loom.opt-level=2 \
        --config profile.dev.package.generator.opt-level=2 \
        "$@"
}

host=$(rustc -vV | sed -n 's/^host: //p')
for mode in ${*:-plain rmw asan}; do
    echo "== loom, $mode"
    case $mode in
    plain) RUSTFLAGS="--cfg tidings_loom" models ;;
    rmw) RUSTFLAGS="--cfg tidings_loom --cfg tidings_loom_rmw" models ;;
    asan)
        export RUSTC_BOOTSTRAP=1 ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0
        probe=$(mktemp -d)
        echo 'fn main() {}' >"$probe/main.rs"
        if rustc -Zsanitizer=address --target "$host" -o "$probe/main" "$probe/main.rs" 2>"$probe/why" &&
            "$probe/main"; then
            RUSTFLAGS="--cfg tidings_loom -Zsanitizer=address" models --target "$host"
        else
            echo "SKIPPED: this toolchain has no AddressSanitizer for $host:"
            sed 's/^/    /' "$probe/why"
        fi
        rm -r "$probe"
        unset RUSTC_BOOTSTRAP ASAN_OPTIONS
        ;;
    *)
        echo "unknown mode: $mode" >&2
        exit 2
        ;;
    esac
done
