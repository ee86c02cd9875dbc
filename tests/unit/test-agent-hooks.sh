#!/bin/sh
# The hooks that are installed as examples, with tools that are made up and a /proc of their own.
# TAP.  LP_HOOK_SHELL: the shell that runs them, "sh" unless told.
set -u
LC_ALL=C
export LC_ALL
hooks=$(cd "${srcdir:-.}/agent/hooks" && pwd) || exit 1
shell=${LP_HOOK_SHELL:-sh}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bin=$work/bin
mkdir "$bin" "$work/proc" "$work/jdk"
n=0
failures=0

# result WHETHER WHAT: TAP.
result() {
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        sed 's/^/# /' "$work/calls" "$work/out" 2>/dev/null
        failures=$((failures + 1))
    fi
}

# tool NAME: from then on NAME is what stands on the standard input; it notes its call first.
tool() {
    {
        echo '#!/bin/sh'
        echo "echo \"$1 \$*\" >>'$work/calls'"
        cat
    } >"$bin/$1"
    chmod +x "$bin/$1"
}

# hook NAME PHASE ACTION RESOURCE FROM TO [DEADLINE]: its status in $status, what it did in calls.
hook() {
    : >"$work/calls"
    env -i "PATH=$bin:/usr/bin:/bin" LC_ALL=C HOME=/ "LPAR_HOOKS_CONF=$work/hooks.conf" \
        "LPAR_HOOKS_PROC=$work/proc" "LPAR_PHASE=$2" "LPAR_ACTION=$3" "LPAR_RESOURCE=$4" \
        "LPAR_FROM=$5" "LPAR_TO=$6" "LPAR_AMOUNT=1" "LPAR_DEADLINE=${7:-5}" LPAR_FORCE=0 \
        LPAR_OPERATION=1 "$shell" "$hooks/$1" "$2" "$3" "$4" >"$work/out" 2>&1
    status=$?
}

does() { grep -Fqx -- "$1" "$work/calls"; }
says() { grep -Fq -- "$1" "$work/out"; }
# Nothing done, nothing said, no veto.
nothing() { [ "$status" = 0 ] && ! [ -s "$work/calls" ] && ! [ -s "$work/out" ]; }

echo "1..35"
: >"$work/hooks.conf"
G=1073741824

# Without their programs they do nothing at all, in any phase.
quiet=0
for name in 30-nginx 40-postgresql 50-jvm 60-systemd; do
    for phase in check pre post undo; do
        for action in acquire release; do
            for resource in cpu mem capacity; do
                PATH=$bin:/usr/bin:/bin
                : >"$work/calls"
                env -i "PATH=$bin" "LPAR_HOOKS_CONF=$work/none" "LPAR_HOOKS_PROC=$work/proc" \
                    LPAR_PHASE=$phase LPAR_ACTION=$action LPAR_RESOURCE=$resource LPAR_FROM=2 \
                    LPAR_TO=1 LPAR_DEADLINE=5 "$(command -v "$shell")" "$hooks/$name" \
                    >"$work/out" 2>&1 || quiet=1
                [ -s "$work/out" ] && quiet=1
            done
        done
    done
done
result $quiet "no hook says or vetoes anything where its program is absent"

tool setpriv <<'END'
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
END

# --- 50-jvm ---
mkdir "$work/proc/41" "$work/proc/42" "$work/proc/43"
echo java >"$work/proc/41/comm"
echo java >"$work/proc/42/comm"
echo javac >"$work/proc/43/comm"
tool jcmd <<'END'
exit 0
END
tool readlink <<'END'
exit 1
END
hook 50-jvm pre release mem $((4 * G)) $((2 * G))
[ $status = 0 ] && does "jcmd 41 GC.run" && does "jcmd 41 System.trim_native_heap" &&
    does "jcmd 42 GC.run" && ! grep -q 43 "$work/calls"
