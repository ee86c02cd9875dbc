/* Workload classes: classes.conf, the division of a partition, and the helper that applies it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/classes/parse.h"
#include "agent/classes/share.h"

#define GIB (UINT64_C(1) << 30)

static LpClassTable table;
static LpClassPlan plan;

/* --- classes.conf --------------------------------------------------------------------------- */
static char faults[8192];

static void
keep_fault(void *data, uint32_t line, const char *why)
{
    size_t used = strlen(faults);

    (void)data;
    /* Whatever the input was, what is shown is one line of a reasonable length. */
    assert_true(line > 0);
    assert_in_range(strlen(why), 1, 511);
    assert_null(strchr(why, '\n'));
    snprintf(faults + used, sizeof(faults) - used, "%u:%s\n", line, why);
}

static bool
parse(const char *text)
{
    faults[0] = '\0';
    return lp_class_parse(text, strlen(text), &table, keep_fault, NULL);
}

static void
refused(const char *text, const char *fault)
{
    if (parse(text) || strstr(faults, fault) == NULL)
        fail_msg("faults of {%s} are {%s}, not %s", text, faults, fault);
}

static void
test_parse_all_keys(void **state)
{
    (void)state;
    assert_true(parse("# comment\n; another\n\n"
                      "[class gold]\n  cgroup = /gold/\n cpu-min=60%\ncpu-max = 90%\n"
                      "weight = 300\r\nmem-min = 10%\nmem-max = 50\n"
                      "[ class  silver-1 ]\nservice = silver.service"));
    assert_int_equal(table.n_classes, 2);
    assert_string_equal(table.classes[0].name, "gold");
    assert_string_equal(table.classes[0].path, "gold");
    assert_false(table.classes[0].is_service);
    assert_int_equal(table.classes[0].line, 4);
    assert_int_equal(table.classes[0].cpu_min, 60);
    assert_int_equal(table.classes[0].cpu_max, 90);
    assert_int_equal(table.classes[0].weight, 300);
    assert_int_equal(table.classes[0].mem_min, 10);
    assert_int_equal(table.classes[0].mem_max, 50);
    assert_string_equal(table.classes[1].name, "silver-1");
    assert_string_equal(table.classes[1].path, "system.slice/silver.service");
    assert_true(table.classes[1].is_service);
    assert_int_equal(table.classes[1].cpu_min, 0);
    assert_int_equal(table.classes[1].cpu_max, 100);
    assert_int_equal(table.classes[1].weight, LP_CLASS_WEIGHT_DEFAULT);
    assert_int_equal(table.classes[1].mem_max, 100);
}

static void
test_parse_empty(void **state)
{
    (void)state;
    assert_true(parse(""));
    assert_int_equal(table.n_classes, 0);
    assert_true(parse("\n# nothing\n"));
    assert_int_equal(table.n_classes, 0);
}

#define A "[class a]\ncgroup = /a\n"
#define B "[class b]\ncgroup = /b\n"

static void
test_parse_sums(void **state)
{
    (void)state;
    assert_true(parse(A "cpu-min = 60%\nmem-min = 60%\n" B "cpu-min = 40%\nmem-min = 40%\n"));
    refused(A "cpu-min = 60%\n" B "cpu-min = 41%\n", "4:with class b the sum of cpu-min is 101 %");
    refused(A "mem-min = 99%\n" B "mem-min = 2%\n", "4:with class b the sum of mem-min is 101 %");
    refused(A "cpu-min = 50%\ncpu-max = 49%\n", "1:class a: cpu-min 50 % is above cpu-max 49 %");
    refused(A "mem-min = 50%\nmem-max = 49%\n", "1:class a: mem-min 50 % is above mem-max 49 %");
}

static void
test_parse_numbers(void **state)
{
    static const char *const bad[] = { "", "%", "-1", "+1", "101", "101%", "1.5%", "0x10", "10%%",
                                       "10 percent", "20% # comment", "99999999999999999999" };
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), A "cpu-min = %s\n", bad[i]);
        refused(text, "3:cpu-min must be a whole number from 0 to 100");
        snprintf(text, sizeof(text), A "mem-max = %s\n", bad[i]);
        refused(text, "3:mem-max must be a whole number from 1 to 100");
    }
    refused(A "cpu-max = 0\n", "3:cpu-max must be");
    refused(A "mem-max = 0%\n", "3:mem-max must be");
    refused(A "weight = 0\n", "3:weight must be");
    refused(A "weight = 10001\n", "3:weight must be");
    refused(A "weight = 10%\n", "3:weight must be");
}

