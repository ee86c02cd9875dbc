#!/bin/sh
# tests/INVARIANTS.md names tests that are there, for every invariant of tests/oracle/oracle.h.  TAP.
set -u
LC_ALL=C
export LC_ALL
src=${srcdir:-.}
list=$src/tests/INVARIANTS.md
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

echo 1..3
failed=0
result() {                      # FILE-OF-FAULTS NUMBER DESCRIPTION
    if [ -s "$1" ]; then
        echo "not ok $2 - $3"
        sed 's/^/# /' "$1"
        failed=1
    else
        echo "ok $2 - $3"
    fi
}

sed -n 's/^- \(tests[^:]*\): \(.*\)$/\1	\2/p' "$list" >"$work/named"
while IFS='	' read -r file name; do
    [ -f "$src/$file" ] && grep -qF -e "$name" "$src/$file" ||
        echo "$file has no \"$name\""
done <"$work/named" >"$work/missing"
[ -s "$work/named" ] || echo "no test is named in $list" >"$work/missing"
result "$work/missing" 1 "every test that is named is there"

sed -n 's/^ *LP_INVARIANT_\([SL][0-9]\),.*/\1/p' "$src/tests/oracle/oracle.h" >"$work/all"
while read -r invariant; do
    awk -v invariant="$invariant" '
        /^## / { here = $0 ~ invariant "[,:]" }
        here && /^- tests/ { found = 1 }
        END { exit !found }' "$list" || echo "$invariant: no test is named"
done <"$work/all" >"$work/bare"
[ "$(wc -l <"$work/all")" -eq 12 ] || echo "oracle.h has $(wc -l <"$work/all") invariants, not 12" >>"$work/bare"
result "$work/bare" 2 "every invariant has a test"

# One that nothing runs proves nothing.
cut -f 1 "$work/named" | sort -u | while read -r file; do
    case $file in
    tests/lab/* | tests/bench/*) continue ;;
    esac
    name=${file%.c}
    cat "$src"/tests/*.mk "$src"/tests/*/*.mk | grep -qF -e "$name" || echo "$file is in no *.mk"
done >"$work/idle"
result "$work/idle" 3 "each of them is built and run"
exit $failed
