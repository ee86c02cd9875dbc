/* lparctl as a whole against a made-up lpard: what it asks, and what it ends with. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/test_ctl_server.h"

#define PARTITION \
    "{\"name\":\"web1\",\"uuid\":\"u-1\",\"run\":\"running\",\"profile\":{\"hold_until_sec\":0}}"
#define POOL \
    "{\"name\":\"web\",\"max_centi\":400,\"reserved_centi\":50,\"entitled_centi\":40,"           \
    "\"problem\":null,\"members\":[{\"name\":\"web1\",\"now\":true,\"next_start\":false}]}"
#define POLICY_ONE \
    "{\"partition\":\"web1\",\"mode\":\"auto\",\"fixed\":\"no\",\"rival\":\"batch\",\"mem\":{" \
    "\"granted_bytes\":2147483648,\"want_bytes\":3221225472,\"target_bytes\":3221225472," \
    "\"bytes\":3221225472,\"act\":\"grow\",\"why\":\"pressure\",\"bound\":\"none\"," \
    "\"take\":\"none\"},\"cpu\":{\"granted\":2,\"want_centi\":150,\"count\":3,\"act\":\"grow\"," \
    "\"why\":\"run-queue\",\"bound\":\"none\"}}"
#define POLICY \
    "{\"mode\":\"advise\",\"leftovers\":\"keep\",\"partitions\":[" POLICY_ONE "]}"
#define DEFINITION \
    "{\"partition\":\"web1\",\"uuid\":\"u-1\",\"dry_run\":false,\"diff\":\"--- a\\n+++ b\\n\"," \
    "\"now\":[\"up to 8 vCPUs\"],\"next_start\":[\"virtio-mem\"],\"profile\":{}}"
#define OPERATION(state, exit, version) \
    "{\"id\":17,\"kind\":\"resize\",\"state\":\"" state "\",\"exit_status\":" exit "," \
    "\"partition\":\"web1\",\"to\":null,\"message\":null,\"confirm\":\"agent\",\"remarks\":[]," \
    "\"version\":" version ",\"timing\":{\"total_msec\":420},\"legs\":[{\"partition\":\"web1\"," \
    "\"undo\":false,\"target\":{\"cpu\":4,\"mem_bytes\":6442450944},\"before\":{\"cpu\":2," \
    "\"mem_bytes\":4294967296},\"now\":{\"cpu\":4,\"mem_bytes\":5905580032},\"usable\":{\"cpu\":4," \
    "\"mem_bytes\":5905580032},\"remaining\":{\"cpu\":0,\"mem_bytes\":536870912}," \
    "\"plan\":{\"stages\":1,\"expected_msec\":900,\"refused\":false,\"after\":{\"cpu\":4," \
    "\"mem_bytes\":6442450944},\"steps\":[{\"kind\":\"virtio-mem\",\"stage\":0,\"cell\":0," \
    "\"from_bytes\":0,\"to_bytes\":2147483648,\"expected_msec\":900,\"text\":\"grow cell 0\"," \
    "\"state\":\"asked\"}],\"shortfalls\":[{\"reason\":\"host\",\"resource\":\"mem\"," \
    "\"fatal\":false,\"text\":\"node 1 has no room\"}]}}]}"

/* What each command line sends, and nothing else. */
static const struct {
    const char *arguments;
    const char *asked;
    unsigned status;
    const char *answer;
    int exit_status;
} requests[] = {
    { "list", "GET /v1/partitions\n", 200, "{\"partitions\":[]}", 0 },
    { "list --all", "GET /v1/domains\n", 200, "{\"domains\":[]}", 0 },
    { "show web1", "GET /v1/partitions/web1\n", 200, PARTITION, 0 },
    /* The server shows the path decoded: all of it is the name, none became a query. */
    { "show 'a b%c?d#e'", "GET /v1/partitions/a b%c?d#e\n", 200, PARTITION, 0 },
    { "show web1 --guest", "GET /v1/partitions/web1/guest\n", 200, "{\"partition\":\"web1\"}", 0 },
    { "host", "GET /v1/host\n", 200, "{}", 0 },
    { "check web1", "GET /v1/partitions/web1/check\n", 200,
      "{\"partition\":\"web1\",\"checks\":[{\"name\":\"agent\",\"ok\":true,\"severity\":\"ok\","
      "\"text\":\"connected\",\"cure\":null}]}", 0 },
    { "check web1", "GET /v1/partitions/web1/check\n", 200,
      "{\"partition\":\"web1\",\"checks\":[{\"name\":\"slots\",\"ok\":false,"
      "\"severity\":\"fail\",\"text\":\"none\",\"cure\":\"enable it\"}]}", 1 },
    { "enable web1 --cpu 1:2:8 --mem 1G:2G:8G", "PUT /v1/partitions/web1/profile "
      "{\"cpu\":{\"min\":1,\"desired\":2,\"max\":8},\"mem\":{\"min_bytes\":1073741824,"
      "\"desired_bytes\":2147483648,\"max_bytes\":8589934592}}\n", 200, DEFINITION, 0 },
    { "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --entitled 1.50 --weight 0 --capped "
      "--cell-nodes 0,1 --dry-run", "PUT /v1/partitions/web1/profile "
      "{\"cpu\":{\"min\":1,\"desired\":2,\"max\":8},\"mem\":{\"min_bytes\":1073741824,"
      "\"desired_bytes\":2147483648,\"max_bytes\":8589934592},\"entitled_centi\":150,"
      "\"weight\":0,\"capped\":true,\"cells\":[0,1],\"dry_run\":true}\n", 200, DEFINITION, 0 },
    { "define web1 --cpu=1:1:2 --mem=1G:1G:2G --cells 2 --kernel /k --initrd /x/../i "
      "--cmdline 'quiet a=b' --disk /d --network default --start --uncapped",
      "POST /v1/partitions {\"name\":\"web1\",\"cpu\":{\"min\":1,\"desired\":1,\"max\":2},"
      "\"mem\":{\"min_bytes\":1073741824,\"desired_bytes\":1073741824,\"max_bytes\":2147483648},"
      "\"capped\":false,\"n_cells\":2,\"kernel\":\"/k\",\"initrd\":\"/i\","
      "\"cmdline\":\"quiet a=b\",\"disk\":\"/d\",\"network\":\"default\",\"start\":true}\n", 201,
      DEFINITION, 0 },
    { "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --numa strict:0-1,4 --affinity-floor 80:refuse",
      "PUT /v1/partitions/web1/profile "
      "{\"cpu\":{\"min\":1,\"desired\":2,\"max\":8},\"mem\":{\"min_bytes\":1073741824,"
      "\"desired_bytes\":2147483648,\"max_bytes\":8589934592},\"numa\":\"strict:0-1,4\","
      "\"affinity_floor\":80,\"affinity_floor_action\":\"refuse\"}\n", 200, DEFINITION, 0 },
    { "profile set web1 numa=auto affinity-floor=0", "PUT /v1/partitions/web1/profile "
      "{\"numa\":\"auto\",\"affinity_floor\":0}\n", 200, DEFINITION, 0 },
    { "disable web1", "DELETE /v1/partitions/web1/profile\n", 200, DEFINITION, 0 },
    { "disable web1 --dry-run", "DELETE /v1/partitions/web1/profile?dry_run=1\n", 200, DEFINITION,
      0 },
    { "profile web1", "GET /v1/partitions/web1/profile\n", 200, "{}", 0 },
    { "profile web1 show", "GET /v1/partitions/web1/profile\n", 200, "{}", 0 },
    { "profile set web1 cpu=::8 capped=no entitled=2", "PUT /v1/partitions/web1/profile "
      "{\"cpu\":{\"max\":8},\"capped\":false,\"entitled_centi\":200}\n", 200, DEFINITION, 0 },
    { "profile set web1 mem=512M:: weight=255 cells=2 --dry-run",
      "PUT /v1/partitions/web1/profile {\"mem\":{\"min_bytes\":536870912},\"weight\":255,"
      "\"n_cells\":2,\"dry_run\":true}\n", 200, DEFINITION, 0 },
    { "profile restore web1", "POST /v1/partitions/web1/profile/restore\n", 200, DEFINITION, 0 },
    { "autoscale web1", "GET /v1/partitions/web1/profile\n", 200, "{}", 0 },
    { "autoscale web1 --goal latency", "PUT /v1/partitions/web1/profile {\"autoscale\":{"
      "\"goal\":\"latency\",\"mode\":\"auto\"}}\n", 200, DEFINITION, 0 },
    { "autoscale web1 --goal latency --mode advise --dry-run",
      "PUT /v1/partitions/web1/profile {\"autoscale\":{\"mode\":\"advise\","
      "\"goal\":\"latency\"},\"dry_run\":true}\n", 200, DEFINITION, 0 },
    { "autoscale web1 --mode off", "PUT /v1/partitions/web1/profile {\"autoscale\":{"
      "\"mode\":\"off\"}}\n", 200, DEFINITION, 0 },
    { "autoscale web1 --priority 7 --entitled-mem 2G --release-after 30m "
      "--schedule 'weekdays 08:00-18:00 min mem=4G' --schedule='daily 22:00-06:00 max cpu=2'",
      "PUT /v1/partitions/web1/profile {\"autoscale\":{\"priority\":7,"
      "\"entitled_bytes\":2147483648,\"release_sec\":1800,\"schedules\":["
      "\"weekdays 08:00-18:00 min mem=4G\",\"daily 22:00-06:00 max cpu=2\"]}}\n", 200, DEFINITION,
      0 },
    { "autoscale web1 --entitled-mem 0 --release-after 0 --no-schedules",
      "PUT /v1/partitions/web1/profile {\"autoscale\":{\"entitled_bytes\":0,"
      "\"release_sec\":0,\"schedules\":[]}}\n", 200, DEFINITION, 0 },
    { "start web1", "POST /v1/partitions/web1/start\n", 200, PARTITION, 0 },
    { "set web1 cpu=4 mem=6G", "POST /v1/partitions/web1/resize {\"cpu\":{\"mode\":\"set\","
      "\"count\":4},\"mem\":{\"mode\":\"set\",\"bytes\":6442450944}}\n", 202,
      OPERATION("done", "0", "3"), 0 },
    { "add web1 cpu=1 --via balloon --live --atomic --timeout 30 --lock-timeout 5 --key k1",
      "POST /v1/partitions/web1/resize {\"cpu\":{\"mode\":\"add\",\"count\":1},"
      "\"via\":\"balloon\",\"live_only\":true,\"atomic\":true,\"timeout_sec\":30,"
      "\"lock_timeout_sec\":5} key=k1\n", 202, OPERATION("done", "0", "3"), 0 },
    { "set web1 cpu=4 --force", "POST /v1/partitions/web1/resize {\"cpu\":{\"mode\":\"set\","
      "\"count\":4},\"force\":true}\n", 202, OPERATION("vetoed", "5", "3"), 5 },
    { "reconcile web1 --force", "POST /v1/partitions/web1/reconcile {\"force\":true}\n", 202,
      OPERATION("done", "0", "3"), 0 },
    { "remove web1 mem=3M --round", "POST /v1/partitions/web1/resize {\"mem\":{"
      "\"mode\":\"remove\",\"bytes\":4194304}}\n", 202, OPERATION("done", "0", "3"), 0 },
    { "set web1 mem=3M", "POST /v1/partitions/web1/resize {\"mem\":{\"mode\":\"set\","
      "\"bytes\":3145728}}\n", 202, OPERATION("refused", "4", "3"), 4 },
    { "move cpu=1 mem=1G --from batch --to web1", "POST /v1/move {\"cpu\":{\"mode\":\"set\","
      "\"count\":1},\"mem\":{\"mode\":\"set\",\"bytes\":1073741824},\"to\":\"web1\","
      "\"partition\":\"batch\"}\n", 202, OPERATION("done", "0", "3"), 0 },
    { "move mem=1G --from batch --to web1 --dry-run", "POST /v1/plan {\"mem\":{\"mode\":\"set\","
      "\"bytes\":1073741824},\"to\":\"web1\",\"kind\":\"move\",\"partition\":\"batch\"}\n", 200,
      OPERATION("queued", "9", "0"), 0 },
    { "capacity web1 entitled=1.50 weight=200 capped", "POST /v1/partitions/web1/capacity "
      "{\"entitled_centi\":150,\"weight\":200,\"capped\":true}\n", 202,
      OPERATION("done", "0", "3"), 0 },
    { "reconcile web1", "POST /v1/partitions/web1/reconcile {}\n", 202,
      OPERATION("done", "0", "3"), 0 },
    { "set web1 cpu=4 --dry-run", "POST /v1/plan {\"cpu\":{\"mode\":\"set\",\"count\":4},"
      "\"kind\":\"resize\",\"partition\":\"web1\"}\n", 200, OPERATION("refused", "4", "0"), 4 },
    { "hold web1", "PUT /v1/partitions/web1/hold {}\n", 200, PARTITION, 0 },
    { "hold web1 --until 2100-01-01T00:00:00Z", "PUT /v1/partitions/web1/hold "
      "{\"until_sec\":4102444800}\n", 200, PARTITION, 0 },
    { "hold web1 --release", "DELETE /v1/partitions/web1/hold\n", 200, PARTITION, 0 },
    { "set web1 cpu=4 --no-wait", "POST /v1/partitions/web1/resize {\"cpu\":{\"mode\":\"set\","
      "\"count\":4}}\n", 202, OPERATION("queued", "9", "1"), 9 },
    { "policy", "GET /v1/policy\n", 200, POLICY, 0 },
    { "policy show -o json", "GET /v1/policy\n", 200, POLICY, 0 },
    { "policy set --mode advise --leftovers keep", "PUT /v1/policy {\"mode\":\"advise\","
      "\"leftovers\":\"keep\"}\n", 200, POLICY, 0 },
    { "policy explain web1", "GET /v1/partitions/web1/policy\n", 200,
      "{\"partition\":\"web1\",\"mode\":\"off\",\"decided\":false,\"text\":[\"It is off.\"]}", 0 },
    { "policy plan", "GET /v1/policy/plan\n", 200, POLICY, 0 },
    { "policy log", "GET /v1/policy/log?limit=50\n", 200, "{\"lines\":[]}", 0 },
    { "policy log 'we b' --limit 3", "GET /v1/policy/log?limit=3&partition=we%20b\n", 200,
      "{\"lines\":[{\"at\":\"2026-11-23T13:58:27Z\",\"partition\":null,\"what\":\"mode\","
      "\"text\":\"mode auto\"}]}", 0 },
    { "pool list", "GET /v1/pools\n", 200, "{\"pools\":[" POOL "]}", 0 },
    { "pool list -o json", "GET /v1/pools\n", 200, "{\"pools\":[]}", 0 },
    { "pool define web max=4 reserved=0.50", "PUT /v1/pools/web {\"max_centi\":400,"
      "\"reserved_centi\":50,\"new\":true}\n", 200, POOL, 0 },
    { "pool set web reserved=0", "PUT /v1/pools/web {\"reserved_centi\":0,\"new\":false}\n", 200,
      POOL, 0 },
    { "pool remove web", "DELETE /v1/pools/web\n", 200, "{}", 0 },
    { "pool join web1 web", "PUT /v1/partitions/web1/pool {\"pool\":\"web\"}\n", 200,
      "{\"partition\":\"web1\",\"pool\":\"web\",\"now\":null,\"effective\":\"next-start\"}",
      0 },
    { "pool leave web1", "DELETE /v1/partitions/web1/pool\n", 200,
      "{\"partition\":\"web1\",\"pool\":null,\"now\":\"web\",\"effective\":\"next-start\"}",
      0 },
    { "_names pools", "GET /v1/pools\n", 200, "{\"pools\":[" POOL "]}", 0 },
    { "op list", "GET /v1/operations?state=open\n", 200, "{\"operations\":[]}", 0 },
    { "op list --all --partition web1", "GET /v1/operations?state=all&partition=web1\n", 200,
      "{\"operations\":[" OPERATION("done", "0", "3") "]}", 0 },
    { "op show 17", "GET /v1/operations/17\n", 200, OPERATION("partial", "3", "3"), 0 },
    { "op cancel 17", "DELETE /v1/operations/17\n", 202, OPERATION("running", "9", "3"), 0 },
    { "op wait 17", "GET /v1/operations/17\n", 200, OPERATION("cancelled", "7", "3"), 7 },
    { "events", "GET /v1/events last=0\n", 200,
      "id: 1\nevent: agent\ndata: {\"partition\":\"web1\",\"state\":\"connected\"}\n\n", 0 },
    { "events --partition web1", "GET /v1/events?partition=web1 last=0\n", 200, ": \n\n", 0 },
    { "version", "GET /v1/\n", 200, "{\"version\":\"0.1.0\",\"api\":1}", 0 },
    { "_names partitions", "GET /v1/domains\n", 200,
      "{\"domains\":[{\"name\":\"web1\",\"enabled\":true}]}", 0 },
    { "_names operations", "GET /v1/operations?state=open\n", 200, "{\"operations\":[]}", 0 },
};

