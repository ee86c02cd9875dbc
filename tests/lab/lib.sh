# For tests/lab/t-*.sh: results in TAP, and the lab's own means to read a guest.
# ./lab check runs them against a lab of its own; by hand they run against the one of ./lab up.
set -uo pipefail

top=${top:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
lab_dir=${lab_dir:-${LPARD_LAB_DIR:-$top/.lab}}
build_dir=${build_dir:-$lab_dir/build}
run_dir=${run_dir:-$lab_dir/run}
log_dir=${log_dir:-$lab_dir/log}

say() {
    printf '# %s\n' "$*"
}

die() {
    printf 'Bail out! %s\n' "$*"
    exit 1
}

die_with_log() {
    tail -n 15 "$2" | sed 's/^/# /'
    die "$1"
}

. "$top/tests/lab/console.sh"
. "$top/tests/lab/host.sh"
host_mode
lab_load || die "no lab is up: ./lab up"
alpha=$prefix-alpha
beta=$prefix-beta
plain=$prefix-plain

tests_run=0
tests_failed=0

# result 0|1 TEXT [DETAIL]
result() {
    tests_run=$((tests_run + 1))
    if (($1 == 0)); then
        echo "ok $tests_run - $2"
    else
        echo "not ok $tests_run - $2"
        tests_failed=$((tests_failed + 1))
        [[ ${3-} ]] && sed 's/^/#   /' <<<"$3"
    fi
    return 0
}

skip() {
    tests_run=$((tests_run + 1))
    echo "ok $tests_run - $1 # SKIP $2"
}

# is GOT WANTED TEXT
is() {
    [[ $1 == "$2" ]]
    result $? "$3" "got '$1', wanted '$2'"
}

# check TEXT COMMAND...
check() {
    local text=$1 output status
    shift
    output=$("$@" 2>&1)
    status=$?
    result $((status != 0)) "$text" "$* ended with $status
$output"
}

# Seconds that any call of lparctl may take.
lparctl_patience=150

# ends STATUS TEXT LPARCTL-ARGUMENTS...: lparctl's exit status; its output stays in $said.
ends() {
    local wanted=$1 text=$2 status
    shift 2
    said=$(timeout "$lparctl_patience" "$build_dir/lparctl" "$@" 2>&1 </dev/null)
    status=$?
    ((status == wanted))
    result $? "$text" "lparctl $* ended with $status, not $wanted
$said"
}

# says PATTERN TEXT: whether $said matches the extended regular expression.
says() {
    grep -qE -- "$1" <<<"$said"
    result $? "$2" "no /$1/ in:
$said"
}

# guest_has PARTITION CPUS MIB TEXT: the guest's own /proc, and lpard saying the same.
guest_has() {
    local got
    got="$(guest_cpus "$1") cpus $(guest_mem_bytes "$1") bytes"
    is "$got" "$2 cpus $(($3 * MiB)) bytes" "$4: the guest itself"
    got="$(field "$1" '"\(.cpu.usable) cpus \(.mem.usable_bytes) bytes"')"
    is "$got" "$2 cpus $(($3 * MiB)) bytes" "$4: usable, by lpard"
    got="$(field "$1" '"\(.cpu.granted) cpus \(.mem.granted_bytes) bytes"')"
    is "$got" "$2 cpus $(($3 * MiB)) bytes" "$4: granted, by lpard"
}

# three_agree PARTITION BYTES TEXT: libvirt, lpard and the guest give one figure.
three_agree() {
    # QEMU tells of a device's size at most once a second.
    wait_for 5 figures_are "$1" "$2"
    is "$(figures "$1")" "$2 $2 $2" "$3: libvirt, lpard and the guest agree"
}

# figures PARTITION: what libvirt, lpard and the guest say it has.
figures() {
    echo "$(libvirt_bytes "$1") $(field "$1" .mem.granted_bytes) $(guest_mem_bytes "$1")"
}

figures_are() {
    [[ $(figures "$1") == "$2 $2 $2" ]]
}

# op_ended PARTITION: no operation on it is open.
op_ended() {
    [[ $(field "$1" .operations_open) == 0 ]]
}

# guest_new NAME [OPTIONS...]: one more partition for this test, up to 2 GiB, with an agent:
# lpar-agent, or that of partition_define's kinds that $guest_agent names.
guest_new() {
    local name=$1
    shift
    partition_define "$name" "${guest_agent:-lpar}" 1:1:4 512M:512M:2G "$@" >"$log_dir/define-$name.log" 2>&1 ||
        die_with_log "lparctl define $prefix-$name failed" "$log_dir/define-$name.log"
    guest_ready "$name" "${guest_agent:-lpar}"
}

# guest_remove NAME: without a trace.
guest_remove() {
    local name=$prefix-$1
    console_detach "$name"
    vsh destroy "$name" >/dev/null 2>&1
    vsh undefine "$name" --managed-save >/dev/null 2>&1
    rm -f "$run_dir"/*-"$name"*
}

# at_start PARTITION...: each with 1 vCPU and 512 MiB again, whatever the test before has left.
at_start() {
    local name
    for name in "$@"; do
        lparctl set "$name" cpu=1 mem=512M >/dev/null 2>&1
    done
}

tests_end() {
    echo "1..$tests_run"
    exit $((tests_failed > 0))
}
