# What the sides of the bench `resize` do.  Sourced by it.

# --- a shell in the guest, open all the time ---------------------------------------------------
declare -A con_in con_out con_pids
con_serial=0

# con_open NAME: takes the guest's console over from its log, and starts one shell on it that
# runs what it is sent without a fork of its own: the quickest that a console can be.
con_open() {
    local name=$1 pty in out
    console_attach "$name" || die "$name has no console"
    pty=$(cat "$run_dir/console-$name.pty")
    console_detach "$name"
    exec {out}< <(exec dd if="$pty" iflag=noctty bs=4096 status=none 2>/dev/null)
    con_pids[$name]=$!
    exec {in}> >(exec dd of="$pty" oflag=noctty conv=notrunc bs=4096 status=none 2>/dev/null)
    con_pids[$name]+=" $!"
    con_in[$name]=$in
    con_out[$name]=$out
    # shellcheck disable=SC2016
    printf '\025lab-run bench 86400 %s\n' \
        "$(base64 -w 0 <<<'exec sh /dev/ttyS0 >/dev/ttyS0 2>&1')" >&"$in"
    con "$name" true 30 || die "the shell on $name's console does not answer"
}

# con NAME COMMAND [SECONDS]: its last line of output in `con_said`.
con() {
    local id=$((++con_serial)) line status
    con_said=
    printf '%s\necho "@@%s $?"\n' "$2" "$id" >&"${con_in[$1]}"
    while IFS= read -r -t "${3:-20}" -u "${con_out[$1]}" line; do
        line=${line%$'\r'}
        if [[ $line =~ ^"@@$id "([0-9]+)$ ]]; then
            status=${BASH_REMATCH[1]}
            return "$status"
        fi
        con_said=$line
    done
    return 125
}

con_close() {
    local name=$1 in=${con_in[$1]-} out=${con_out[$1]-}
    [[ $in ]] || return 0
    echo exit >&"$in"
    exec {in}>&- {out}<&-
    # shellcheck disable=SC2086
    kill ${con_pids[$name]} 2>/dev/null
    unset "con_in[$name]" "con_out[$name]"
    console_attach "$name"
}

# --- who may act in the guest -------------------------------------------------------------------
# Kept as it is until another side comes, so that a switch costs nobody's measured time.
declare -A acting

# act_as SIDE NAME...: lpard's agent runs, or else it is stopped and the guest's kernel brings
# memory online by itself.
act_as() {
    local side=$1 name who=peer
    shift
    [[ $side == lpard ]] && who=agent
    for name in "$@"; do
        [[ ${acting[$name]-} == "$who" ]] && continue
        acting[$name]=$who
        if [[ $who == agent ]]; then
            con "$name" 'killall uevent 2>/dev/null
                echo offline >/sys/devices/system/memory/auto_online_blocks
                killall -CONT lpar-agent' || die "the agent in $name does not go on"
            wait_for 30 agent_fresh "$name" || die "lpard does not hear the agent in $name"
        else
            # The way of a udev rule: a script for each event of the kernel.
            con "$name" 'killall -STOP lpar-agent
                echo online_movable >/sys/devices/system/memory/auto_online_blocks
                printf "%s\n" "#!/bin/sh" "test \"\$SUBSYSTEM \$ACTION\" = \"cpu add\" &&" \
                    "echo 1 >/sys\$DEVPATH/online" >/run/onliner
                chmod 0755 /run/onliner
                uevent /run/onliner >/dev/null 2>&1 &' || die "cannot stop the agent in $name"
        fi
    done
}

# One that was stopped and goes on has spoken just now.
agent_fresh() {
    lparctl show "$1" -o json 2>/dev/null |
        jq -e '.agent.state == "connected" and .agent.age_msec < 5000 and .cpu.usable != null' \
        >/dev/null 2>&1
}

# --- what is waited for -------------------------------------------------------------------------
declare -A size_kib          # by "domain/alias", as the events tell it

events_open() {
    exec {events_fd}< <(exec stdbuf -oL virsh -q -c "$uri" event --loop \
        --event memory-device-size-change 2>/dev/null)
    events_pid=$!
}

# event_read SECONDS: one event, into size_kib; 1 when none comes.
event_read() {
    local line
    while IFS= read -r -t "$1" -u "$events_fd" line; do
        case $line in
        *"for domain '"*) event_domain=${line##*"for domain '"} event_domain=${event_domain%"'"*} ;;
        'alias: '*) event_alias=${line#alias: } ;;
        'size: '*) size_kib[$event_domain/$event_alias]=${line#size: }; return 0 ;;
        esac
    done
    return 1
}

events_forget() {
    while event_read 0.05; do :; done
    size_kib=()
}