result $? "each Java program collects before memory leaves"
! grep -q setpriv "$work/calls"
result $? "one's own without another identity"
tool stat <<'END'
echo 1234:5678
END
hook 50-jvm pre release mem $((4 * G)) $((2 * G))
grep -q -- "setpriv --reuid=1234 --regid=5678 --clear-groups -- .*jcmd 41 GC.run" "$work/calls"
result $? "another's as its owner"
rm "$bin/stat"
for what in "check release mem" "post release mem" "pre acquire mem" "pre release cpu"; do
    # shellcheck disable=SC2086
    hook 50-jvm $what $((4 * G)) $((2 * G))
    nothing
    result $? "50-jvm does nothing at $what"
done
echo 'JVM_SKIP="41 99"' >"$work/hooks.conf"
hook 50-jvm pre release mem $((4 * G)) $((2 * G))
! grep -q 41 "$work/calls" && does "jcmd 42 GC.run"
result $? "a process can be left alone"
: >"$work/hooks.conf"
cp "$bin/jcmd" "$work/jdk/jcmd"
sed -i 's/jcmd \$/own jcmd $/' "$work/jdk/jcmd"
tool readlink <<END
echo $work/jdk/java
END
hook 50-jvm pre release mem $((4 * G)) $((2 * G))
does "own jcmd 41 GC.run"
result $? "the program's own JDK comes first"
tool readlink <<'END'
exit 1
END
tool jcmd <<'END'
exec sleep 60
END
began=$(date +%s)
hook 50-jvm pre release mem $((4 * G)) $((2 * G)) 3
[ $status = 0 ] && [ $(($(date +%s) - began)) -lt 5 ]
result $? "one that hangs is given up before the hook's time is up"
hook 50-jvm pre release mem $((4 * G)) $((2 * G)) 1
nothing
result $? "where there is no time nothing is begun"
tool jcmd <<'END'
exit 1
END
hook 50-jvm pre release mem $((4 * G)) $((2 * G))
[ $status = 0 ] && ! [ -s "$work/out" ]
result $? "one that fails vetoes nothing"

# --- 40-postgresql ---
echo "PG_USER=$(id -un)" >"$work/hooks.conf"
tool psql <<'END'
echo $((3 << 30))
END
hook 40-postgresql check release mem $((16 * G)) $((4 * G))
[ $status = 1 ] && says "shared_buffers of 3072 MiB would be more than 50 % of 4096 MiB"
result $? "memory that shared_buffers needs does not leave"
hook 40-postgresql check release mem $((16 * G)) $((8 * G))
[ $status = 0 ] && ! [ -s "$work/out" ] && grep -q "psql -X -A -t -w -q -c SELECT" "$work/calls"
result $? "other memory may"
hook 40-postgresql check acquire mem $((4 * G)) $((5 * G))
nothing
result $? "nothing is asked when memory comes"
echo "PG_SHARED_PERCENT=0" >>"$work/hooks.conf"
hook 40-postgresql check release mem $((16 * G)) $((4 * G))
nothing
result $? "the veto can be switched off"
hook 40-postgresql post release mem $((16 * G)) $((4 * G))
nothing
result $? "nothing is set unless it is wanted"
echo "PG_SET_CACHE=yes" >>"$work/hooks.conf"
hook 40-postgresql post acquire mem $((4 * G)) $((16 * G))
[ $status = 0 ] && grep -q "effective_cache_size = '12582912kB' -c SELECT pg_reload_conf" \
    "$work/calls"
result $? "effective_cache_size is three quarters of what is there"
echo "PG_USER=$(id -un)" >"$work/hooks.conf"
for answer in "" "3 GB" "-1" "ERROR:  no"; do
    tool psql <<END
echo "$answer"
END
    hook 40-postgresql check release mem $((16 * G)) $((4 * G))
    [ $status = 0 ] && ! [ -s "$work/out" ]
    result $? "an answer of \"$answer\" is no veto"
done
tool psql <<'END'
exec sleep 60
END
hook 40-postgresql check release mem $((16 * G)) $((4 * G)) 2
[ $status = 0 ] && ! [ -s "$work/out" ]
result $? "a server that hangs vetoes nothing"
echo "PG_USER=nobody-of-this-name" >"$work/hooks.conf"
hook 40-postgresql check release mem $((16 * G)) $((4 * G))
nothing
result $? "nor one that is not there"