static void
test_parse_structure(void **state)
{
    (void)state;
    refused("cpu-min = 1\n", "1:a key before the first [class NAME]");
    refused(A "cpu-min\n", "3:neither");
    refused(A "cpu_min = 1\n", "3:unknown key \"cpu_min\"");
    refused(A "= 1\n", "3:unknown key \"\"");
    refused(A "cpu-min = 1\ncpu-min = 1\n", "4:cpu-min is given twice");
    refused(A "[class b\n", "3:a heading ends with ]");
    refused("[\n", "1:a heading ends with ]");
    refused("[]\n", "1:a heading is [class NAME], not []");
    refused("[gold]\ncgroup = /a\n", "1:a heading is [class NAME], not [gold]");
    refused("[classgold]\n", "1:a heading is");
    refused(A A, "3:class a is there already, at line 1");
    refused("[class a]\ncpu-min = 1\n", "1:class a has no member");
    refused("[class ]\n", "1:a heading is");
    refused("[class a b]\n", "not by \"a b\"");
    refused("[class .a]\n", "not by \".a\"");
    refused("[class \xc3\xa4]\n", "1:a class is named by");
    /* The keys of a section that could not be opened are no further faults. */
    refused("[class .a]\ncgroup = /a\n", "1:a class is named by");
    assert_null(strstr(faults, "2:"));
}

static void
test_parse_members(void **state)
{
    (void)state;
    refused("[class a]\ncgroup = \n", "2:cgroup \"\" is missing");
    refused("[class a]\ncgroup = /\n", "2:cgroup \"/\" is the root");
    refused("[class a]\ncgroup = /a/../b\n", "2:cgroup \"/a/../b\" has an empty part, . or ..");
    refused("[class a]\ncgroup = /./b\n", "has an empty part");
    refused("[class a]\ncgroup = a//b\n", "has an empty part");
    refused("[class a]\ncgroup = //\n", "has an empty part");
    refused("[class a]\ncgroup = /a b\n", "2:cgroup \"/a b\" has characters other than");
    refused("[class a]\ncgroup = /a%s\n", "has characters other than");
    refused("[class a]\ncgroup = 1/2/3/4/5/6/7/8/9\n", "is too deep");
    refused("[class a]\nservice = nginx\n", "2:service must be the name of a unit");
    refused("[class a]\nservice = .service\n", "2:service must be the name of a unit");
    refused("[class a]\nservice = ../a.service\n", "2:service must be the name of a unit");
    refused("[class a]\nservice = a.service b.service\n", "2:service must be the name of a unit");
    refused(A "service = a.service\n", "3:class a has its cgroup already");
    refused(A "[class b]\ncgroup = a/\n", "3:class b has the cgroup of class a");
    refused(A "[class b]\ncgroup = /a/b\n", "3:the cgroup of class b is inside that of class a");
    refused("[class a]\ncgroup = /x/y\n[class b]\ncgroup = x\n",
            "3:the cgroup of class a is inside that of class b");
    assert_true(parse(A "[class b]\ncgroup = /ab\n"));
}

static void
test_parse_bounds(void **state)
{
    static char text[LP_CLASS_FILE_MAX + 2];
    size_t used = 0;

    (void)state;
    for (int i = 0; i < LP_WIRE_CLASSES_MAX; i++)
        used += (size_t)sprintf(text + used, "[class c%d]\ncgroup = /c%d\n", i, i);
    assert_true(parse(text));
    strcpy(text + used, "[class more]\ncgroup = /more\n");
    refused(text, "33:more than 16 classes");

    memset(text, 'x', 600);
    text[600] = '\0';
    refused(text, "1:the line is too long");
    memcpy(text, "[class ", 7);
    text[100] = ']';
    text[101] = '\0';
    refused(text, "1:a class is named by at most 47");
    memcpy(text, "[class a]\ncgroup=", 17);
    memset(text + 17, 'x', LP_CLASS_PATH_MAX);
    text[17 + LP_CLASS_PATH_MAX] = '\0';
    refused(text, "is too long");
    text[17 + LP_CLASS_PATH_MAX - 1] = '\0';
    assert_true(parse(text));

    memset(text, '\n', sizeof(text));
    faults[0] = '\0';
    assert_true(lp_class_parse(text, LP_CLASS_FILE_MAX, &table, keep_fault, NULL));
    assert_false(lp_class_parse(text, LP_CLASS_FILE_MAX + 1, &table, keep_fault, NULL));
    faults[0] = '\0';
    assert_false(lp_class_parse("[class a]\0]\n", 12, &table, keep_fault, NULL));
    assert_non_null(strstr(faults, "1:the line holds a NUL byte"));
}