static void
test_requests(void **state)
{
    FakeServer *server = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_autofree char *asked = NULL;
        Ran ran;

        fake_server_answer(server, requests[i].status, requests[i].answer);
        ran = run_lparctl(server, requests[i].arguments);
        asked = fake_server_asked(server);
        if (ran.status != requests[i].exit_status || strcmp(asked, requests[i].asked) != 0)
            print_message("lparctl %s: %d, %s\n", requests[i].arguments, ran.status, ran.err);
        assert_string_equal(asked, requests[i].asked);
        assert_int_equal(ran.status, requests[i].exit_status);
        ran_clear(&ran);
    }
}

/* Refused here: exit 2, one line, nothing sent. */
static void
test_usage(void **state)
{
    static const char *const lines[] = {
        "", "nosuch", "list extra", "show", "show a b", "show ''", "show ..", "show .", "show a/b",
        "set", "set web1", "set cpu=4", "set web1 mem=6X", "set web1 mem=6GB", "set web1 mem=-1G",
        "set web1 mem=", "set web1 cpu=", "set web1 cpu=0", "set web1 cpu=1.5", "set web1 cpu=-1",
        "set web1 mem=0", "set web1 mem=99999999999T", "set web1 mem=18446744073709551616",
        "set web1 cpu=4294967297", "set web1 cpu=1 cpu=2", "set web1 foo=1", "set web1 cpu",
        "set web1 =4", "set web1 cpu=4 --via floppy", "set web1 cpu=4 --timeout 0",
        "set web1 cpu=4 --timeout 1.5", "set web1 cpu=4 --timeout", "set web1 cpu=4 --timeout -5",
        "set web1 cpu=4 --timeout --atomic", "set web1 cpu=4 --nosuch", "set web1 cpu=4 -x",
        "set web1 cpu=4 --wait --no-wait", "set web1 cpu=4 --atomic=yes", "set .. cpu=4 --dry-run",
        "set web1 cpu=4 -o yaml", "set web1 cpu=4 --key a --key b", "list --dry-run",
        "move cpu=1 --from a", "move cpu=1 --to a", "move cpu=1 --from a --to a",
        "move --from a --to b", "move cpu=1 --from a --to ..", "capacity web1", "capacity web1 cpu=2",
        "capacity web1 weight=256", "capacity web1 entitled=1.234", "capacity web1 entitled=0",
        "capacity web1 capped uncapped", "capacity web1 weight=1 weight=2", "capacity web1 weight",
        "enable web1", "enable web1 --cpu 1:2:8", "enable web1 --cpu 1:2 --mem 1G:2G:8G",
        "enable web1 --cpu 1::8 --mem 1G:2G:8G", "enable web1 --cpu 2:1:8 --mem 1G:2G:8G",
        "enable web1 --cpu 1:2:8 --mem 4G:2G:8G", "enable web1 --cpu 1:2:8 --mem 1G:2G:8GB",
        "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --capped --uncapped",
        "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --cell-nodes 0,,1",
        "define web1 --cpu 1:2:8 --mem 1G:2G:8G",
        "define web1 --cpu 1:2:8 --mem 1G:2G:8G --disk /d --cmdline x",
        "profile", "profile set", "profile set web1", "profile set web1 cpu=::",
        "profile set web1 cpu=8::4", "profile set web1 nosuch=1", "profile frob web1",
        "profile restore web1 --dry-run", "hold web1 --until yesterday", "hold web1 --until +2",
        "hold web1 --until +0h", "hold web1 --until 2001-01-01T00:00:00Z",
        "hold web1 --until 2100-01-01T00:00:00", "hold web1 --until +1h --release", "op", "op show",
        "op show x", "op show 0", "op show -1", "op frob 17", "op show 17 --all", "help nosuch",
        "policy frob", "policy set", "policy set --mode host", "policy set --leftovers some",
        "policy show --mode auto", "policy explain", "policy explain a b", "policy log --limit 0",
        "policy log --limit x", "policy plan --limit 3", "policy explain ..",
        "pool", "pool frob", "pool list web", "pool define", "pool define web", "pool define web 4",
        "pool define web max=", "pool define web max=4 max=5", "pool define web max=-1",
        "pool define web max=1.001", "pool define a-b max=1", "pool define web reserved=1",
        "pool define web max=1 weight=3", "pool set web", "pool set .. max=1", "pool remove",
        "pool remove a/b", "pool join web1", "pool join web1 a-b", "pool join .. web",
        "pool leave", "pool leave web1 web", "pool list --dry-run",
        "autoscale", "autoscale web1 web2", "autoscale web1 --dry-run", "autoscale web1 --mode on",
        "autoscale web1 --goal", "autoscale web1 --goal fast", "autoscale web1 --priority 8",
        "autoscale web1 --priority x", "autoscale web1 --entitled-mem 4GB",
        "autoscale web1 --entitled-mem 65T", "autoscale web1 --release-after 10",
        "autoscale web1 --release-after 25h", "autoscale web1 --release-after -1m",
        "autoscale web1 --schedule 'weekdays min mem=4G'", "autoscale web1 --schedule ''",
        "autoscale web1 --schedule 'daily 22:00-06:00 max cpu=2' --no-schedules",
        "autoscale web1 --goal latency --goal density", "autoscale web1 --entitled 2.0",
        "autoscale .. --goal latency",
        "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --numa",
        "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --numa strict",
        "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --numa near",
        "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --numa strict:1024",
        "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --affinity-floor 101",
        "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --affinity-floor 80:fail",
        "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --affinity-floor 80:",
        "enable web1 --cpu 1:2:8 --mem 1G:2G:8G --affinity-floor ''",
        "profile set web1 numa=", "profile set web1 numa", "profile set web1 affinity-floor=x",
        "profile set web1 affinity-floor=1 affinity-floor=2", "list --numa auto", "list --svg f",
        "host --numa auto", "host --numa=auto", "host --svg", "host --svg ''",
        "host --svg f -o json", "score a/b", "score ..", "score --dry-run", "optimize web1",
        "optimize --request ''", "optimize --request a,,b", "optimize --request a/b",
        "optimize --protect", "optimize --request a --request b", "optimize --min-gain 101",
        "optimize --min-gain -1", "optimize --min-gain 1.234", "optimize --min-gain x",
        "optimize --max-bytes 0", "optimize --max-bytes 4GB", "optimize --max-bytes 65T",
        "optimize --request a,b --protect b", "optimize --stop --dry-run",
        "optimize --stop --request a", "optimize --stop --no-wait", "optimize --timeout 5",
        "optimize --dry-run --no-wait",
    };
    FakeServer *server = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        Ran ran = run_lparctl(server, lines[i]);
        g_autofree char *asked = fake_server_asked(server);
        const char *newline = strchr(ran.err, '\n');

        if (ran.status != 2 || ran.out[0] != '\0')
            print_message("lparctl %s: %d %s%s\n", lines[i], ran.status, ran.out, ran.err);
        assert_int_equal(ran.status, 2);
        assert_string_equal(asked, "");
        assert_string_equal(ran.out, "");
        assert_true(g_str_has_prefix(ran.err, "lparctl: "));
        assert_non_null(newline);
        assert_string_equal(newline, "\n");
        ran_clear(&ran);
    }
}

