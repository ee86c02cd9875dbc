#!/bin/sh
# The arrows between the rooms, held by a test: which headers a room may include, and which
# symbols its archive may need.  TAP.
#
# usage: [srcdir=DIR] check-layers.sh [BUILDDIR [ARCHIVE...]]
set -u
LC_ALL=C
export LC_ALL
src=${srcdir:-.}
build=${1:-.}
test $# -gt 0 && shift
test $# -gt 0 || set -- liblp-policy.a liblp-place.a liblp-layout.a liblp-plan.a liblp-wire.a

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0
failures=0

result() {                      # FILE-OF-FAULTS DESCRIPTION
    n=$((n + 1))
    if [ -s "$1" ]; then
        echo "not ok $n - $2"
        sed 's/^/# /' "$1"
        failures=$((failures + 1))
    else
        echo "ok $n - $2"
    fi
}

rooms="numa policy hotplug wire lib agent lpard journal registry engine define pools autoscale optimize api main ctl sim"
echo "1..$(($(echo $rooms | wc -w) + 2 + $#))"

# file:line:included header, for every quoted include of every room.
(cd "$src" && find numa policy hotplug agent lpard -name '*.[ch]' -exec \
    grep -Hn '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' {} +) |
    sed 's/#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/; s/:[[:space:]]*/:/g' |
    sort >"$work/includes"

# Adds the room of the file and that of the header to each.
awk -F: '
    function room(path) {
        if (path ~ /^agent\/wire\//) return "wire"
        if (path ~ /^agent\/lib\//) return "lib"
        if (path == "lpard/main.c") return "main"
        if (path ~ /^lpard\/[a-z]+\//) { split(path, part, "/"); return part[2] }
        return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "-"
    }
    $3 != "config.h" { print room($1), room($3), $1 ":" $2, $3 }' "$work/includes" >"$work/arrows"

# What each room may include, as patterns of header paths beside its own.
allowed() {
    case $1 in
    numa) echo '^$' ;;
    policy) echo '^numa/(cpumask|place|rule)[.]h$' ;;
    hotplug) echo '^numa/' ;;
    wire) echo '^numa/cpumask[.]h$' ;;
    # What programs of a guest link: the codec and no more.
    lib) echo '^agent/wire/' ;;
    # Its command "request" is such a program, and takes amounts as lparctl does.
    agent) echo '^((numa/cpumask|policy/units|agent/lib/lpar-agent)[.]h$|agent/wire/)' ;;
    lpard) echo '^(hotplug|policy|numa|agent/wire)/' ;;
    # Its points to fail at, which are nothing in a build for use, are in the one list of all.
    journal) echo '^(lpard/[^/]*|hotplug/fault)[.]h$' ;;
    registry) echo '^((hotplug|policy|numa|agent/wire|lpard/journal)/|lpard/[^/]*[.]h$)' ;;
    engine | define)
        echo '^((hotplug|policy|numa|agent/wire|lpard/(journal|registry))/|lpard/[^/]*[.]h$)' ;;
    pools)
        echo '^((hotplug|policy|numa|lpard/(registry|engine))/|lpard/[^/]*[.]h$)' ;;
    autoscale)
        echo '^((hotplug|policy|numa|agent/wire|lpard/(registry|engine|pools))/|lpard/[^/]*[.]h$)' ;;
    optimize)
        echo '^((hotplug|policy|numa|agent/wire|lpard/(registry|engine|journal))/|lpard/[^/]*[.]h$)' ;;
    api)
        echo '^((hotplug|policy|numa|agent/wire)/|lpard/(journal|registry|engine|define)/)' \
            '|^lpard/(autoscale|pools|optimize)/' \
            '|^lpard/[^/]*[.]h$' | tr -d ' ' ;;
    main) echo '^((hotplug|policy|numa)/|lpard/)' ;;
    # It plays host and guests to the policy, and knows nothing of the daemon.  A topology is how a
    # host's nodes are described to both.
    sim) echo '^(policy/|numa/topology[.]h$|lpard/(error|svg)[.]h$)' ;;
    # Amounts and their limits have one home, so a bad one is refused before it is sent; all else
    # lparctl knows through the API alone.
    ctl) echo '^(policy/(units|profile|autoscale)|numa/(cpumask|rule)|lpard/(error|svg))[.]h$' ;;
    esac
}

