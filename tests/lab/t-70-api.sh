#!/bin/bash
# The HTTP API as curl sees it, against real partitions.
# budget: 60
. "$(dirname "$0")/lib.sh"
at_start "$alpha"

# api METHOD PATH [CURL-OPTIONS...]: sets status, type and body.
api() {
    local method=$1 path=$2 answer
    shift 2
    answer=$(curl -sS --max-time 60 --unix-socket "$LPARD_SOCKET" -X "$method" \
        -w '\n%{http_code} %{content_type}' "$@" "http://lpard$path" 2>&1)
    body=${answer%$'\n'*}
    read -r status type <<<"${answer##*$'\n'}"
}

json() {
    jq -r "$1" <<<"$body" 2>/dev/null
}

# problem STATUS CODE TEXT: the answer is a problem document with these.
problem() {
    is "$status $(json .status) $(json .code)" "$1 $1 $2" "$3"
    [[ $type == application/problem+json* && $(json .detail) != null && $(json .title) != null ]]
    result $? "... as a problem document" "$type
$body"
}

api GET /v1/
is "$status $(json .name) $(json .api) $(json .connected)" "200 lpard 1 true" "who answers"
is "$(json .uri)" "$uri" "which libvirt"
api GET /v1/partitions
is "$status $(json "[.partitions[].name | select(startswith(\"$prefix-\"))] | sort | join(\" \")")" \
    "200 $alpha $beta $plain" "the partitions, by name"
api GET "/v1/partitions/$alpha"
is "$status $(json .name) $(json .run)" "200 $alpha running" "one partition"
uuid=$(json .uuid)
is "$uuid" "$(vsh domuuid "$alpha")" "with libvirt's UUID"
api GET "/v1/partitions/$uuid"
is "$(json .name)" "$alpha" "and it can be named by that"

api POST "/v1/partitions/$alpha/resize" -H 'Content-Type: application/json' \
    -H 'Idempotency-Key: lab-api-1' -d "{\"mem\":{\"mode\":\"set\",\"bytes\":$((640 * MiB))}}"
is "$status" 202 "a resize is accepted"
id=$(json .id)
for _ in 1 2 3 4 5 6; do
    api GET "/v1/operations/$id?after=$(json .version)&wait=10"
    [[ $(json .state) == "done" ]] && break
done
is "$(json .state) $(json .confirm)" "done agent" "and done, by the agent's word"
guest_has "$alpha" 1 640 "after it"
api POST "/v1/partitions/$alpha/resize" -H 'Content-Type: application/json' \
    -H 'Idempotency-Key: lab-api-1' -d "{\"mem\":{\"mode\":\"set\",\"bytes\":$((640 * MiB))}}"
is "$(json .id)" "$id" "the same key gives the same operation"
api POST /v1/plan -H 'Content-Type: application/json' \
    -d "{\"kind\":\"resize\",\"partition\":\"$alpha\",\"cpu\":{\"mode\":\"add\",\"count\":1}}"
is "$status $(json .id)" "200 0" "a plan is no operation"
guest_has "$alpha" 1 640 "after the plan"

api GET "/v1/partitions/$prefix-nobody"
problem 404 no-partition "no such partition"
api GET /v1/nothing
is "$status" 404 "no such resource"
api POST "/v1/partitions/$alpha/resize" -d '{"mem":'
problem 400 usage "half a body"
api POST "/v1/partitions/$alpha/resize" -d '{"memory":1}'
problem 400 usage "an unknown field"
[[ $(json .detail) == *memory* ]]
result $? "... which is named" "$body"
api GET "/v1/partitions?colour=red"
problem 400 usage "an unknown query parameter"
head -c 200000 /dev/zero | tr '\0' ' ' >"$run_dir/big"
api POST "/v1/partitions/$alpha/resize" --data-binary "@$run_dir/big"
[[ $status == 4?? ]]
result $? "a body of 200 kB is refused" "$status"

api GET /v1/openapi.json
is "$status $(json '.paths | length > 10')" "200 true" "the API describes itself"
api GET /v1/metrics
[[ $status == 200 && $body == *'# TYPE '* ]]
result $? "metrics" "$body"

# Events: the stream tells of an operation that is begun while it is open.
curl -sSN --max-time 30 --unix-socket "$LPARD_SOCKET" "http://lpard/v1/events?partition=$alpha" \
    >"$run_dir/events" 2>/dev/null &
stream=$!
check "back to 512 MiB" wait_for 1 lparctl set "$alpha" mem=512M
check "the stream told of it" wait_for 10 grep -q '^event: operation' "$run_dir/events"
kill "$stream" 2>/dev/null
wait "$stream" 2>/dev/null
ends 0 "lpard is well" list
tests_end
