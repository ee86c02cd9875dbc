# ./lab soak: the long form of everything that breaks things on purpose.  Sourced by ./lab.
#
# A part is a program that tries faults and says in the end what was lost, in one of three ways: a
# line of JSON ("faults": a number, or an object of them by class; "lost"), lines `# soak: CLASS: N`
# (faults tried), or TAP, each of whose tests counts as one.  A part that is missing, that says
# nothing or that does not end well has lost something: nothing is left out in silence.  Budgets in
# seconds, several times what a quiet machine with 2 processors takes.

packages_for_soak=(valgrind clang clang-tidy cppcheck openssl curl)
soak_quick=
soak_seeds=
soak_hours=0
soak_first_seed=1
soak_order=()
declare -A soak_tried=() soak_lost=()
soak_parts=()
soak_failed=0
soak_pid=
soak_finished=

soak_usage() {
    printf 'lab: error: %s\n' "$*" >&2
    exit 2
}

soak_options() {
    while (($#)); do
        case $1 in
        --quick) soak_quick=1 ;;
        --seeds|--hours)
            [[ ${2-} =~ ^[1-9][0-9]{0,6}$ ]] ||
                soak_usage "$1 needs a whole number from 1 to 9999999"
            printf -v "soak_${1#--}" %s "$2"
            shift
            ;;
        -h|--help) usage; exit 0 ;;
        *) soak_usage "soak has no \"$1\": write ./lab soak [--quick] [--seeds N] [--hours N]" ;;
        esac
        shift
    done
    soak_seeds=${soak_seeds:-${soak_quick:+200}}
    soak_seeds=${soak_seeds:-2000}
}

# soak_note CLASS TRIED LOST
soak_note() {
    [[ $2 =~ ^[0-9]+$ && $3 =~ ^[0-9]+$ ]] || set -- "$1" 0 1
    [[ ${soak_tried[$1]+known} ]] || soak_order+=("$1")
    soak_tried[$1]=$((${soak_tried[$1]-0} + $2))
    soak_lost[$1]=$((${soak_lost[$1]-0} + $3))
}