/* Chance is made here, so that a failure can be had again. */
static uint64_t chance = 1;

static uint32_t
below(uint32_t n)
{
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((chance >> 33) % n);
}

static void
check_table(void)
{
    uint32_t cpu = 0, mem = 0;

    assert_in_range(table.n_classes, 0, LP_WIRE_CLASSES_MAX);
    for (uint32_t i = 0; i < table.n_classes; i++) {
        const LpClass *class = &table.classes[i];

        assert_true(class->name[0] != '\0' && class->path[0] != '\0' && class->path[0] != '/');
        assert_true(class->cpu_min <= class->cpu_max && class->cpu_max <= 100);
        assert_true(class->mem_min <= class->mem_max && class->mem_max <= 100);
        assert_in_range(class->weight, 1, LP_CLASS_WEIGHT_MAX);
        cpu += class->cpu_min;
        mem += class->mem_min;
    }
    assert_true(cpu <= 100 && mem <= 100);
}

static void
test_parse_junk(void **state)
{
    static const char *const words[] = { "[class ", "[", "]", "a", "b", "=", "cgroup", "service",
        " = ", "/a", "/", "..", ".service", "cpu-min", "cpu-max", "mem-min", "mem-max", "weight",
        "10", "60%", "100", "%", "-", "\n", "\n", "\n", "\r\n", "#", "\t", "\xff", "\x01" };
    static const char good[] = "[class a]\ncgroup = /a\ncpu-min = 60%\nweight = 300\n"
                               "[class b]\nservice = b.service\nmem-min = 10%\nmem-max = 50%\n";
    char text[2048];
    unsigned fine = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t used = 0, length = below(200);

        for (size_t i = 0; i < length; i++) {
            const char *word = words[below(sizeof(words) / sizeof(words[0]))];

            if (below(20) == 0)
                text[used++] = (char)below(256);
            memcpy(text + used, word, strlen(word));
            used += strlen(word);
        }
        /* Every other time it is a good file with a few bytes changed. */
        if (round % 2 == 0) {
            used = sizeof(good) - 1;
            memcpy(text, good, used);
            for (uint32_t changes = below(4); changes > 0; changes--)
                text[below((uint32_t)used)] = (char)(below(2) ? 32 + below(96) : below(256));
        }
        faults[0] = '\0';
        if (lp_class_parse(text, used, &table, keep_fault, NULL)) {
            assert_string_equal(faults, "");
            check_table();
            fine += table.n_classes;
        } else {
            assert_string_not_equal(faults, "");
        }
    }
    /* Some of it was no junk, else the checks above saw nothing. */
    assert_true(fine > 0);
}

/* --- the division --------------------------------------------------------------------------- */
static const LpClassGroup *
group_of(const char *path)
{
    for (uint32_t i = 0; i < plan.n_groups; i++)
        if (strcmp(plan.groups[i].path, path) == 0)
            return &plan.groups[i];
    fail_msg("nothing is planned for %s", path);
    return NULL;
}

