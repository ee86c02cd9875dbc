# A guest's serial console, seen from the host.  Sourced; needs vsh, run_dir and log_dir.
#
# Each guest has one reader that keeps its console in $log_dir/console-NAME.log.  It also keeps
# the pty open: QEMU looks only once a second whether somebody has come.

# spawn COMMAND...: starts a program that outlives this one, with none of its descriptors (the
# lab's lock among them); its number in $!.
spawn() {
    (
        for fd in "/proc/$BASHPID/fd"/*; do
            fd=${fd##*/}
            ((fd > 2)) && eval "exec $fd>&-"
        done
        exec setsid "$@"
    ) &
    # Its end, even a violent one, is nothing for this shell to report.
    disown
}

# All opening of ptys is dd's, with noctty: a shell without a terminal of its own (CI) would
# make the guest's console its controlling terminal, and be hung up with the guest.
console_attach() {
    local name=$1 pidfile=$run_dir/console-$1.pid pid pty
    if read -r pid 2>/dev/null <"$pidfile" && kill -0 "$pid" 2>/dev/null; then
        return 0
    fi
    pty=$(vsh ttyconsole "$name" 2>/dev/null) && [[ -c $pty ]] || return 1
    stty -F "$pty" raw -echo 2>/dev/null </dev/null || return 1
    echo "$pty" >"$run_dir/console-$name.pty"
    spawn dd if="$pty" iflag=noctty of="$log_dir/console-$name.log" oflag=append conv=notrunc \
        bs=4096 status=none </dev/null >/dev/null 2>&1
    echo $! >"$pidfile"
}

console_detach() {
    local pidfile=$run_dir/console-$1.pid pid
    read -r pid 2>/dev/null <"$pidfile" || return 0
    rm -f "$pidfile"
    # The number may be another program's by now.
    if [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dd ]]; then
        kill "$pid" 2>/dev/null
    fi
    return 0
}

# guest NAME COMMAND [SECONDS]: runs COMMAND in the guest, prints its output (both streams),
# returns its exit status.  143 when COMMAND did not end in time, 125 when the guest does not
# answer.
guest() {
    # The guest keeps the time; the larger limit is for a guest that does not answer at all.
    console_run "$1" "$2" "${3:-30}" $((${3:-30} + 10))
}

# Seconds that a guest may take to answer, once it is up.
guest_patience=2

# guest_wait NAME SECONDS: until the guest's user space answers.  What is written before the
# console has a reader may be lost, so it is asked again and again.
guest_wait() {
    local name=$1 deadline=$((SECONDS + $2))
    while ((SECONDS < deadline)); do
        console_run "$name" true 5 "$guest_patience" >/dev/null && return 0
        [[ $(vsh domstate "$name" 2>/dev/null) == running ]] || return 1
    done
    return 1
}

# console_run NAME COMMAND SECONDS PATIENCE
console_run() {
    local console_lock status
    # One command at a time on a console, whoever asks.
    exec {console_lock}>"$run_dir/console-$1.lock"
    flock "$console_lock"
    console_talk "$@"
    status=$?
    exec {console_lock}>&-
    return $status
}

console_talk() {
    local name=$1 command=$2 seconds=$3 deadline=$((SECONDS + $4)) id=$BASHPID-$RANDOM
    local log=$log_dir/console-$1.log follow tail_pid line text='' begun='' status=125
    : >>"$log"
    console_attach "$name" || return 125
    exec {follow}< <(exec tail --pid=$$ -c "+$(($(stat -c %s "$log") + 1))" -f "$log" 2>/dev/null)
    tail_pid=$!
    # Ctrl-U first: half a line may have been left there.
    printf '\025lab-run %s %s %s\n' "$id" "$seconds" "$(base64 -w 0 <<<"$command")" |
        timeout 5 dd of="$(cat "$run_dir/console-$name.pty")" oflag=noctty conv=notrunc \
            status=none 2>/dev/null
    while ((SECONDS < deadline)) &&
        IFS= read -r -t $((deadline - SECONDS)) -u "$follow" line; do
        line=${line%$'\r'}
        if [[ $line == "<lab:$id:begin>" ]]; then
            begun=1
        elif [[ $line =~ ^"<lab:$id:end:"([0-9]+)">"$ ]]; then
            status=${BASH_REMATCH[1]}
            break
        elif [[ $begun && $line =~ ^[A-Za-z0-9+/]+=*$ ]]; then
            text+=$line
        fi
    done
    kill "$tail_pid" 2>/dev/null
    exec {follow}<&-
    if [[ $text ]]; then
        base64 -d <<<"$text" || status=125
    fi
    return "$status"
}