static void
test_final_states(void **state)
{
    static const struct {
        const char *answer;
        int exit_status;
    } finals[] = {
        { OPERATION("done", "0", "5"), 0 }, { OPERATION("partial", "3", "5"), 3 },
        { OPERATION("refused", "4", "5"), 4 }, { OPERATION("vetoed", "5", "5"), 5 },
        { OPERATION("failed", "1", "5"), 1 }, { OPERATION("timed-out", "6", "5"), 6 },
        { OPERATION("cancelled", "7", "5"), 7 },
        /* A number that contradicts the state does not make a success of it. */
        { OPERATION("failed", "0", "5"), 1 }, { OPERATION("partial", "77", "5"), 3 },
    };
    FakeServer *server = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(finals); i++) {
        gboolean refused = finals[i].exit_status == 4 || finals[i].exit_status == 5;
        g_autofree char *asked = NULL;
        Ran ran;

        fake_server_answer(server, 202, OPERATION("queued", "9", "1"));
        fake_server_answer(server, 200, OPERATION("running", "9", "4"));
        fake_server_answer(server, 200, finals[i].answer);
        ran = run_lparctl(server, "set web1 mem=6G");
        asked = fake_server_asked(server);
        assert_string_equal(asked, "POST /v1/partitions/web1/resize {\"mem\":{\"mode\":\"set\","
                                   "\"bytes\":6442450944}}\n"
                                   "GET /v1/operations/17?after=1&wait=30\n"
                                   "GET /v1/operations/17?after=4&wait=30\n");
        assert_int_equal(ran.status, finals[i].exit_status);
        /* Not a terminal: silent until the end. */
        assert_string_equal(ran.err, "");
        assert_non_null(strstr(ran.out, "confirmed by the agent"));
        /* Nothing is left of what was refused, by host or guest: its reason is all. */
        assert_true((strstr(ran.out, "mem 4 GiB -> 5.5 GiB (usable 5.5 GiB)") != NULL) ==
                    !refused);
        /* What keeps it from being done is named. */
        assert_true((strstr(ran.out, "    not confirmed: grow cell 0\n") != NULL) ==
                    (finals[i].exit_status != 0 && !refused));
        assert_true((strstr(ran.out, "512 MiB (536870912 bytes) to add") != NULL) ==
                    (finals[i].exit_status != 0 && !refused));
        ran_clear(&ran);
    }
}