static void
test_plan_known(void **state)
{
    (void)state;
    assert_true(parse("[class gold]\ncgroup=/gold\ncpu-min=60%\nmem-min=30%\nmem-max=50%\n"
                      "[class silver]\ncgroup=/silver\ncpu-min=20%\ncpu-max=50%\n"));
    lp_class_plan(&table, 1, GIB / 2, &plan);
    assert_int_equal(plan.n_groups, 2);
    assert_int_equal(plan.rest, 1000);
    assert_int_equal(group_of("gold")->share, 6500);
    assert_int_equal(group_of("silver")->share, 2500);
    assert_int_equal(group_of("gold")->weight, 650);
    assert_int_equal(group_of("silver")->weight, 250);
    assert_int_equal(group_of("gold")->quota_usec, LP_CLASS_NO_QUOTA);
    assert_int_equal(group_of("silver")->quota_usec, 50000);
    assert_int_equal(group_of("gold")->low_bytes, 161058816);
    assert_int_equal(group_of("gold")->max_bytes, GIB / 4);
    assert_int_equal(group_of("silver")->low_bytes, 0);
    assert_int_equal(group_of("silver")->max_bytes, LP_CLASS_NO_LIMIT);

    /* The partition doubled: shares stay, amounts double. */
    lp_class_plan(&table, 2, GIB, &plan);
    assert_int_equal(group_of("gold")->share, 6500);
    assert_int_equal(group_of("silver")->quota_usec, 100000);
    assert_int_equal(group_of("gold")->max_bytes, GIB / 2);
}

static void
test_plan_weights(void **state)
{
    (void)state;
    assert_true(parse(A "weight = 300\n" B "weight = 100\n"));
    lp_class_plan(&table, 4, GIB, &plan);
    assert_int_equal(group_of("a")->share, 6750);
    assert_int_equal(group_of("b")->share, 2250);
    /* All is promised, and something is left all the same. */
    assert_true(parse(A "cpu-min = 100%\n" B));
    lp_class_plan(&table, 4, GIB, &plan);
    assert_int_equal(plan.rest, 100);
    assert_int_equal(group_of("a")->weight, 10000);
    assert_int_equal(group_of("b")->weight, 1);
    assert_int_equal(lp_class_v1_shares(100), 1024);
    assert_int_equal(lp_class_v1_shares(10000), 102400);
    assert_true(lp_class_v1_shares(1) >= 2);
}

static void
test_plan_above(void **state)
{
    (void)state;
    assert_true(parse("[class a]\ncgroup=/x/a\ncpu-min=30%\nmem-min=10%\ncpu-max=40%\nmem-max=50%\n"
                      "[class b]\ncgroup=/x/y/b\ncpu-min=20%\nmem-min=20%\n"
                      "[class c]\ncgroup=/c\ncpu-min=50%\n"));
    lp_class_plan(&table, 4, 100 * GIB, &plan);
    assert_int_equal(plan.n_groups, 5);
    assert_int_equal(plan.rest, 100);
    assert_int_equal(group_of("x")->weight, 5000);
    assert_int_equal(group_of("x")->low_bytes, 30 * GIB);
    assert_int_equal(group_of("x")->class, -1);
    assert_int_equal(group_of("x")->quota_usec, LP_CLASS_NO_QUOTA);
    assert_int_equal(group_of("x")->max_bytes, LP_CLASS_NO_LIMIT);
    assert_int_equal(group_of("x/y")->weight, 2000);
    assert_int_equal(group_of("x/y")->low_bytes, 20 * GIB);
    /* What is above is set before what is below. */
    assert_true(group_of("x") < group_of("x/y") && group_of("x/y") < group_of("x/a"));
    lp_class_plan(&(LpClassTable){ .n_classes = 0 }, 4, GIB, &plan);
    assert_int_equal(plan.n_groups, 0);
}

static void
random_table(void)
{
    uint32_t cpu_left = 100, mem_left = 100;

    memset(&table, 0, sizeof(table));
    table.n_classes = 1 + below(LP_WIRE_CLASSES_MAX);
    for (uint32_t i = 0; i < table.n_classes; i++) {
        LpClass *class = &table.classes[i];

        snprintf(class->name, sizeof(class->name), "c%u", i);
        snprintf(class->path, sizeof(class->path), below(2) ? "c%u" : "above/c%u", i);
        class->cpu_min = below(cpu_left + 1);
        class->mem_min = below(mem_left + 1);
        /* Sometimes all is promised. */
        if (i == 0 && below(10) == 0)
            class->cpu_min = 100;
        cpu_left -= class->cpu_min;
        mem_left -= class->mem_min;
        class->cpu_max = class->cpu_min > 0 ? class->cpu_min + below(101 - class->cpu_min) :
                                              1 + below(100);
        class->mem_max = class->mem_min > 0 ? class->mem_min + below(101 - class->mem_min) :
                                              1 + below(100);
        class->weight = below(3) ? 1 + below(LP_CLASS_WEIGHT_MAX) : below(2) ? 1 : 10000;
    }
}