for room in $rooms; do
    awk -v room="$room" -v allowed="$(allowed "$room")" '
        $1 != room || $2 == room || $4 ~ allowed { next }
        # The simulated host plays the guest too, and so speaks its protocol.
        room == "hotplug" && $3 ~ /^hotplug\/sim/ && $4 ~ /^agent\/wire\// { next }
        { print $3 " includes \"" $4 "\", which " room " may not" }' \
        "$work/arrows" >"$work/faults"
    grep -q "^$room " "$work/arrows" || echo "$room has no includes: was it moved?" >>"$work/faults"
    result "$work/faults" "$room includes only what is below it"
done

# Whatever the list above allows, no way may lead back.
awk '$1 != $2 { print $1, $2 }' "$work/arrows" | sort -u >"$work/graph"
tsort "$work/graph" >"$work/order" 2>"$work/faults"
result "$work/faults" "the rooms form no cycle"

# A folder of C that no rule covers would be a room without a door.
(cd "$src" && find . -name '*.[ch]' ! -path './.git/*' ! -path './tests/*' ! -path './.lab/*' |
    sed 's|^\./||' | grep -Ev '^(numa|policy|hotplug|agent(/(wire|classes|lib))?|lpard(/(ctl|api|autoscale|define|engine|optimize|pools|registry|journal|sim))?)/[^/]*$') |
    grep -Ev '^(config[.]h|_build/|build[^/]*/|lpard-[0-9][^/]*/)' |
    sed 's/$/ is in no room of this test/' >"$work/faults"
result "$work/faults" "every source file is in a room"

# What pure code must not call: other libraries, the clock, files, logs, chance, threads.
libraries='g|vir|gvir|hwloc|numa|xml|sqlite3|soup|cgroup|pthread'
clock='time|clock|clock_[a-z]+|gettimeofday|localtime(_r)?|gmtime(_r)?|mktime|sleep|usleep|nanosleep|timer[a-z_]*|alarm'
files='open|open64|openat|openat64|creat|fopen|fopen64|fdopen|read|write|pread|pwrite|readv|writev|close|fclose|fread|fwrite|fgets|fgetc|getline|ioctl|f?stat(64)?|lstat|access|unlink|rename|mkdir|opendir|readdir|socket|connect|bind|listen|accept4?|send|sendto|sendmsg|recv|recvfrom|recvmsg|poll|select|epoll_[a-z]+|mmap|pipe2?'
logs='printf|fprintf|vprintf|vfprintf|dprintf|vdprintf|puts|fputs|putc|fputc|putchar|perror|syslog|vsyslog|openlog|stdout|stderr|warnx?|errx?'
chance='s?rand|rand_r|s?random|random_r|[dlm]rand48|getrandom|getentropy|arc4random[a-z_]*'
process='getenv|secure_getenv|setenv|putenv|fork|vfork|exec[lv]p?e?|system|popen|exit|_exit|kill|signal|sigaction|setlocale|getpid|getuid'
impure="^(($libraries)_.*|(vir|xml)[A-Z].*|(__)?($clock|$files|$logs|$chance|$process)(_chk|_unlocked)?)\$"
memory='^(malloc|calloc|realloc|reallocarray|free|strdup|strndup|v?asprintf|aligned_alloc|posix_memalign)$'

for archive; do
    : >"$work/faults"
    case $archive in
    *policy*) below="$archive liblp-place.a" ;;
    *plan*) below="$archive liblp-place.a" ;;
    *layout*) below="$archive liblp-place.a" ;;
    *wire*) below="$archive liblp-place.a" ;;
    *) below=$archive ;;
    esac
    if nm -u "$build/$archive" >"$work/nm" 2>"$work/faults"; then
        : >"$work/faults"
        awk '$1 == "U" || $1 == "w" { sub(/@.*/, "", $2); print $2 }' "$work/nm" | sort -u \
            >"$work/needed"
        grep -E "$impure" "$work/needed" | sed "s/^/$archive calls /" >>"$work/faults"
        # Placement works in its caller's room.  The policy may take memory, and nothing else: its
        # room grows with the most partitions that were decided at once.
        case $archive in
        *place*)
            grep -E "$memory" "$work/needed" | sed "s/^/$archive calls /" >>"$work/faults" ;;
        esac
        for each in $below; do nm -g --defined-only "$build/$each"; done 2>/dev/null |
            awk 'NF == 3 { print $3 }' | sort -u >"$work/defined"
        grep '^lp_' "$work/needed" | comm -23 - "$work/defined" |
            sed "s/\$/ is needed by $archive, and is not below it/" >>"$work/faults"
    fi
    result "$work/faults" "$archive needs nothing impure"
done
test $failures -eq 0
