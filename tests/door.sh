#!/bin/sh
# The real lpard's doors: what it does where descriptors run out, and lparctl over TLS.  TAP.
set -u

test_name=door
. "${0%/*}/lpard-tap.sh"
holder=
# Its own: standard streams, a database, sockets and pipes; some 30.  Then there is no more.
descriptors=64
hoard=100

clean_more() {
    [ -n "$holder" ] && kill -9 "$holder" 2>/dev/null
}

# LeakSanitizer cannot look at threads that GIO's TLS module has run in, and dies of it.
ctl() {
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 \
        timeout "$patience" "$lparctl" "$@" >"$dir/out" 2>&1
}

start_lpard() {                 # COMMAND...: what runs it
    "$@" "$lpard" --config "$dir/lpard.conf" --connect "sim:$host" --socket "$sock" \
        --state "$dir/state" --topology "$topology" >"$dir/log" 2>&1 &
    lpard_answers ctl --socket "$sock" version
}

stop_lpard() {
    kill "$pid"
    wait "$pid"
    result $? "lpard ends as it should"
    pid=
}

# Milliseconds in which lpard's loop ran or wanted to: on a busy machine a spin is mostly the
# latter.
awake() {
    read -r ran waited rest <"/proc/$pid/schedstat"
    echo $(((ran + waited) / 1000000))
}

# --- where descriptors run out ---------------------------------------------------------------

printf '{"seed": 3, "domains": [{"name": "p0"}]}\n' >"$host"
printf '[limits]\nconnections = 4096\nconnections-per-peer = 4096\n' >"$dir/lpard.conf"
start_lpard prlimit --nofile="$descriptors:$descriptors"
# Connections that say nothing, until they are asked to go.
mkfifo "$dir/go"
"$build/tests/unit/hoard" "$sock" "$hoard" <"$dir/go" >"$dir/hoard" 2>&1 &
holder=$!
exec 7>"$dir/go"
until_is "it says that descriptors ran out, and what to do" grep -e "no connection can be accepted" "$dir/log"
before=$(awake)
# Nothing happens meanwhile that could be waited for: that is what is looked at.
sleep 1
after=$(awake)
echo "awake for $before ms before, $after ms after" >"$dir/out"
[ $((after - before)) -lt 500 ]
result $? "it does not spin meanwhile"
[ "$(grep -c "no connection can be accepted" "$dir/log")" = 1 ]
result $? "it says so once"
kill -0 "$pid"
result $? "it lives"
exec 7>&-
wait "$holder"
holder=
until_is "it accepts again when some have gone" grep -e "accepted again" "$dir/log"
ctl --socket "$sock" list --all
says p0 "lparctl is served again"
stop_lpard

# --- over the network ------------------------------------------------------------------------

ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
issue() {                       # NAME SUBJECT EXTENSIONS
    printf '%s\n' "$3" >"$dir/ext"
    openssl req $ec -keyout "$dir/$1.key" -out "$dir/csr" -subj "$2" &&
        openssl x509 -req -in "$dir/csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -days 5 \
            -out "$dir/$1.pem" -extfile "$dir/ext"
}
{
    openssl req -x509 $ec -days 5 -keyout "$dir/ca.key" -out "$dir/ca.pem" -subj /CN=ca &&
        issue server /CN=lpard "subjectAltName=IP:127.0.0.1" &&
        issue ops /CN=ops "extendedKeyUsage=clientAuth" &&
        issue web /CN=web "extendedKeyUsage=clientAuth" &&
        issue other /CN=other "extendedKeyUsage=clientAuth"
} >"$dir/out" 2>&1
result $? "certificates are made"
cat "$dir/ops.pem" "$dir/ops.key" >"$dir/both.pem"
# Free now, and for the moment that it takes to listen on it.
port=$("$build/tests/unit/hoard" --port)
cat >"$dir/lpard.conf" <<END
[access]
admins = cert:ops
[owner web]
members = cert:web
partitions = web*
[tls]
listen = 127.0.0.1:$port
certificate = $dir/server.pem
key = $dir/server.key
ca = $dir/ca.pem
END
rm -rf "$host.state" "$dir/state"
printf '{"seed": 3, "domains": [%s, %s]}\n' '{"name": "web1", "run": "off"}' \
    '{"name": "db1", "run": "off"}' >"$host"
start_lpard env

remote() {
    ctl --url "https://127.0.0.1:$port" --ca "$dir/ca.pem" "$@"
}

for name in web1 db1; do
    remote --cert "$dir/both.pem" enable "$name" --cpu 1:1:4 --mem 1G:1G:2G
    result $? "an admin far away enables $name"
    remote --cert "$dir/ops.pem" --cert-key "$dir/ops.key" start "$name"
    result $? "and starts it"
done
LPARD_URL=https://127.0.0.1:$port LPARD_CA=$dir/ca.pem LPARD_CERT=$dir/web.pem \
    LPARD_CERT_KEY=$dir/web.key ctl set web1 cpu=2
result $? "an owner resizes what is its own, by the environment alone"
remote --cert "$dir/web.pem" --cert-key "$dir/web.key" set db1 cpu=2
[ $? = 1 ]
result $? "and nothing else"
says "certificate web (owner web) does not operate \"db1\"" "and is told so"
remote --cert "$dir/web.pem" --cert-key "$dir/web.key" move cpu=1 --from db1 --to web1
says "does not operate \"db1\"" "nor does it move what is another's"
remote --cert "$dir/web.pem" --cert-key "$dir/web.key" list
says db1 "but it sees all"
remote list
says "a client certificate is needed" "without a certificate one is told what is missing"
remote --cert "$dir/other.pem" --cert-key "$dir/other.key" list
says "add cert:other to" "with one that nobody named, where to name it"
ctl --url "https://127.0.0.1:$port" --cert "$dir/both.pem" list
[ $? = 8 ]
result $? "an lpard that cannot be trusted is not asked"
says "with --ca" "and how to trust it is told"
ctl --url "https://localhost:$port" --ca "$dir/ca.pem" --cert "$dir/both.pem" list
says "for another host" "the same for a name that it has not"
ctl --url "http://127.0.0.1:$port" list
[ $? = 2 ]
result $? "no other URL than https is taken"
ctl --cert "$dir/both.pem" list
[ $? = 2 ]
result $? "nor a certificate without one"
ctl --url https://127.0.0.1:1 --ca "$dir/ca.pem" --cert "$dir/both.pem" list
[ $? = 8 ]
result $? "nobody there is told as that"
ctl --url "https://127.0.0.1:$port" --ca "$dir/server.key" list
[ $? = 2 ]
result $? "a file that is no certificate is named"
ctl --socket "$sock" --url "https://127.0.0.1:$port" list
[ $? = 2 ]
result $? "one lpard is asked at a time"
ctl --socket "$sock" audit
says "certificate web (owner web)" "the audit trail has who it was"
says "POST /v1/partitions/db1/resize: 403 forbidden" "and what was refused"
says "POST /v1/partitions/web1/resize: 202, operation" "and what was done"
ctl --socket "$sock" audit db1 --limit 1
says "POST /v1/move db1: 403 forbidden" "also of one partition alone"
stop_lpard

echo "1..$n"
exit $failed