# --- 30-nginx ---
tool systemctl <<'END'
exit 0
END
# A master: by USR2 another one takes its file, by QUIT it ends.
cat >"$work/master" <<END
#!/bin/sh
trap 'echo old has QUIT >>"$work/calls"; kill \$!; exit' QUIT
trap '[ -e "$work/refuse" ] || { "$work/new" & }' USR2
while :; do sleep 60 & wait \$!; done
END
cat >"$work/new" <<END
#!/bin/sh
echo \$\$ >"$work/nginx.pid"
exec sleep 60
END
chmod +x "$work/master" "$work/new"
cat >"$work/hooks.conf" <<END
NGINX_CONF=$work/nginx.conf
NGINX_PID=$work/nginx.pid
RELOAD_LIST=$work/reload
END
start_master() {
    # The shell has what it puts in the background ignore QUIT.
    env --default-signal=QUIT "$work/master" >/dev/null 2>&1 &
    master=$!
    echo "$master" >"$work/nginx.pid"
    sleep 0.2
}
echo "worker_processes 4;" >"$work/nginx.conf"
start_master
hook 30-nginx post acquire cpu 1 2
nothing && [ "$(cat "$work/nginx.pid")" = "$master" ]
result $? "an nginx of four workers is left alone"
printf 'user www;\n  worker_processes  auto;\n' >"$work/nginx.conf"
hook 30-nginx post acquire cpu 2 2
nothing && [ "$(cat "$work/nginx.pid")" = "$master" ]
result $? "where no processor came or went nothing is done"
hook 30-nginx post acquire cpu 1 2
wait "$master" 2>/dev/null
[ $status = 0 ] && does "old has QUIT" && [ "$(cat "$work/nginx.pid")" != "$master" ]
result $? "one with a worker a processor gets a new master, and the old one ends"
kill "$(cat "$work/nginx.pid")" 2>/dev/null
start_master
: >"$work/refuse"
hook 30-nginx post acquire cpu 1 2 2
[ $status = 0 ] && says "has not started" && ! grep -q QUIT "$work/calls" && kill -0 "$master" 2>/dev/null
result $? "the old one stays where no new one comes"
kill -QUIT "$master"
wait "$master" 2>/dev/null
hook 30-nginx post acquire cpu 1 2
nothing
result $? "a file of a master that has ended is no master"
rm "$work/nginx.pid"
# shellcheck disable=SC2016 # a name, not a command
printf '# ours\n\nphp-fpm.service\nunicorn.service restart\n-x.service\n$(id).service\na.service stop\n' \
    >"$work/reload"
hook 30-nginx post release cpu 2 1
[ $status = 0 ] && does "systemctl --no-block reload php-fpm.service" &&
    does "systemctl --no-block try-restart unicorn.service" &&
    [ "$(wc -l <"$work/calls")" = 2 ] && says "a.service: neither"
result $? "listed units are reloaded or restarted, and nothing else is"

# --- 60-systemd ---
echo "SERVICES=$work/services" >"$work/hooks.conf"
hook 60-systemd post acquire cpu 2 4
nothing
result $? "without a list no limit is set"
printf '# ours\nbatch.service cpu=50%%  mem=25%%\nweb.slice mem=60%%\n' >"$work/services"
printf 'bad.service cpu=0%% cpu=101%% cpu=x%% cpu=9999999%%\n*.service cpu=5%%\n-M cpu=5%%\n' \
    >>"$work/services"
printf 'q.service mem=* cpu=7' >>"$work/services"
hook 60-systemd post acquire cpu 2 4
[ $status = 0 ] && does "systemctl set-property --runtime batch.service CPUQuota=200%" &&
    [ "$(wc -l <"$work/calls")" = 1 ] && says "cpu=101% is not"
result $? "processors in proportion"
hook 60-systemd post release mem $((16 * G)) $((8 * G))
does "systemctl set-property --runtime batch.service MemoryHigh=2147483648" &&
    does "systemctl set-property --runtime web.slice MemoryHigh=5153960755" &&
    [ "$(wc -l <"$work/calls")" = 2 ]
result $? "memory in proportion"
hook 60-systemd pre release mem $((16 * G)) $((8 * G))
nothing
result $? "only afterwards"
[ "$failures" = 0 ]
