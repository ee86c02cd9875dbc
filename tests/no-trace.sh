#!/bin/sh
# A build that is not made to fail on purpose has nothing of that in it: no variable, no name of a
# point, no function.  TAP.
set -u
LC_ALL=C
export LC_ALL
src=${srcdir:-.}
build=${LP_BUILD:-.}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# Of the header, so that one that is added is looked for, too.
sed -n 's/^ *X([A-Z_]*, "\(.*\)").*/\1/p' "$src/hotplug/fault.h" >"$work/points"
sed 's/.*/&-before/' "$work/points" >"$work/texts"
sed 's/.*/&-after/' "$work/points" >>"$work/texts"
echo LPARD_FAULT >>"$work/texts"
echo lp_fault_ >>"$work/texts"

echo 1..5
n=0
failed=0
result() {                      # 0|1 DESCRIPTION
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        sed 's/^/# /' "$work/out" | head -20
        failed=1
    fi
}

[ "$(wc -l <"$work/points")" -ge 30 ] && ! grep -q '[^a-z-]' "$work/points"
result $? "the points are read from their header ($(wc -l <"$work/points"))"
for program in lpard/lpard lparctl lpar-agent lpar-sim; do
    # The text of the program and the names of its symbols.
    if { grep -aoE '[[:print:]]{8,}' "$build/$program" && nm "$build/$program"; } >"$work/all" 2>&1; then
        ! grep -F -f "$work/texts" "$work/all" >"$work/out"
        result $? "$program knows none of them"
    else
        cp "$work/all" "$work/out"
        result 1 "$program can be read"
    fi
done
exit $failed
