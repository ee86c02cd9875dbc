# Every test, suite by suite, each with a budget.  Sourced by ./lab.
#
# Budgets in seconds, on 2 emulated cores: several times what a quiet machine takes, so that one
# which is reached means that something hangs.  The whole takes about 24 minutes there.
budget_unit=420
budget_dist=420
budget_manuals=30
budget_analyze=180
budget_boot=180

check_names=()
check_lines=()
check_passed=0
check_failed=0
check_skipped=0
check_retried=0
check_finished=
check_filter=

# check_count NAME BUDGET USED PASSED FAILED SKIPPED
check_count() {
    check_passed=$((check_passed + $4))
    check_failed=$((check_failed + $5))
    check_skipped=$((check_skipped + $6))
    check_lines+=("$(printf '%-24s %6d s %6d s %7d %7d %8d' "$1" "$2" "$3" "$4" "$5" "$6")")
    printf '%s: %d passed, %d failed, %d skipped (%d of %d s)\n' "$1" "$4" "$5" "$6" "$3" "$2"
}

# The sum of automake's "# PASS:  12" lines in a log.
automake_sum() {
    awk -v key="$1:" '$1 == "#" && $2 == key { n += $3 } END { print n + 0 }' "$2"
}

# check_make NAME BUDGET DIR TARGET...: a suite that automake runs.
check_make() {
    local name=$1 budget=$2 dir=$3 log=$log_dir/$1.log started=$SECONDS
    local status passed failed skipped
    shift 3
    say "$name: make $1"
    # The longest tests come first and wait more than they work: there is to be room for all of them
    # at once, and for those that work.
    timeout -k 10 "$budget" make -s -C "$dir" -j"$(($(nproc) + 4))" "$@" >"$log" 2>&1 </dev/null
    status=$?
    passed=$(($(automake_sum PASS "$log") + $(automake_sum XFAIL "$log")))
    failed=$(($(automake_sum FAIL "$log") + $(automake_sum ERROR "$log") + \
        $(automake_sum XPASS "$log")))
    skipped=$(automake_sum SKIP "$log")
    # A build that breaks, or a suite that hangs, has no failed test to show for it.
    ((status != 0 && failed == 0)) && failed=1
    ((status == 124)) && echo "$name: stopped after its budget of $budget s"
    if ((status != 0)); then
        check_show_failures "$log"
        tail -n 12 "$log" | sed 's/^/    /'
        echo "    the whole of it is in $log"
    fi
    check_count "$name" "$budget" $((SECONDS - started)) "$passed" "$failed" "$skipped"
}

check_show_failures() {
    grep -E '^(not ok|FAIL|ERROR|Bail out)' "$1" | head -n 20 | sed 's/^/    /'
}

