#!/bin/bash
# lpard's whole life on real guests, watched: start, resizes, moves, agents, the API with all its
# routes, events, TLS, a guest's reboot, refusals, the end by SIGTERM.  $memory_tool: valgrind, or
# sanitizers for the build in $memory_build.
# budget: 900
. "$(dirname "$0")/lib.sh"
memory_tool=${memory_tool:-valgrind}
memory_build=${memory_build:-$lab_dir/build-asan}
# Only leaks that are certain: GLib's types are reachable by design, and look lost where it packs
# its pointers.
found_status=99
tmp=$(mktemp -d)
watched=
# The lab goes on with its ordinary lpard.
back_to_normal() {
    [[ $watched ]] && kill -KILL "$watched" 2>/dev/null && wait "$watched" 2>/dev/null
    unset G_SLICE G_DEBUG ASAN_OPTIONS UBSAN_OPTIONS
    lpard_start
    rm -rf "$tmp"
}
trap back_to_normal EXIT
at_start "$alpha" "$beta"
cp "$run_dir/lpard.conf" "$tmp/lpard.conf"
lpard_stop TERM
program=$build_dir/lpard/lpard

if [[ $memory_tool == valgrind ]]; then
    command -v valgrind >/dev/null || die "valgrind is missing: apt-get install valgrind"
    export G_SLICE=always-malloc G_DEBUG=gc-friendly
    under=(valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect
        --show-leak-kinds=definite,indirect --num-callers=30 "--error-exitcode=$found_status"
        --suppressions="$top/tests/lab/valgrind.supp" --log-file="$tmp/found.%p")
    suppressions=/usr/share/glib-2.0/valgrind/glib.supp
    [[ -f $suppressions ]] && under+=(--suppressions="$suppressions")
    patience=8
else
    [[ -x $memory_build/lpard/lpard ]] || die "there is no build with sanitizers in $memory_build"
    export ASAN_OPTIONS=detect_leaks=1:exitcode=$found_status:log_path=$tmp/found
    export UBSAN_OPTIONS=halt_on_error=1:exitcode=$found_status:log_path=$tmp/found
    program=$memory_build/lpard/lpard
    under=()
    patience=4
fi

# A way in by TLS, too, with certificates for an hour.
certificates() {
    (
        cd "$tmp" || exit 1
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 1 -subj /CN=lab-ca
        for who in server admin; do
            openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr -subj /CN=$who
            printf 'subjectAltName=IP:127.0.0.1\n' >$who.ext
            openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 \
                -extfile $who.ext -out $who.pem
        done
        chmod 0600 ./*.key
    ) >/dev/null 2>&1
}
port=16511
if certificates; then
    cat >>"$tmp/lpard.conf" <<CONF
[tls]
listen = 127.0.0.1:$port
certificate = $tmp/server.pem
key = $tmp/server.key
ca = $tmp/ca.pem
CONF
fi
"${under[@]}" "$program" --config "$tmp/lpard.conf" --connect "$uri" --socket "$LPARD_SOCKET" \
    --state "$run_dir/state" </dev/null >>"$log_dir/lpard-$memory_tool.log" 2>&1 &
watched=$!
connected() {
    [[ $(lparctl host -o json 2>/dev/null | jq .connected 2>/dev/null) == true ]]
}
check "lpard begins" wait_for $((60 * patience)) connected
check "the agents find it" wait_for $((30 * patience)) agent_connected "$alpha"
check "both of them" wait_for $((30 * patience)) agent_connected "$beta"

get() {
    curl -s -m $((10 * patience)) -o /dev/null --unix-socket "$LPARD_SOCKET" "http://localhost$1"
}
curl -s -N -m $((60 * patience)) --unix-socket "$LPARD_SOCKET" http://localhost/v1/events \
    >"$tmp/events" &
follower=$!
ends 0 "a resize of both kinds" set "$alpha" cpu=2 mem=768M
ends 0 "a move" move mem=128M --from "$alpha" --to "$beta"
ends 0 "a capacity" capacity "$alpha" entitled=0.30 weight=64
ends 4 "a refusal" set "$alpha" cpu=64
ends 0 "a dry run" set "$alpha" mem=1G --dry-run
ends 9 "one that is cancelled" set "$alpha" mem=1536M --no-wait
id=$(lparctl -o json op list 2>/dev/null | jq -r '.operations[0].id // empty')
[[ -z $id ]] || lparctl op cancel "$id" >/dev/null 2>&1
check "which ends" wait_for $((60 * patience)) op_ended "$alpha"
for route in / /host /host?contents=1 /domains /partitions "/partitions/$alpha" \
    "/partitions/$alpha/profile" "/partitions/$alpha/check" "/partitions/$alpha/guest" \
    "/partitions/$alpha/policy" /operations "/operations?state=all&partition=$alpha" /policy \
    /policy/plan /policy/log /score /score?fresh=1 /pools /metrics /openapi.json /audit /nothing; do
    get "/v1$route" || result 1 "GET /v1$route is answered"
done
result 0 "every route was asked"
head -c 100000 /dev/zero | curl -s -m $((10 * patience)) -o /dev/null -X POST --data-binary @- \
    --unix-socket "$LPARD_SOCKET" "http://localhost/v1/move"
printf 'GET / HTTP/1.1\r\nX: ' | timeout 2 curl -s -m 1 --unix-socket "$LPARD_SOCKET" -T - http://localhost/ \
    >/dev/null 2>&1
if [[ -f $tmp/admin.pem ]]; then
    code=$(curl -s -m $((20 * patience)) -o /dev/null -w '%{http_code}' --cacert "$tmp/ca.pem" \
        --cert "$tmp/admin.pem" --key "$tmp/admin.key" "https://127.0.0.1:$port/v1/")
    [[ $code == 200 || $code == 403 ]]
    result $? "TLS with a certificate is answered" "status $code"
    curl -s -m $((10 * patience)) -o /dev/null --cacert "$tmp/ca.pem" "https://127.0.0.1:$port/v1/"
fi
lparctl autoscale "$alpha" --goal balanced >/dev/null 2>&1
lparctl policy >/dev/null 2>&1
lparctl autoscale "$alpha" --mode off >/dev/null 2>&1
lparctl optimize --dry-run >/dev/null 2>&1
vsh reset "$beta" >/dev/null 2>&1
check "a guest that was reset comes back" wait_for $((90 * patience)) agent_connected "$beta"
check "nothing is open" wait_for $((60 * patience)) op_ended "$alpha"
kill "$follower" 2>/dev/null
wait "$follower" 2>/dev/null
grep -q '^event: operation' "$tmp/events"
result $? "the events were told meanwhile"

# It must end by itself, and with 0: what was found is said in the exit status.
kill -TERM "$watched"
(sleep $((30 * patience)) && kill -KILL "$watched") 2>/dev/null &
guard=$!
wait "$watched"
is $? 0 "lpard ends with 0 under $memory_tool"
kill "$guard" 2>/dev/null
watched=
found=$(cat "$tmp"/found* 2>/dev/null | head -c 6000)
is "$found" "" "and nothing was found"
echo "# soak: whole life under $memory_tool: 1"
tests_end