#define AUTOSCALE                                                                            \
    "\"autoscale\":{\"mode\":\"auto\",\"goal\":\"latency\",\"priority\":5,"                      \
    "\"entitled_bytes\":2147483648,\"release_sec\":5400,\"schedules\":["                      \
    "\"weekdays 08:00-18:00 min mem=4G\"]}"
#define AUTOSCALE_LINE "auto, goal latency, priority 5, entitled to 2 GiB, surplus kept 90 min, " \
                       "1 schedule\n"

static void
check_out(FakeServer *server, const char *answer, const char *line, const char *out, gboolean there)
{
    Ran ran;

    fake_server_answer(server, 200, answer);
    ran = run_lparctl(server, line);
    assert_int_equal(ran.status, 0);
    if ((strstr(ran.out, out) != NULL) != there)
        fail_msg("lparctl %s: %s", line, ran.out);
    ran_clear(&ran);
    g_free(fake_server_asked(server));
}

static void
test_autoscale_text(void **state)
{
    FakeServer *server = *state;
    const char *usual = "{\"name\":\"web1\",\"profile\":{\"autoscale\":{\"mode\":\"off\","
                        "\"goal\":\"balanced\",\"priority\":3,\"entitled_bytes\":0,"
                        "\"release_sec\":0,\"schedules\":[]}}}";

    check_out(server, "{" AUTOSCALE "}", "autoscale web1",
              "web1: " AUTOSCALE_LINE "  - weekdays 08:00-18:00 min mem=4G\n", TRUE);
    check_out(server, "{}", "autoscale web1", "knows no autoscaling", TRUE);
    check_out(server, "{\"name\":\"web1\",\"profile\":{" AUTOSCALE "}}", "show web1",
              "autoscale: " AUTOSCALE_LINE, TRUE);
    check_out(server, usual, "show web1", "autoscale", FALSE);
    check_out(server, "{" AUTOSCALE "}", "profile web1", "autoscale " AUTOSCALE_LINE, TRUE);
    check_out(server, "{\"name\":\"web1\",\"profile\":{}}", "show web1", "autoscale", FALSE);
    /* What changes is told; where nothing does, what holds. */
    check_out(server, "{\"partition\":\"web1\",\"diff\":\"\",\"now\":[\"it grows\"],"
                      "\"profile\":{" AUTOSCALE "}}", "autoscale web1 --goal latency",
              "web1 has these settings of autoscaling.\nIn effect now:\n  - it grows\n", TRUE);
    check_out(server, "{\"partition\":\"web1\",\"diff\":\"\",\"now\":[],"
                      "\"profile\":{" AUTOSCALE "}}", "autoscale web1 --goal latency",
              "web1: " AUTOSCALE_LINE, TRUE);
}

