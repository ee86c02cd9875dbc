#!/bin/sh
# A replay that has nothing to run must not pass.  TAP.
set -u
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
targets=$("${srcdir:-.}/tests/fuzz/run" --list)
echo "1..$((2 * $(echo $targets | wc -w) + 1))"
n=0

# refused DESCRIPTION COMMAND...
refused() {
    what=$1
    shift
    n=$((n + 1))
    if "$@" >"$dir.out" 2>&1; then
        echo "not ok $n - $what"
        sed 's/^/# /' "$dir.out"
    else
        echo "ok $n - $what"
    fi
    rm -f "$dir.out"
}

for target in $targets; do
    refused "$target: an empty corpus" "tests/fuzz/$target" "$dir"
    refused "$target: no corpus" "tests/fuzz/$target" "$dir/none"
done
# They have the replay in common, and each runs its own corpus as a test of its own.
target=fuzz_wire
n=$((n + 1))
kept=$(ls "${srcdir:-.}/tests/fuzz/corpus/$target" | wc -l)
ran=$("tests/fuzz/$target" | sed -n "s/^ok 1 - $target: \([0-9]*\) inputs$/\1/p")
if [ "$kept" -gt 0 ] && [ "$ran" = "$kept" ]; then
    echo "ok $n - $target: all $kept inputs are run"
else
    echo "not ok $n - $target: $kept inputs are kept, ${ran:-none} were run"
fi
