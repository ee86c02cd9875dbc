#!/bin/sh
# A build for use has nothing of what makes lpard fail on purpose: neither the variable nor the name of
# one point is in its programs.  TAP.
#
# usage: [srcdir=DIR] test-release.sh [BUILDDIR]
set -u
src=${srcdir:-.}
build=${1:-.}

points=$(sed -n 's/^    X([A-Z_]*, "\([a-z-]*\)").*/\1/p' "$src/hotplug/fault.h")
n=0
failures=0
echo 1..4
result() {                      # FOUND DESCRIPTION
    n=$((n + 1))
    if [ -n "$1" ]; then
        echo "not ok $n - $2"
        echo "# $1"
        failures=$((failures + 1))
    else
        echo "ok $n - $2"
    fi
}

# The list itself: nothing would be found by an empty one.
few=
[ "$(echo "$points" | wc -l)" -ge 40 ] || few="hotplug/fault.h has fewer points than it should"
result "$few" "the points have their names in hotplug/fault.h"
texts=$(mktemp) || exit 1
trap 'rm -f "$texts"' EXIT
for program in lpard/lpard lpar-agent lparctl; do
    found=
    strings -a -n 4 "$build/$program" >"$texts" 2>/dev/null || found="$build/$program is not built"
    for word in LPARD_FAULT lp_fault_ $(echo "$points" | sed 's/$/-before/; p; s/-before$/-after/'); do
        # At its beginning: "confirm-after" might be part of a sentence.
        grep -q -e "^$word" "$texts" && found="$found $word"
    done
    result "$found" "$program has no trace of them"
done
test $failures -eq 0