static void
test_json_is_unchanged(void **state)
{
    FakeServer *server = *state;
    /* Spaces and order stay as they came. */
    const char *answer = "{ \"partitions\" : [ ],  \"b\":1, \"a\" : 2 }";
    g_autofree char *expected = g_strconcat(answer, "\n", NULL);
    Ran ran;

    fake_server_answer(server, 200, answer);
    ran = run_lparctl(server, "list -o json");
    assert_string_equal(ran.out, expected);
    ran_clear(&ran);
    fake_server_answer(server, 202, OPERATION("running", "9", "1"));
    fake_server_answer(server, 200, OPERATION("vetoed", "5", "2"));
    ran = run_lparctl(server, "set web1 cpu=4 -ojson");
    assert_string_equal(ran.out, OPERATION("vetoed", "5", "2") "\n");
    assert_int_equal(ran.status, 5);
    ran_clear(&ran);
    fake_server_answer(server, 202, OPERATION("queued", "9", "1"));
    ran = run_lparctl(server, "set web1 cpu=4 --no-wait");
    assert_string_equal(ran.out, "17\n");
    ran_clear(&ran);
    g_free(fake_server_asked(server));
}

static void
test_problems(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        int exit_status;
        const char *message;
    } problems[] = {
        { 404, "{\"title\":\"Not found\",\"detail\":\"no partition is called web1\","
          "\"code\":\"no-partition\"}", 1, "lparctl: no partition is called web1\n" },
        { 422, "{\"detail\":\"above max\",\"code\":\"refused\"}", 4, "lparctl: above max\n" },
        { 400, "{\"detail\":\"bad field\",\"code\":\"usage\"}", 2, "lparctl: bad field\n" },
        { 503, "{\"title\":\"libvirt is away\",\"code\":\"unreachable\"}", 8,
          "lparctl: libvirt is away\n" },
        { 500, "{\"detail\":\"x\",\"code\":\"from-the-future\"}", 1, "lparctl: x\n" },
        { 500, "<html>", 1,
          "lparctl: lpard answered status 500 without a reason: see its log\n" },
        /* What comes from a guest must not drive the terminal. */
        { 500, "{\"detail\":\"a\\u001b[2Jb\\nc\"}", 1, "lparctl: a?[2Jb c\n" },
    };
    FakeServer *server = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(problems); i++) {
        Ran ran;

        fake_server_answer(server, problems[i].status, problems[i].body);
        ran = run_lparctl(server, "show web1");
        assert_string_equal(ran.err, problems[i].message);
        assert_int_equal(ran.status, problems[i].exit_status);
        assert_string_equal(ran.out, "");
        ran_clear(&ran);
    }
    g_free(fake_server_asked(server));
}

