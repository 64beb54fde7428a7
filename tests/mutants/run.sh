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
    modes="plain rmw"
    names="no-wake sender-never-frees"
fi

rm -rf "$copy"
mkdir -p "$copy"
cd "$root"
git ls-files -z --cached --others --exclude-standard | tar --null --files-from - --create | tar --extract --directory "$copy"

# One mode of the models on the copy; within two minutes, for a lost wake-up may also spin.
green() {
    timeout 120 "$copy/tests/loom.sh" "$1" >"$copy/log" 2>&1
}

result=0
grep -v -e '^#' -e '^$' "$root/tests/mutants/list.txt" >"$copy/list"
while IFS=';' read -r name file change <&3; do
    name=$(echo $name) file=$(echo $file)
    case " ${names:-$name} " in *" $name "*) ;; *) continue ;; esac
    perl -0pi -e "$change" "$copy/$file"
    if cmp -s "$root/$file" "$copy/$file"; then
        echo "$name: DOES NOT APPLY, bring list.txt up to date"
        result=1
        continue
    fi
    verdict=SURVIVED
    for mode in $modes; do
        green "$mode" && continue
        verdict="caught ($mode)"
        grep -q '^error\(\[E[0-9]*\]\)\?:.*\(could not compile\|aborting\)' "$copy/log" && verdict="DOES NOT COMPILE"
        break
    done
    echo "$name: $verdict"
    case $verdict in caught*) ;; *) result=1 ;; esac
    cp "$root/$file" "$copy/$file"
done 3<"$copy/list"
exit $result