# check_lab_test FILE: one lab test.  QEMU's emulator stalls a guest now and then, mostly when a
# vCPU is hot-added; such a test gets a second chance on fresh guests, which is told and counted.
check_lab_test() {
    local name=${1##*/} started=$SECONDS
    name=lab/${name%.sh}
    if ! check_tap "$1" "$name" && [[ $accel_note ]]; then
        check_report "$name"
        mv "$tap_log" "${tap_log%.log}-first.log"
        cp "$log_dir/lpard.log" "${tap_log%.log}-lpard.log"
        echo "$name: $tap_failed failed; once more, on fresh guests (${tap_log%.log}-first.log)"
        check_retried=$((check_retried + 1))
        lab_stop
        lab_start check
        guests_up alpha beta plain
        check_tap "$1" "$name"
    fi
    check_report "$name"
    check_count "$name" "$tap_budget" $((SECONDS - started)) "$tap_passed" "$tap_failed" \
        "$tap_skipped"
}

# check_tap FILE NAME: runs it, sets tap_*.  Its first comment says `budget: SECONDS`.
check_tap() {
    tap_log=$log_dir/${2//\//-}.log
    tap_budget=$(sed -n 's/^# budget: \([0-9]*\)$/\1/p' "$1" | head -n 1)
    tap_budget=${tap_budget:-120}
    timeout -k 10 "$tap_budget" bash "$1" >"$tap_log" 2>&1 </dev/null
    check_judge $?
}

# check_judge STATUS: of what wrote $tap_log within $tap_budget; sets the other tap_*.
check_judge() {
    local status=$1 planned
    tap_skipped=$(grep -cE '^ok .*# SKIP' "$tap_log")
    tap_passed=$(($(grep -c '^ok ' "$tap_log") - tap_skipped))
    tap_failed=$(grep -c '^not ok ' "$tap_log")
    planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$tap_log" | tail -n 1)
    # One that stopped half way has not failed a test, and has not passed either.
    if [[ $planned != $((tap_passed + tap_failed + tap_skipped)) ]] ||
        ((status != 0 && tap_failed == 0)); then
        tap_failed=$((tap_failed + 1))
        if ((status == 124)); then
            echo "Bail out! stopped after its budget of $tap_budget s" >>"$tap_log"
        else
            echo "Bail out! ended with $status before its end" >>"$tap_log"
        fi
    fi
    ((tap_failed == 0))
}

# What failed in the last run of check_tap.
check_report() {
    ((tap_failed)) || return 0
    grep -A6 -E '^(not ok|Bail out)' "$tap_log" | head -n 60 | sed 's/^/    /'
    echo "    the whole of it is in $tap_log"
}

# Each manual page is one test: mandoc finds nothing wrong with it.
check_manuals() {
    local page started=$SECONDS passed=0 failed=0 words
    for page in "$top"/man/*.[1-8]; do
        [[ -f $page ]] || continue
        if words=$(timeout "$budget_manuals" mandoc -T lint -W warning "$page" 2>&1); then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            sed 's/^/    /' <<<"$words"
        fi
    done
    check_count manuals "$budget_manuals" $((SECONDS - started)) "$passed" "$failed" 0
}

# cppcheck over the programs; the slower tools are `make analyze`, and the soak's.
check_analyze() {
    local started=$SECONDS
    tap_log=$log_dir/analyze.log
    tap_budget=$budget_analyze
    say "analyze: cppcheck"
    timeout -k 10 "$tap_budget" "$top/tests/analyze/run" --quick --build "$build_dir" \
        --jobs "$(nproc)" >"$tap_log" 2>&1 </dev/null
    check_judge $?
    check_report
    check_count analyze "$tap_budget" $((SECONDS - started)) "$tap_passed" "$tap_failed" \
        "$tap_skipped"
}

check_run() {
    local file files=() numa='' started
    for file in "$top"/tests/lab/t-*.sh; do
        [[ $file == *"$check_filter"* ]] && files+=("$file")
    done
    # Beside the lab's guests it makes some of them late, and after them it takes more time than a
    # whole check has: it runs when it is asked for by name, by `./lab numa`, and in .ci/run.
    [[ $check_filter && numa == *"$check_filter"* ]] && numa=1
    ((${#files[@]})) || [[ $numa ]] ||
        die "no test of tests/lab has '$check_filter' in its name"
    [[ -z $numa ]] || setup_numa_kernel

    if [[ -z $check_filter ]]; then
        check_suite=unit-sanitizers
        started=$SECONDS
        say "building with AddressSanitizer, UBSan and points to fail at"
        build_tree "$lab_dir/build-asan" build-asan --enable-sanitizers --enable-fault-injection
        say "built in $((SECONDS - started)) s"
        check_make unit-sanitizers "$budget_unit" "$lab_dir/build-asan" check
        check_suite=distcheck
        # The units have run; what is left for a build without sanitizers has a list of its own.
        # shellcheck disable=SC2016
        check_make distcheck "$budget_dist" "$build_dir" distcheck 'TESTS=$(LP_RELEASE_TESTS)' \
            'check_PROGRAMS=$(LP_RELEASE_BINARIES)'
        check_suite=manuals
        check_manuals
        check_suite=analyze
        check_analyze
    fi

    if ((${#files[@]} == 0)); then
        check_suite=numa
        numa_begin --quick
        check_numa
        check_finished=1
        ((check_failed == 0))
        return
    fi
    # The lab's guests leave half of the processors' time, for they wait much: enough for another
    # machine that runs when nobody else wants to.
    [[ -z $numa ]] || numa_idle=1 numa_begin --quick
    check_suite=lab/boot
    started=$SECONDS
    begin check alpha beta plain
    check_count lab/boot "$budget_boot" $((SECONDS - started)) 1 0 0
    export top lab_dir build_dir run_dir log_dir
    for file in "${files[@]}"; do
        check_suite=${file##*/}
        check_lab_test "$file"
    done
    if [[ $numa ]]; then
        check_suite=numa
        check_numa_again
    fi
    check_finished=1
    ((check_failed == 0))
}

# Runs at every end of a check: cleans up, and always says how it went.
check_end() {
    local status=$? line
    own_context
    if [[ -z $check_finished ]]; then
        check_count "${check_suite:-set-up}" 0 0 0 1 0
        ((status != 0)) || status=1
    fi
    ((check_failed == 0)) || status=1
    numa_end
    [[ -z $lab_begun ]] || lab_stop
    printf '\n%-24s %8s %8s %7s %7s %8s\n' suite budget took passed failed skipped
    printf '%s\n' "${check_lines[@]}"
    printf '%-24s %8s %6d s\n\n' 'all, set-up included' '' $((SECONDS - started_at))
    line="$check_passed passed, $check_failed failed"
    ((check_skipped)) && line+=", $check_skipped skipped"
    ((check_retried)) && line+=", $check_retried suites needed a second run"
    echo "$line"
    exit $status
}