#define GUEST_AGENT \
    "{\"partition\":\"web1\",\"agent\":{\"state\":\"connected\",\"version\":\"0.1.0\"," \
    "\"kernel\":\"6.1\\u001b[2J\",\"boot_id\":\"04d9\"},\"hypervisor\":\"kvm\","

static const char guest_answer[] = GUEST_AGENT
    "\"features\":[{\"name\":\"psi\",\"state\":\"no\",\"text\":\"stalls are not measured\","
    "\"cure\":\"boot the guest with psi=1\"},"
    "{\"name\":\"numa\",\"state\":\"yes\",\"text\":\"sees\",\"cure\":null},"
    "{\"name\":\"virtio-mem\",\"state\":\"yes\",\"text\":\"has\",\"cure\":null},"
    "{\"name\":\"kvmclock\",\"state\":\"unknown\",\"text\":\"?\",\"cure\":null}],"
    "\"abilities\":[{\"name\":\"memory-grow\",\"able\":\"yes\",\"text\":\"comes online\"},"
    "{\"name\":\"hooks\",\"able\":\"no\",\"text\":\"forbidden\"}],\"forbids\":[\"hooks\"],"
    "\"pressure\":{\"age_sec\":2,\"mem_total_bytes\":1073741824,\"mem_available_bytes\":536870912,"
    "\"working_set_bytes\":432013312,\"swap_used_bytes\":0,\"refaults\":7,\"oom_kills\":1,"
    "\"cpu_some_centi\":1234,\"mem_some_centi\":320,\"mem_full_centi\":5,\"io_some_centi\":0,"
    "\"io_full_centi\":0,\"running\":3,\"busy_centi\":5000,\"steal_centi\":150,"
    "\"classes\":[{\"name\":\"web\",\"cpu_centi\":125,\"mem_bytes\":1048576}]}}";

static const char guest_shown[] =
    "web1: agent connected, version 0.1.0, kernel 6.1?[2J, boot 04d9, on kvm\n"
    "what resizing can do in it:\n"
    "  memory-grow      yes      comes online\n"
    "  hooks            no       forbidden\n"
    "what it lacks:\n"
    "  psi: stalls are not measured\n"
    "      cure: boot the guest with psi=1\n"
    "has: numa, virtio-mem\n"
    "not known: kvmclock\n"
    "forbidden by its administrator: hooks\n"
    "pressure: cpu 12.34 %, memory 3.20 % (full 0.05 %), io 0.00 % (full 0.00 %), told 2 s ago\n"
    "memory: 1 GiB, available 512 MiB, working set 412 MiB, swapped out 0 B; since boot 7 pages\n"
    "  refaulted, 1 OOM kills\n"
    "processors: 50.00 % busy, 1.50 % stolen, 3 runnable\n"
    "CLASS  PROCESSORS  MEMORY\n"
    "web          1.25   1 MiB\n";