# soak_json NAME LINE: takes what a part says in JSON.
soak_json() {
    local name=$1 line=$2 class tried
    soak_part_lost=$(jq -r '[(.lost // 0), (.failed // 0), (.crashes // 0), (.bad // 0),
        ((.load.errors // 0) + (.load.wrong // 0))] | max' <<<"$line" 2>/dev/null)
    [[ $soak_part_lost =~ ^[0-9]+$ ]] || { soak_part_lost=1; return 1; }
    while read -r tried class; do
        soak_note "${class:-$name}" "$tried" 0
        [[ $tried =~ ^[0-9]+$ ]] && soak_part_tried=$((soak_part_tried + tried))
    done < <(jq -r '
        if (.by_class // .faults | type) == "object" then
            (.by_class // .faults) | to_entries[] | select(.value > 0) | "\(.value) \(.key)"
        elif .bench == "load" then "\(.load.begun) resizes under load"
        else "\(.faults // .kills // .executions // .cases // 0) " end' <<<"$line")
}

# soak_count NAME LOG: sets soak_part_tried and soak_part_lost from what it said.
soak_count() {
    local name=$1 log=$2 line class
    soak_part_tried=0 soak_part_lost=0
    line=$(sed -n 's/^\(# \)\{0,1\}{/{/p' "$log" | tail -n 1)
    # One that prints it over several lines.
    [[ -z $line || $line == '{' ]] && line=$(sed -n '/^{$/,/^}$/p' "$log")
    if [[ $line ]]; then
        soak_json "$name" "$line" || return
        soak_note "$name" 0 "$soak_part_lost"
    elif grep -q '^# soak: ' "$log"; then
        while IFS= read -r line; do
            class=${line% *}
            soak_note "${class%:}" "${line##* }" 0
            soak_part_tried=$((soak_part_tried + ${line##* }))
        done < <(sed -n 's/^# soak: \(.* [0-9][0-9]*\)$/\1/p' "$log")
        soak_part_lost=$(grep -c '^not ok ' "$log")
        soak_note "$name" 0 "$soak_part_lost"
    else
        soak_part_lost=$(grep -c '^not ok ' "$log")
        soak_part_tried=$(($(grep -c '^ok ' "$log") + soak_part_lost))
        soak_note "$name" "$soak_part_tried" "$soak_part_lost"
    fi
}

# soak_part NAME BUDGET COMMAND...
soak_part() {
    local name=$1 budget=$2 log status started=$SECONDS words
    shift 2
    log=$log_dir/soak-${name//[^a-z0-9]/-}.log
    check_suite=$name
    say "soak: $name (at most $budget s)"
    timeout -k 30 "$budget" "$@" >"$log" 2>&1 </dev/null &
    soak_pid=$!
    wait "$soak_pid"
    status=$?
    soak_pid=
    soak_count "$name" "$log"
    if ((status != 0 || soak_part_tried == 0)); then
        soak_failed=$((soak_failed + 1))
        ((soak_part_lost)) || soak_note "$name" 0 1
        words="ended with $status"
        ((status == 124)) && words="stopped after its budget of $budget s"
        ((status == 0)) && words="tried nothing"
        echo "$name: $words"
        tail -n 15 "$log" | sed 's/^/    /'
        echo "    the whole of it is in $log"
    fi
    printf '%s: %d tried, %d lost (%d of %d s)\n' "$name" "$soak_part_tried" "$soak_part_lost" \
        $((SECONDS - started)) "$budget"
    soak_parts+=("$(jq -nc --arg name "$name" --argjson v \
        "[$status, $soak_part_tried, $soak_part_lost, $((SECONDS - started)), $budget]" \
        '{part: $name, status: $v[0], tried: $v[1], lost: $v[2], seconds: $v[3], budget: $v[4]}')")
}

# soak_program NAME BUDGET BUILD-DIR PROGRAM ARGS...: one that automake builds.
soak_program() {
    local name=$1 budget=$2
    shift 2
    # shellcheck disable=SC2016
    soak_part "$name" "$budget" bash -c 'make -s -C "$1" "$2" >&2 || exit
        cd "$1" && exec "./$2" "${@:3}"' - "$@"
}

# soak_script NAME BUDGET FILE TARGET...: one that works on what is built, as automake runs it.
soak_script() {
    # shellcheck disable=SC2016
    soak_part "$1" "$2" bash -c 'make -s -C "$1" lpard/lpard lparctl "${@:4}" >&2 || exit
        cd "$1" && srcdir=$2 top_srcdir=$2 exec sh "$2/$3"' - "$build_dir" "$source_dir" "${@:3}"
}

# The parts that draw from a seed, with fresh ones each time.
soak_random() {
    local kills=1000
    [[ $soak_quick ]] && kills=100
    soak_program 'simulator of everything' $((60 + soak_seeds)) "$build_dir" tests/sim/everything \
        --seeds "$soak_seeds" --from "$soak_first_seed" --json
    soak_first_seed=$((soak_first_seed + soak_seeds))
    soak_program 'kill -9 at random, simulated host' $((60 + 3 * kills)) "$build_dir" \
        tests/crash/kills --kills "$kills" --json
}

soak_simulated() {
    local asan=$lab_dir/build-asan fuzz=60 matrix=(--all) squared=(--all --squared)
    local disk=(--all --json)
    [[ $soak_quick ]] && fuzz=3 matrix=() squared=(--squared) disk=()
    export CMOCKA_MESSAGE_OUTPUT=TAP
    soak_program 'kill -9 at each point' 3600 "$asan" tests/crash/matrix "${matrix[@]}" \
        --json --jobs "$(nproc)"
    soak_program 'kill -9 at each point, and again while recovering' 14400 "$asan" \
        tests/crash/matrix "${squared[@]}" --json --jobs "$(nproc)"
    soak_random
    soak_program 'journal cut or bent at each byte' 3600 "$build_dir" tests/disk/test_disk_damage \
        "${disk[@]}"
    soak_program 'power cut at each write' 3600 "$build_dir" tests/disk/test_disk_power "${disk[@]}"
    soak_program 'full or failing disk' 1200 "$build_dir" tests/disk/test_disk_engine
    soak_script 'file system that fills' 600 tests/disk/test-disk-full.sh
    soak_program 'hypervisor fails at each call' 1200 "$build_dir" tests/faults/test_faults_libvirt
    soak_program 'guests that misbehave' 1200 "$build_dir" tests/faults/test_faults_guest
    soak_program 'agents that misbehave' 1200 "$build_dir" tests/faults/test_faults_agent
    soak_script 'clock jumps, real program' 600 tests/time/test-clock-jump.sh \
        tests/time/clock-jump.so
    soak_part 'hostile input (fuzzing)' $((600 + 40 * fuzz)) env \
        LPARD_FUZZ_DIR="$lab_dir/fuzz" "$top/tests/fuzz/run" --all "$fuzz" --json
    # Alone, for it measures.
    if [[ $soak_quick ]]; then
        soak_part 'load' 300 env LPARD_LAB_DIR="$lab_dir" "$top/tests/bench/load" --quick --json
    else
        soak_part 'load' 1800 env LPARD_LAB_DIR="$lab_dir" "$top/tests/bench/load" --json --goals
        soak_part 'static analysis' 3600 "$top/tests/analyze/run" --build "$build_dir" --jobs "$(nproc)"
    fi
}

# soak_lab NAME BUDGET FILE...: tests on real guests.
soak_lab() {
    local name=$1 budget=$2 file
    shift 2
    for file in "$@"; do
        if [[ -f $file ]]; then
            soak_part "$name" "$budget" bash "$file"
        else
            soak_part "$name" "$budget" bash -c "echo 'there is no $file'; exit 1"
        fi
    done
}

soak_real() {
    local lab=$top/tests/lab
    begin soak alpha beta plain
    export top lab_dir build_dir run_dir log_dir
    export kills=50 LPARD_LAB_LONG=1
    [[ $soak_quick ]] && kills=4 LPARD_LAB_LONG=
    soak_lab 'libvirtd, real guests' 1800 "$lab"/t-56-*.sh
    soak_lab 'guests and agents, real guests' 1800 "$lab"/t-58-*.sh
    [[ $soak_quick ]] || soak_lab 'autoscaling, real guests' 900 "$lab"/t-85-*.sh
    soak_lab 'kill -9 at points, real guests' 3600 "$lab"/t-62-*.sh
    soak_lab 'kill -9 at random, real guests' 1800 "$lab/kills.sh"
    memory_tool=valgrind soak_lab 'memory: valgrind' 1200 "$lab/memory.sh"
    memory_tool=sanitizers soak_lab 'memory: sanitizers' 900 "$lab/memory.sh"
}

soak_run() {
    local end=$((SECONDS + soak_hours * 3600))
    check_suite=build-asan
    say "building with AddressSanitizer, UBSan and points to fail at"
    build_tree "$lab_dir/build-asan" build-asan --enable-sanitizers --enable-fault-injection
    soak_began=$SECONDS
    soak_simulated
    soak_real
    while ((SECONDS < end)); do
        soak_random
        soak_lab 'kill -9 at random, real guests' 1800 "$top/tests/lab/kills.sh"
    done
    soak_finished=1
}

soak_table() {
    local class tried=0 lost=0
    printf '\n%-62s %10s %6s\n' 'faults tried' number lost
    for class in "${soak_order[@]}"; do
        ((soak_tried[$class] || soak_lost[$class])) || continue
        printf '%-62s %10d %6d\n' "$class" "${soak_tried[$class]}" "${soak_lost[$class]}"
        tried=$((tried + soak_tried[$class]))
        lost=$((lost + soak_lost[$class]))
    done
    printf '%-62s %10d %6d\n\n' all "$tried" "$lost"
    soak_total=$lost
    {
        for class in "${soak_order[@]}"; do
            jq -nc --arg class "$class" --argjson v "[${soak_tried[$class]}, ${soak_lost[$class]}]" \
                '{class: $class, tried: $v[0], lost: $v[1]}'
        done | jq -s --arg commit "$(git -C "$top" rev-parse --short HEAD 2>/dev/null)" \
            --arg date "$(date -u +%F)" --argjson seconds $((SECONDS - ${soak_began:-$SECONDS})) \
            --argjson parts "[$(IFS=,; echo "${soak_parts[*]}")]" --arg quick "$soak_quick" \
            --argjson whole "${soak_finished:-0}" \
            '{date: $date, commit: $commit, quick: ($quick != ""), whole: ($whole == 1),
              seconds: $seconds, classes: map(select(.tried + .lost > 0)), parts: $parts}'
    } >"$log_dir/soak.json"
    echo "as JSON: $log_dir/soak.json"
}

# Runs at every end of a soak: cleans up, and always says what was tried and what was lost.
soak_end() {
    local status=$?
    own_context
    if [[ $soak_pid ]]; then
        kill -TERM "$soak_pid" 2>/dev/null
        wait "$soak_pid" 2>/dev/null
    fi
    if [[ -z $soak_finished ]]; then
        soak_note "${check_suite:-set-up}: not ended" 0 1
        ((status != 0)) || status=1
    fi
    [[ -z $lab_begun ]] || lab_stop
    soak_table
    ((soak_total == 0 && soak_failed == 0)) || status=1
    exit "$status"
}