# events_say KIB NAME...: until both devices of each guest are told to have KIB.
events_say() {
    local kib=$1 name alias missing
    shift
    while :; do
        missing=
        for name in "$@"; do
            for alias in virtiomem0 virtiomem1; do
                [[ ${size_kib[$name/$alias]-} == "$kib" ]] || missing=1
            done
        done
        [[ $missing ]] || return 0
        event_read 60 || return 1
    done
}

guest_total_kib() {
    con "$1" 'read -r _ t _ </proc/meminfo; echo $t' && [[ $con_said =~ ^[0-9]+$ ]] && echo_kib=$con_said
}

# guests_show SIGN NAME...: until each guest's MemTotal is 512 MiB above (+) or back at (-) what
# it was without, asked every 50 ms.
guests_show() {
    local sign=$1 name deadline=$((SECONDS + 60))
    shift
    for name in "$@"; do
        while :; do
            guest_total_kib "$name" || return 1
            if [[ $sign == + ]]; then
                ((echo_kib >= small_kib[$name] + 524288)) && break
            else
                ((echo_kib <= small_kib[$name])) && break
            fi
            ((SECONDS < deadline)) || return 1
            sleep 0.05
        done
    done
}

# --- the sides ----------------------------------------------------------------------------------
# Each: SIDE_do ROW SIGN NAME...; ROW is mem, cpu or both.

lpard_do() {
    local row=$1 verb=add name pids=() pid status=0 amounts
    [[ $2 == - ]] && verb=remove
    shift 2
    case $row in
    mem) amounts=(mem=512M) ;;
    cpu) amounts=(cpu=1) ;;
    both) amounts=(cpu=1 mem=512M) ;;
    esac
    if (($# == 1)); then
        lparctl "$verb" "$1" "${amounts[@]}" -o json >"$work/answer-$1" 2>"$work/error-$1"
        status=$?
    else
        for name in "$@"; do
            lparctl "$verb" "$name" "${amounts[@]}" -o json >"$work/answer-$name" \
                2>"$work/error-$name" &
            pids+=($!)
        done
        for pid in "${pids[@]}"; do
            wait "$pid" || status=1
        done
    fi
    return "$status"
}

# Both cells in one virsh: its start is counted once.
virsh_memory() {
    virsh -q -c "$uri" "update-memory-device $1 --live --alias virtiomem0 --requested-size $2;
        update-memory-device $1 --live --alias virtiomem1 --requested-size $2" \
        >"$work/virsh-$1" 2>&1 </dev/null
}

# peer_do HOW ROW SIGN NAME...: HOW is event or poll.
peer_do() {
    local how=$1 row=$2 sign=$3 size=256MiB kib=262144 online=1 name pids=()
    shift 3
    [[ $sign == - ]] && size=0 kib=0 online=0
    if [[ $row != cpu ]]; then
        for name in "$@"; do
            virsh_memory "$name" "$size" &
            pids+=($!)
        done
    fi
    if [[ $row != mem ]]; then
        # A write to the file of each guest's vCPU, then the answers in turn.
        for name in "$@"; do
            printf 'echo %s >/sys/devices/system/cpu/%s/online\n' $online "${folds[$name]}" \
                >&"${con_in[$name]}"
        done
        for name in "$@"; do
            con "$name" "read -r o </sys/devices/system/cpu/${folds[$name]}/online; echo \$o" &&
                [[ $con_said == "$online" ]] || return 1
        done
    fi
    for name in "${pids[@]}"; do
        wait "$name" || return 1
    done
    [[ $row != cpu ]] || return 0
    if [[ $how == event ]]; then
        events_say $kib "$@"
    else
        guests_show "$sign" "$@"
    fi
}

event_do() { peer_do event "$@"; }
poll_do() { peer_do poll "$@"; }

# The first vCPU that a guest gets after its boot.
lpard_fresh() {
    lpard_do cpu + "$1"
}

event_fresh() {
    virsh -q -c "$uri" setvcpus "$1" 2 --live >"$work/virsh-$1" 2>&1 </dev/null || return 1
    con "$1" 'while ! test -e /sys/devices/system/cpu/cpu1/online; do usleep 10000; done
        echo 1 >/sys/devices/system/cpu/cpu1/online
        read -r o </sys/devices/system/cpu/online; echo $o' && [[ $con_said == 0-1 ]]
}

poll_fresh() {
    local deadline=$((SECONDS + 60))
    virsh -q -c "$uri" setvcpus "$1" 2 --live >"$work/virsh-$1" 2>&1 </dev/null || return 1
    while :; do
        con "$1" 'read -r o </sys/devices/system/cpu/online; echo $o' || return 1
        [[ $con_said == 0-1 ]] && return 0
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}