static void
test_guest(void **state)
{
    FakeServer *server = *state;
    Ran ran;

    fake_server_answer(server, 200, guest_answer);
    ran = run_lparctl(server, "show web1 --guest");
    assert_int_equal(ran.status, 0);
    assert_string_equal(ran.out, guest_shown);
    ran_clear(&ran);
    fake_server_answer(server, 200, guest_answer);
    ran = run_lparctl(server, "show --guest web1 -o json");
    assert_int_equal(ran.status, 0);
    assert_memory_equal(ran.out, guest_answer, strlen(guest_answer));
    ran_clear(&ran);
    /* One that says nothing. */
    fake_server_answer(server, 200, "{\"partition\":\"web1\",\"agent\":{\"state\":\"silent\"},"
                       "\"features\":[],\"abilities\":[],\"forbids\":[],\"pressure\":null}");
    ran = run_lparctl(server, "show web1 --guest");
    assert_memory_equal(ran.out, "web1: agent silent: nothing was heard", 37);
    assert_non_null(strstr(ran.out, "is lpar-agent running"));
    ran_clear(&ran);
    /* Nonsense is shown as far as it goes. */
    fake_server_answer(server, 200, "{\"features\":[1,null,{}],\"abilities\":[[],{}],"
                       "\"forbids\":[{}],\"pressure\":{\"classes\":[7]}}");
    ran = run_lparctl(server, "show web1 --guest");
    assert_int_equal(ran.status, 0);
    ran_clear(&ran);
    g_free(fake_server_asked(server));
}

/* One line of the pressure, where it is known. */
static void
test_show_pressure(void **state)
{
    FakeServer *server = *state;
    Ran ran;

    fake_server_answer(server, 200, "{\"name\":\"web1\",\"agent\":{\"state\":\"connected\","
                       "\"psi_cpu_centi\":50,\"psi_mem_centi\":320,"
                       "\"working_set_bytes\":432013312}}");
    ran = run_lparctl(server, "show web1");
    assert_non_null(strstr(ran.out, "\npressure: memory some 3.20 %, cpu 0.50 %, working set "
                                    "412 MiB\n"));
    ran_clear(&ran);
    fake_server_answer(server, 200, "{\"name\":\"web1\",\"agent\":{\"psi_cpu_centi\":50,"
                       "\"psi_mem_centi\":320,\"working_set_bytes\":null}}");
    ran = run_lparctl(server, "show web1");
    assert_null(strstr(ran.out, "pressure"));
    ran_clear(&ran);
    g_free(fake_server_asked(server));
}

static void
test_not_an_operation(void **state)
{
    FakeServer *server = *state;
    static const char *const answers[] = { "{}", "{\"id\":17}", "[]", "\"x\"", "", "nul", "{",
                                           "{\"id\":\"17\",\"state\":\"done\",\"version\":1}" };

    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        Ran ran;

        fake_server_answer(server, 202, answers[i]);
        ran = run_lparctl(server, "set web1 cpu=4");
        assert_int_equal(ran.status, 1);
        assert_string_equal(ran.out, "");
        ran_clear(&ran);
        /* Nor may an operation turn into another one on the way. */
        fake_server_answer(server, 202, OPERATION("running", "9", "1"));
        fake_server_answer(server, 200, answers[i]);
        ran = run_lparctl(server, "set web1 cpu=4");
        assert_int_equal(ran.status, 1);
        assert_non_null(strstr(ran.err, "operation 17 was under way"));
        ran_clear(&ran);
    }
    g_free(fake_server_asked(server));
}

static void
test_interrupt_detaches(void **state)
{
    static const int signals[] = { SIGINT, SIGTERM };
    FakeServer *server = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
        g_autofree char *asked = NULL;
        Ran ran;

        fake_server_answer(server, 202, OPERATION("running", "9", "1"));
        fake_server_answer(server, 0, "");
        ran = run_lparctl_signal(server, "set web1 cpu=4", signals[i]);
        asked = fake_server_asked(server);
        assert_int_equal(ran.status, 9);
        assert_string_equal(ran.err,
                            "operation 17 goes on; lparctl op wait 17, or op cancel 17\n");
        assert_string_equal(ran.out, "");
        /* Detaching asks for nothing, least of all to cancel. */
        assert_null(strstr(asked, "DELETE"));
        ran_clear(&ran);
    }
}

/* An lpard that does not hold its answers back must not be asked for ever. */
static void
test_idle_answers_end(void **state)
{
    FakeServer *server = *state;
    Ran ran;

    fake_server_answer(server, 202, OPERATION("running", "9", "1"));
    for (int i = 0; i < 64; i++)
        fake_server_answer(server, 200, OPERATION("running", "9", "1"));
    ran = run_lparctl(server, "set web1 cpu=4");
    assert_int_equal(ran.status, 1);
    assert_non_null(strstr(ran.err, "without news"));
    ran_clear(&ran);
}

static void
test_verbose_says_states(void **state)
{
    FakeServer *server = *state;
    Ran ran;

    fake_server_answer(server, 202, OPERATION("queued", "9", "1"));
    fake_server_answer(server, 200, OPERATION("running", "9", "2"));
    fake_server_answer(server, 200, OPERATION("done", "0", "3"));
    ran = run_lparctl(server, "set web1 cpu=4 -v");
    assert_int_equal(ran.status, 0);
    assert_non_null(strstr(ran.err, "operation 17 on web1: queued"));
    assert_non_null(strstr(ran.err, "operation 17 on web1: running, 0/1 steps, cpu 4 of 4"));
    ran_clear(&ran);
}