/* What the kernel does with weights and quotas when everybody is always runnable, a cgroup in no
 * class among them: time by weight, and what a quota does not let one take goes to the others.
 * As if all were neighbours: that those above classes have the sum of theirs is looked at apart. */
static void
share_out(uint32_t cpus, double *ret_got)
{
    double left = cpus;
    bool full[LP_CLASS_GROUPS_MAX] = { false };

    for (uint32_t i = 0; i < plan.n_groups; i++)
        ret_got[i] = 0;
    for (uint32_t round = 0; round < LP_CLASS_GROUPS_MAX && left > 1e-9; round++) {
        double weights = 100, given = 0;

        for (uint32_t i = 0; i < plan.n_groups; i++)
            if (plan.groups[i].class >= 0 && !full[i])
                weights += plan.groups[i].weight;
        for (uint32_t i = 0; i < plan.n_groups; i++) {
            double quota = (double)plan.groups[i].quota_usec / LP_CLASS_PERIOD_USEC;
            double more;

            if (plan.groups[i].class < 0 || full[i])
                continue;
            more = left * plan.groups[i].weight / weights;
            if (plan.groups[i].quota_usec >= 0 && ret_got[i] + more >= quota) {
                more = quota - ret_got[i];
                full[i] = true;
            }
            ret_got[i] += more;
            given += more;
        }
        left -= given + left * 100 / weights;
    }
}

static void
check_class(const LpClassGroup *group, double got, uint32_t cpus, uint64_t bytes, uint32_t promised)
{
    const LpClass *class = &table.classes[group->class];

    /* The weights of the others are rounded up by less than 1 of 900 each.  What is promised
     * beyond 99 % has to be shared with the rest. */
    double others = 1 + (table.n_classes - 1) / 900.0, whole = promised <= 99 ? 1 : 1.01;

    assert_true(got * others * whole >= cpus * (class->cpu_min - 0.001) / 100);
    assert_true(got <= cpus * (class->cpu_max + 0.001) / 100);
    /* The kernel takes no quota below a millisecond. */
    assert_true(group->quota_usec == LP_CLASS_NO_QUOTA || group->quota_usec >= 1000);
    assert_true(group->low_bytes <= group->max_bytes);
    assert_true(group->low_bytes % 4096 == 0);
    assert_true(group->low_bytes / 4096 + 1 >= bytes / 100 * class->mem_min / 4096);
    if (class->mem_max < 100)
        assert_true(group->max_bytes <= bytes / 100 * (class->mem_max + 1));
}

static void
test_plan_properties(void **state)
{
    double got[LP_CLASS_GROUPS_MAX];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint32_t cpus = 1 + below(below(2) ? 8 : 1024), whole = 0, above = 0, beneath = 0;
        uint32_t promised = 0;
        uint64_t bytes = ((uint64_t)below(UINT32_MAX) << 20) + below(1 << 20), low = 0;

        random_table();
        for (uint32_t i = 0; i < table.n_classes; i++)
            promised += table.classes[i].cpu_min;
        lp_class_plan(&table, cpus, bytes, &plan);
        share_out(cpus, got);
        for (uint32_t i = 0; i < plan.n_groups; i++) {
            const LpClassGroup *group = &plan.groups[i];

            assert_in_range(group->weight, 1, 10000);
            if (group->class < 0) {
                above += group->weight;
                continue;
            }
            check_class(group, got[i], cpus, bytes, promised);
            whole += group->share;
            low += group->low_bytes;
            if (strchr(group->path, '/') != NULL)
                beneath += group->weight;
        }
        assert_in_range(plan.rest, 100, 1000);
        assert_int_equal(whole, promised <= 99 ? 10000 - plan.rest : 100 * promised);
        assert_int_equal(above, beneath > 10000 ? 10000 : beneath);
        assert_true(low <= bytes);
    }
}

/* --- the helper ----------------------------------------------------------------------------- */
static char scratch[64], output[8192];

