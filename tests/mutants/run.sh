#!/bin/sh
# Plants each fault of list.txt in a copy of the workspace and expects the loom models to fail:
# first plain, then with loads as read-modify-writes, then under AddressSanitizer.
# usage: tests/mutants/run.sh            all of them, by hand
#        tests/mutants/run.sh --smoke    two of them, in every test run
#        tests/mutants/run.sh NAME...
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
copy=$root/target/mutants
export TIDINGS_LOOM_TARGET="${TIDINGS_LOOM_TARGET:-$root/target/loom}"

modes="plain rmw asan"
names=$*
if [ "$names" = --smoke ]; then
    modes=plain
    names="no-wake sender-never-frees"
fi

# Touched as it is copied: cargo goes by the times of files, and the last copy was a mutant.
rm -rf "$copy"
mkdir -p "$copy"
cd "$root"
git ls-files -z --cached --others --exclude-standard | tar --null --files-from - --create | tar --extract --touch --directory "$copy"

# One mode of the models on the copy, within two minutes: a lost wake-up may also spin.
green() {
    timeout 120 "$copy/tests/loom.sh" "$1" >"$copy/log" 2>&1
}

# Which model failed, or how the run ended.
reason() {
    failed=$(sed -n 's/^---- \(.*\) stdout ----$/\1/p' "$copy/log" | head -n 1)
    if grep -q 'could not compile' "$copy/log"; then
        echo "DOES NOT COMPILE"
    elif [ -n "$failed" ]; then
        echo "caught ($1) by $failed"
    elif grep -q 'SIGABRT\|SIGSEGV\|AddressSanitizer' "$copy/log"; then
        echo "caught ($1), the models aborted"
    else
        echo "caught ($1), no end in two minutes"
    fi
}

for mode in $modes; do
    if ! green "$mode"; then
        cat "$copy/log"
        echo "unmodified: FAILS ($mode), so nothing is shown"
        exit 1
    fi
done
echo "unmodified: green ($modes)"

result=0
grep -v -e '^#' -e '^$' "$root/tests/mutants/list.txt" >"$copy/list"
while IFS=';' read -r name file change <&3; do
    name=$(echo $name) file=$(echo $file)
    case " ${names:-$name} " in *" $name "*) ;; *) continue ;; esac
    cp "$copy/$file" "$copy/original"
    perl -0pi -e "$change" "$copy/$file"
    verdict=SURVIVED
    if cmp -s "$copy/original" "$copy/$file"; then
        verdict="DOES NOT APPLY, bring list.txt up to date"
    else
        for mode in $modes; do
            if ! green "$mode"; then
                verdict=$(reason "$mode")
                break
            fi
        done
    fi
    echo "$name: $verdict"
    case $verdict in caught*) ;; *) result=1 ;; esac
    cp "$copy/original" "$copy/$file"
done 3<"$copy/list"
exit $result