static void
test_unreachable(void **state)
{
    Ran ran = run_lparctl(NULL, "list");

    (void)state;
    assert_int_equal(ran.status, 8);
    assert_string_equal(ran.err, "lparctl: lpard is not running (no socket at /nonexistent/s): "
                                 "start it with `lpard` or `systemctl start lpard`\n");
    ran_clear(&ran);
    ran = run_lparctl(NULL, "_names partitions");
    assert_int_equal(ran.status, 0);
    assert_string_equal(ran.out, "");
    assert_string_equal(ran.err, "");
    ran_clear(&ran);
    ran = run_lparctl(NULL, "version");
    assert_int_equal(ran.status, 8);
    assert_true(g_str_has_prefix(ran.out, "lparctl "));
    ran_clear(&ran);
}

static void
expect_raw(const char *bytes, guint times, const char *arguments, int status, const char *message)
{
    FakeServer *server = fake_server_new_raw(bytes, times);
    Ran ran = run_lparctl(server, arguments);

    if (ran.status != status || strstr(ran.err, message) == NULL)
        print_message("%s: %d %s\n", arguments, ran.status, ran.err);
    assert_int_equal(ran.status, status);
    assert_non_null(strstr(ran.err, message));
    assert_string_equal(ran.out, "");
    ran_clear(&ran);
    fake_server_free(server);
}

static void
test_broken_peers(void **state)
{
    g_autofree char *big = g_strnfill(1 << 20, 'x');
    g_autofree char *endless = NULL;

    (void)state;
    expect_raw("SSH-2.0-OpenSSH\r\n\r\n", 1, "list", 1, "does not speak HTTP");
    expect_raw("", 1, "list", 8, "broke off");
    expect_raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"partitions\":", 1, "list", 8,
               "broke off");
    expect_raw("HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{\"id\":17", 1,
               "set web1 cpu=4", 8, "the request may have been taken");
    expect_raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", 1, "list", 1, "makes no sense");
    expect_raw("HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 2\r\n\r\n{}",
               1, "list", 1, "makes no sense");
    endless = g_strconcat("HTTP/1.1 200 OK\r\n\r\n", big, NULL);
    expect_raw(endless, 80, "list", 1, "longer than 64 MiB");
}

static void
test_tables_fit(void **state)
{
    FakeServer *server = *state;
    g_autofree char *name = g_strnfill(200, 'n');
    g_autofree char *answer = g_strdup_printf(
        "{\"partitions\":[{\"name\":\"%s\",\"run\":\"running\",\"profile_state\":\"config-lost\","
        "\"cpu\":{\"desired\":1024,\"granted\":1024,\"usable\":1023},"
        "\"mem\":{\"desired_bytes\":70368744177663,\"granted_bytes\":70368744177663,"
        "\"usable_bytes\":70368744177661},\"capacity\":{\"entitled_centi\":102400},"
        "\"agent\":{\"state\":\"no-channel\"},\"drift\":[\"x\"],\"stuck\":true,\"overrun\":true,"
        "\"operations_open\":64},{\"name\":\"web1\",\"run\":\"off\"}]}", name);
    g_auto(GStrv) lines = NULL;
    Ran ran;

    fake_server_answer(server, 200, answer);
    ran = run_lparctl(server, "list");
    lines = g_strsplit(ran.out, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++)
        assert_true(strlen(lines[i]) <= 100);
    assert_non_null(strstr(ran.out, "nnn~"));
    assert_non_null(strstr(ran.out, "web1"));
    assert_non_null(strstr(ran.out, "1024/1024/1023"));
    ran_clear(&ran);
    fake_server_answer(server, 200, "{\"partitions\":[]}");
    ran = run_lparctl(server, "list");
    assert_non_null(strstr(ran.out, "lparctl enable DOMAIN"));
    assert_string_equal(ran.err, "");
    ran_clear(&ran);
    fake_server_answer(server, 200, "{\"partitions\":[],\"connected\":false}");
    ran = run_lparctl(server, "list");
    assert_non_null(strstr(ran.err, "the last figures that lpard read"));
    ran_clear(&ran);
    g_free(fake_server_asked(server));
}

static void
test_help(void **state)
{
    Ran verbs = run_lparctl(NULL, "_names verbs");
    g_auto(GStrv) names = g_strsplit(verbs.out, "\n", -1);

    (void)state;
    assert_true(g_strv_length(names) > 20);
    for (guint i = 0; names[i][0] != '\0'; i++) {
        g_autofree char *line = g_strdup_printf("%s --help", names[i]);
        g_autofree char *example = g_strdup_printf("\nExample: lparctl %s", names[i]);
        Ran ran = run_lparctl(NULL, line);
        g_auto(GStrv) lines = g_strsplit(ran.out, "\n", -1);

        assert_int_equal(ran.status, 0);
        assert_non_null(strstr(ran.out, example));
        for (guint j = 0; lines[j] != NULL; j++)
            assert_true(strlen(lines[j]) <= 100);
        ran_clear(&ran);
    }
    ran_clear(&verbs);
}

static int
set_up(void **state)
{
    *state = fake_server_new();
    return 0;
}

static int
tear_down(void **state)
{
    fake_server_free(*state);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_usage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_final_states, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_autoscale_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_is_unchanged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_problems, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_guest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_show_pressure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_an_operation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_interrupt_detaches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_idle_answers_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verbose_says_states, set_up, tear_down),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_broken_peers),
        cmocka_unit_test_setup_teardown(test_tables_fit, set_up, tear_down),
        cmocka_unit_test(test_help),
    };

    return cmocka_run_group_tests_name("ctl_run", tests, NULL, NULL);
}