static int
helper(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs it with these arguments; its exit status, what it said in `output`. */
static int
helper(const char *format, ...)
{
    char arguments[512], command[1024];
    va_list args;
    FILE *pipe;
    size_t n;
    int status;

    va_start(args, format);
    vsnprintf(arguments, sizeof(arguments), format, args);
    va_end(args);
    snprintf(command, sizeof(command), "cd %s && exec timeout 20 %s %s 2>&1 </dev/null", scratch,
             LP_CLASSES_PATH, arguments);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    n = fread(output, 1, sizeof(output) - 1, pipe);
    output[n] = '\0';
    status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
put(const char *name, const char *text, mode_t mode)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", scratch, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void
has(const char *text)
{
    if (strstr(output, text) == NULL)
        fail_msg("no {%s} in {%s}", text, output);
}

static void
test_helper_check(void **state)
{
    (void)state;
    put("good", A "cpu-min = 60%\n" B, 0644);
    assert_int_equal(helper("check --conf good"), 0);
    has("good: 2 classes");
    put("over", A "cpu-min = 60%\n" B "cpu-min = 60%\n", 0644);
    assert_int_equal(helper("check --conf over"), 2);
    has("over:4: with class b the sum of cpu-min is 120 %, over 100 %");
    assert_int_equal(helper("apply --conf over --list list"), 2);
    has("over:4: ");
    assert_int_equal(helper("check --conf missing"), 2);
    has("missing: No such file");
    assert_int_equal(helper("check --conf ."), 2);
    put("open", A, 0666);
    assert_int_equal(helper("apply --conf open --list list"), 2);
    has("open: others than root may write to it");
}

static void
test_helper_sample(void **state)
{
    char command[512];

    (void)state;
    /* Whoever owns the sources, the copy is ours. */
    snprintf(command, sizeof(command), "install -m 0644 '%s' %s/sample", LP_CLASSES_SAMPLE,
             scratch);
    assert_int_equal(system(command), 0);
    assert_int_equal(helper("check --conf sample"), 0);
    assert_int_equal(helper("show --conf sample --cpus 4 --mem 8589934592"), 0);
    has("4 processors, 8192 MiB");
    has("database          69.10 %");
    has("(in no class)     10.00 %");
    has("system.slice/postgresql.service");
    has("2.00          -   2457 MiB");
}

static void
test_helper_usage(void **state)
{
    (void)state;
    assert_int_equal(helper("--help"), 0);
    has("Usage: lpar-agent-classes");
    assert_int_equal(helper("--version"), 0);
    assert_int_equal(helper("%s", ""), 2);
    assert_int_equal(helper("explode"), 2);
    has("unknown command: explode");
    assert_int_equal(helper("check twice"), 2);
    assert_int_equal(helper("show --cpus 0"), 2);
    assert_int_equal(helper("show --cpus 4096"), 2);
    assert_int_equal(helper("show --mem -1"), 2);
    assert_int_equal(helper("show --mem 1G"), 2);
    assert_int_equal(helper("clear --list none"), 0);
}

/* --- the agent, with a helper that only writes down that it was run ----------------------------- */
/* What the helper is told to do is in DIR/how. */
static const char stand_in[] = "#!/bin/sh\n"
                               "echo \"$@\" >>%s/ran-%s\n"
                               "cat %s/said\n"
                               "exit $(cat %s/how-%s)\n";

static pid_t
start_agent(const char *name, const char *how, const char *more)
{
    char text[1024], path[128];
    pid_t pid;

    snprintf(path, sizeof(path), "helper-%s", name);
    snprintf(text, sizeof(text), stand_in, scratch, name, scratch, scratch, name);
    put(path, text, 0755);
    snprintf(path, sizeof(path), "how-%s", name);
    put(path, how, 0644);
    put("said", "/x:4: too much\nmore\n", 0644);
    put("classes.conf", "", 0644);
    snprintf(path, sizeof(path), "conf-%s", name);
    snprintf(text, sizeof(text),
             "classes = %s/classes.conf\nclasses-helper = %s/helper-%s\nsocket = none\n%s\n",
             scratch, scratch, name, more);
    put(path, text, 0644);

    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        snprintf(text, sizeof(text), "cd %s && exec %s --conf %s/conf-%s --sysfs %s --procfs %s "
                 "--port %s/no-port 2>log-%s", scratch, LP_AGENT_PATH, scratch, name, scratch,
                 scratch, scratch, name);
        execl("/bin/sh", "sh", "-c", text, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void
stop_agent(pid_t pid)
{
    int status;

    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Of the file KIND-NAME those lines that hold `text`; all, if it is empty. */
static unsigned
lines(const char *kind, const char *name, const char *text)
{
    char path[128], line[512];
    unsigned n = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s-%s", scratch, kind, name);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL)
        if (strstr(line, text) != NULL)
            n++;
    fclose(file);
    return n;
}

static void
wait_for_lines(const char *kind, const char *name, const char *text, unsigned n)
{
    for (int i = 0; i < 1000 && lines(kind, name, text) < n; i++)
        usleep(10000);
    if (lines(kind, name, text) < n)
        fail_msg("%s-%s has no %u lines of {%s}", kind, name, n, text);
}

static void
test_agent_runs_helper(void **state)
{
    char wanted[256];
    pid_t agent = start_agent("good", "0", "");

    (void)state;
    wait_for_lines("ran", "good", "", 1);
    snprintf(wanted, sizeof(wanted), "apply --conf %s/classes.conf\n", scratch);
    assert_int_equal(lines("ran", "good", wanted), 1);
    /* Several at once make one run. */
    for (int i = 0; i < 20; i++)
        kill(agent, SIGHUP);
    wait_for_lines("ran", "good", "", 2);
    usleep(600000);
    assert_int_equal(lines("ran", "good", ""), 2);
    assert_int_equal(lines("log", "good", "classes:"), 0);
    stop_agent(agent);
}

static void
test_agent_forbidden(void **state)
{
    pid_t agent = start_agent("never", "0", "forbid = classes");

    (void)state;
    usleep(700000);
    kill(agent, SIGHUP);
    usleep(700000);
    assert_int_equal(lines("ran", "never", ""), 0);
    stop_agent(agent);
}

/* What may mend itself is tried again; a file that is wrong is not.  Each is logged once. */
static void
test_agent_helper_fails(void **state)
{
    pid_t failing = start_agent("failing", "1", ""), wrong = start_agent("wrong", "2", "");

    (void)state;
    wait_for_lines("ran", "failing", "", 2);
    assert_int_equal(lines("ran", "wrong", ""), 1);
    assert_int_equal(lines("log", "failing", "classes: /x:4: too much"), 1);
    assert_int_equal(lines("log", "failing", "more"), 0);
    kill(wrong, SIGHUP);
    wait_for_lines("log", "wrong", "classes: /x:4: too much", 2);
    stop_agent(failing);
    stop_agent(wrong);
    assert_int_equal(lines("ran", "wrong", ""), 2);
}

static void
test_agent_no_helper(void **state)
{
    pid_t agent = start_agent("gone", "0", "classes-helper = /nonexistent/helper");

    (void)state;
    wait_for_lines("log", "gone", "classes: /nonexistent/helper: No such file", 1);
    stop_agent(agent);
}

static int
make_scratch(void **state)
{
    (void)state;
    strcpy(scratch, "/tmp/lpar-classes-XXXXXX");
    return mkdtemp(scratch) != NULL ? 0 : -1;
}

static int
remove_scratch(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", scratch);
    return system(command);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_all_keys),
        cmocka_unit_test(test_parse_empty),
        cmocka_unit_test(test_parse_sums),
        cmocka_unit_test(test_parse_numbers),
        cmocka_unit_test(test_parse_structure),
        cmocka_unit_test(test_parse_members),
        cmocka_unit_test(test_parse_bounds),
        cmocka_unit_test(test_parse_junk),
        cmocka_unit_test(test_plan_known),
        cmocka_unit_test(test_plan_weights),
        cmocka_unit_test(test_plan_above),
        cmocka_unit_test(test_plan_properties),
        cmocka_unit_test(test_helper_check),
        cmocka_unit_test(test_helper_sample),
        cmocka_unit_test(test_helper_usage),
        cmocka_unit_test(test_agent_runs_helper),
        cmocka_unit_test(test_agent_forbidden),
        cmocka_unit_test(test_agent_helper_fails),
        cmocka_unit_test(test_agent_no_helper),
    };

    return cmocka_run_group_tests_name("classes", tests, make_scratch, remove_scratch);
}
