#!/bin/sh
# Fuzz smoke: each target for a few seconds, on the installed stable toolchain, without cargo-fuzz.
#
#   fuzz/run.sh [SECONDS [TARGET...]]     5 seconds for each target in fuzz/fuzz_targets by default
#
# The flags are those of `cargo fuzz run -s none`, which works on the same layout for longer runs.
# A target that survives its seconds has passed. The canary must not: its planted bug shows that
# the fuzzer is led by coverage at all.
set -eu

cd "$(dirname "$0")"
seconds=${1:-5}
[ $# -eq 0 ] || shift

if ! "${CXX:-c++}" --version >/dev/null 2>&1; then
    echo "SKIP fuzz smoke: no C++ compiler (${CXX:-c++}) to build libFuzzer with"
    exit 0
fi

host=$(rustc -vV | sed -n 's/^host: //p')
case $host in
    *-linux-gnu) ;;
    *) echo "SKIP fuzz smoke: set up for Linux with glibc, not $host"; exit 0 ;;
esac

if [ $# -eq 0 ]; then
    set -- $(for file in fuzz_targets/*.rs; do basename "$file" .rs; done)
fi
bins=$(for target; do printf ' --bin %s' "$target"; done)

# With --target the flags reach the targets and their libraries, not build scripts and macros.
RUSTFLAGS="${RUSTFLAGS:-} -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares \
-Cllvm-args=-sanitizer-coverage-stack-depth \
-Cdebug-assertions -Ccodegen-units=1 --cfg fuzzing" \
    cargo build --quiet --release --target "$host" --target-dir target $bins

# One target, with what it finds left in artifacts/. Memory, time for one input and for all are
# bounded; the outer timeout is for a fuzzer that hangs.
fuzz() {
    mkdir -p "corpus/$1" "artifacts/$1"
    seeds=
    [ ! -d "seeds/$1" ] || seeds="seeds/$1"
    timeout "$((seconds + 60))" "target/$host/release/$1" \
        -max_total_time="$2" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 \
        -artifact_prefix="artifacts/$1/" "corpus/$1" $seeds >"target/$1.log" 2>&1
}

status=0
for target; do
    if [ "$target" = canary ]; then
        # From nothing each time, and with more time at hand: a find ends the run at once.
        rm -rf corpus/canary artifacts/canary
        if fuzz canary 45; then
            echo "FAIL canary: its planted bug was not found; see fuzz/target/canary.log"
            status=1
        elif grep -q "the planted bug" target/canary.log; then
            echo "ok   canary: its planted bug was found"
        else
            echo "FAIL canary: it ended, but not by its planted bug:"
            tail -n 20 target/canary.log
            status=1
        fi
    elif fuzz "$target" "$seconds"; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "target/$target.log")
        echo "ok   $target: $runs inputs in $seconds s"
    else
        echo "FAIL $target: what it found is in fuzz/artifacts/$target"
        tail -n 40 "target/$target.log"
        status=1
    fi
done
exit $status
