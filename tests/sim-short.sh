#!/bin/sh
# lpar-sim as a command: every policy for some hours on generated demand, with no invariant broken
# and the same result twice; traces of others and words that make no sense are refused.  TAP.
set -u

sim=${LP_BUILD:-.}/lpar-sim
dir=$(mktemp -d /tmp/lpar-sim-XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
seed=${LP_TEST_SEED:-20261123}
n=0
failed=0

result() {                      # STATUS DESCRIPTION
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        failed=1
        sed 's/^/# /' "$dir/out" | head -n 20
    fi
}

refused() {                     # WORDS-OF-THE-MESSAGE ARGUMENT...
    words=$1
    shift
    "$sim" "$@" >"$dir/out" 2>&1
    status=$?
    { [ $status = 2 ] && grep -q -- "$words" "$dir/out"; }
    result $? "refused: lpar-sim $*"
}

policies=$("$sim" policies | awk '{ print $1 }')
echo "# seed $seed"
echo "1..$(($(echo $policies | wc -w) * 2 + 20))"

"$sim" generate --vms 12 --days 1 --seed "$seed" -o "$dir/trace.csv" >"$dir/out" 2>&1
result $? "a trace is generated"
"$sim" generate --vms 12 --days 1 --seed "$seed" >"$dir/again.csv" 2>"$dir/out"
cmp "$dir/trace.csv" "$dir/again.csv" >"$dir/out" 2>&1
result $? "and again, the same"
xz -k "$dir/trace.csv" 2>"$dir/out"
"$sim" run -t "$dir/trace.csv.xz" -p static --days 1 >"$dir/packed" 2>"$dir/out" &&
    "$sim" run -t "$dir/trace.csv" -p static --days 1 >"$dir/plain" 2>"$dir/out"
result $? "it is read, plain and packed"

for policy in $policies; do
    # A host that is short, actuators that fail, guests that refuse.
    "$sim" run -t "$dir/trace.csv" -p "$policy" --memory-ratio 0.9 --fail 500 --veto 500 \
        --seed "$seed" --json >"$dir/out" 2>&1
    result $? "$policy keeps S1 to S3 where the host is short"
    "$sim" run -g storm,leaking,bursty --vms 8 --days 1 -p "$policy" --memory-ratio 1.1 \
        --steps --seed "$seed" --json >"$dir/out" 2>&1
    result $? "$policy keeps S1 to S3 in storms"
done

once() {
    "$sim" run -g mix --vms 6 --days 1 -p lpard --fail 1000 --seed "$1" --json |
        grep -v wall_sec
}
once 5 >"$dir/a" 2>"$dir/out"
once 5 >"$dir/b" 2>"$dir/out"
once 6 >"$dir/c" 2>"$dir/out"
cmp "$dir/a" "$dir/b" >"$dir/out" 2>&1
result $? "the same seed, the same result"
! cmp -s "$dir/a" "$dir/c"
result $? "another seed, another result"
"$sim" run -g idle --vms 2 --days 1 -p static --svg "$dir/p.svg" >"$dir/out" 2>&1 &&
    grep -q '</svg>' "$dir/p.svg"
result $? "a picture is drawn"

refused "no command is given"
refused "no command is called 'walk'" walk
refused "either --trace FILE or --generate KINDS" run
refused "either --trace FILE or --generate KINDS" run
refused "exclude each other" run -g mix -t "$dir/trace.csv"
refused "from 1" run -g mix --vms 0
refused "from 1" run -g mix --days 0
refused "no policy is called 'luck'" run -g mix -p luck
refused "no kind is called 'comet'" run -g comet
refused "behind the end" run -t "$dir/trace.csv" --from-day 9
refused "is too much" run -g mix now
"$sim" generate --vms 1 --days 1 >/dev/full 2>"$dir/out"
[ $? = 1 ] && grep -q "cannot be written" "$dir/out"
result $? "a full disk is told"
echo "a,b" >"$dir/bad.csv"
refused "line 1" run -t "$dir/bad.csv"
"$sim" run -t "$dir/none.csv" >"$dir/out" 2>&1
[ $? = 1 ] && grep -q "none.csv" "$dir/out"
result $? "a file that is not there is an error"
exit $failed
