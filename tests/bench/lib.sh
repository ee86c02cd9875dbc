# For the benches: options, figures and goals.  Sourced; the caller sets `bench` and `usage`.
#
# Medians come with an interval from order statistics: for n values the ranks k and n+1-k with
# the largest k for which a binomial (n, 1/2) stays within them with 95 % or more.  It assumes
# nothing of the distribution and needs 6 values; with fewer there is none.
set -uo pipefail

top=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd) || exit 1
given_run_dir=${run_dir-}
lab_dir=${LPARD_LAB_DIR:-$top/.lab}
build_dir=$lab_dir/build
run_dir=$lab_dir/run
log_dir=$lab_dir/log

# ./lab check exports it: then its lab is ours to use.
bench_in_check=$given_run_dir
bench_json=
bench_goals=
bench_quick=
goal_lines=()
goals_missed=0

say() {
    printf '%s: %s\n' "$bench" "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

die_with_log() {
    tail -n 15 "$2" | sed 's/^/    /' >&2
    die "$1; the whole of it is in $2"
}

# bench_option ARG: the options that all benches have; 1 when it is none of them.
bench_option() {
    case $1 in
    --json) bench_json=1 ;;
    --goals) bench_goals=1 ;;
    --quick) bench_quick=1 ;;
    --help|-h) printf '%s\n' "$usage"; exit 0 ;;
    *) return 1 ;;
    esac
}

bench_usage_error() {
    say "$1; see --help"
    exit 2
}

# --- a lab ------------------------------------------------------------------------------------
bench_own_lab=

# Uses the lab that is up in this checkout, or starts one that ends with the bench.
bench_lab() {
    local part
    for part in console host; do
        # shellcheck source=/dev/null
        . "$top/tests/lab/$part.sh" || exit 1
    done
    host_mode
    if ! lab_load; then
        bench_own_lab=1
        "$top/lab" up >&2 || die "./lab up failed"
        lab_load || die "./lab up made no lab"
    elif [[ $purpose != up && -z $bench_in_check ]]; then
        die "./lab $purpose is at work in this checkout"
    fi
    read -r lpard_pid <"$run_dir/lpard.pid" && kill -0 "$lpard_pid" || die "lpard is not running"
}

bench_lab_end() {
    [[ -z $bench_own_lab ]] || "$top/lab" down >&2
}

# bench_build: for a bench without guests, what ./lab has built.
bench_build() {
    [[ -x $build_dir/lpard/lpard && -x $build_dir/lparctl ]] ||
        die "nothing is built in $build_dir: ./lab up (and down) builds it"
}

bench_describe() {
    printf '%s, %s, %s cores, load %s' "$(uname -sr)" \
        "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
        "$(cut -d' ' -f1 /proc/loadavg)"
}

# --- figures ----------------------------------------------------------------------------------
# now_usec: into the variable `now`, without a subshell's fork.
now_usec() {
    now=${EPOCHREALTIME/[.,]/}
}

# summary VALUE...: "n min median max low high", the last two the interval, `-` when there is none.
summary() {
    printf '%s\n' "$@" | sort -g | awk '
        { v[NR] = $1 }
        function median(  h) {
            h = int((NR + 1) / 2)
            return NR % 2 ? v[h] : (v[h] + v[h + 1]) / 2
        }
        END {
            if (NR == 0 || v[1] == "") { print "0 - - - - -"; exit }
            # Both tails together stay at or below 5 %.
            p = 0.5 ^ NR; tail = p; k = 0
            while (2 * tail <= 0.05) { k++; p = p * (NR - k + 1) / k; tail += p }
            low = k ? v[k] : "-"; high = k ? v[NR + 1 - k] : "-"
            print NR, v[1], median(), v[NR], low, high
        }'
}

# quantile Q VALUE...: the smallest value that a share Q of all does not exceed.
quantile() {
    local q=$1
    shift
    printf '%s\n' "$@" | sort -g | awk -v q="$q" '
        { v[NR] = $1 } END { i = int(q * NR); if (i < q * NR) i++; print v[i < 1 ? 1 : i] }'
}

# calc EXPRESSION [FORMAT]
calc() {
    # In brackets: a bare > would be a redirection to awk.
    awk "BEGIN { printf \"${2:-%.3f}\", ($1) }"
}

# --- goals ------------------------------------------------------------------------------------
# goal NAME met|missed|open TEXT
goal() {
    goal_lines+=("$1"$'\t'"$2"$'\t'"$3")
    [[ $2 != missed ]] || goals_missed=$((goals_missed + 1))
}

# goal_below NAME VALUE LIMIT UNIT
goal_below() {
    local verdict=missed
    [[ $2 != - ]] && (($(calc "$2 < $3" %d))) && verdict=met
    goal "$1" "$verdict" "$2 $4, goal below $3 $4"
}

# A ratio is missed when even the lower end of its interval is above the limit; with the median
# above and the lower end not, it is open: more pairs are needed to tell.
goal_ratio() {
    local name=$1 median=$2 low=$3 limit=$4 verdict=met
    [[ $low == - ]] && low=$median
    if [[ $median == - ]]; then
        verdict=missed
    elif (($(calc "$low > $limit" %d))); then
        verdict=missed
    elif (($(calc "$median > $limit" %d))); then
        verdict=open
    fi
    goal "$name" "$verdict" "ratio $median, goal at most $limit, lower end $low"
}

goals_json() {
    printf '%s\n' "${goal_lines[@]}" | jq -Rn \
        '[inputs | select(. != "") | split("\t") | {name: .[0], verdict: .[1], text: .[2]}]'
}

# Prints the goals (with --goals, or when one was missed) and ends.
goals_end() {
    local line out=2
    [[ $bench_json ]] || out=1
    for line in "${goal_lines[@]}"; do
        IFS=$'\t' read -r name verdict text <<<"$line"
        [[ $bench_goals || $verdict != met ]] &&
            printf '%-7s %s: %s\n' "$verdict" "$name" "$text" >&$out
    done
    [[ -z $bench_goals ]] || exit $((goals_missed > 0))
    exit 0
}
