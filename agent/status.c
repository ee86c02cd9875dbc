/* `lpar-agent status`: what the agent would tell the host, and what resizing this guest can do. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/facts.h"
#include "agent/hookdir.h"
#include "agent/wire/feature.h"
#include "agent/wire/words.h"

#define LP_STATUS_COLUMNS 78
/* Long enough for shares of processor time to mean something, in ticks of 10 ms. */
#define LP_STATUS_SAMPLE_NSEC 200000000

/* One reading of everything. */
typedef struct {
    LpWireHello hello;
    LpWireState state;
    LpWirePressure pressure;
    LpConf conf;
    char port[64];                      /* empty: there is none */
} LpStatus;

/* Words of `text` from column `indent` on, `first` being printed already. */
static void
print_wrapped(unsigned indent, const char *text)
{
    unsigned column = indent;

    while (*text != '\0') {
        unsigned length = (unsigned)strcspn(text, " ");

        if (column > indent && column + 1 + length > LP_STATUS_COLUMNS) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        fwrite(text, 1, length, stdout);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

/* The names whose bits are set. */
static void
print_names(const char *title, uint32_t bits, const char *const *names, unsigned n_names)
{
    char text[512] = "";
    size_t used = 0;

    for (unsigned bit = 0; bit < n_names; bit++) {
        if (bits & (1u << bit))
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
                                     used > 0 ? ", " : "", names[bit]);
    }
    printf("%-16s", title);
    print_wrapped(16, used > 0 ? text : "nothing");
}

static void
print_abilities(const LpWireHello *hello)
{
    static const char *const words[] = { "?", "no", "yes" };
    LpWireAbility ability;

    printf("\nwhat resizing this guest can do:\n");
    for (unsigned i = 0; lp_wire_ability(hello, i, &ability); i++) {
        printf("  %-20s%-5s", ability.name, words[ability.able]);
        print_wrapped(27, ability.text);
    }
}

static void
print_lacks(const LpWireHello *hello)
{
    uint32_t known = hello->has | hello->lacks;

    if (hello->lacks != 0)
        printf("\nwhat it lacks, and how to get it:\n");
    for (unsigned bit = 0; bit < LP_WIRE_FEATURES; bit++) {
        const LpWireFeature *feature = lp_wire_feature(bit);

        if (!(hello->lacks & (1u << bit)))
            continue;
        printf("  %-20s", feature->name);
        print_wrapped(22, feature->lacks);
        printf("%22scure: ", "");
        print_wrapped(28, feature->cure);
    }
    putchar('\n');
    print_names("has:", hello->has, lp_wire_feature_names, LP_WIRE_FEATURES);
    if ((known & ((1u << LP_WIRE_FEATURES) - 1)) != (1u << LP_WIRE_FEATURES) - 1)
        print_names("not known:", ~known, lp_wire_feature_names, LP_WIRE_FEATURES);
    print_names("forbidden:", hello->forbids, lp_wire_act_names, LP_WIRE_ACTS);
}

static void
print_mib(const char *what, uint64_t bytes)
{
    printf("%-16s%llu MiB (%llu bytes)\n", what, (unsigned long long)(bytes >> 20),
           (unsigned long long)bytes);
}

static void
print_state(const LpWireState *state)
{
    char text[LP_CPUMASK_TEXT];

    printf("vCPUs present:  %s\n", lp_cpumask_format(&state->present, text, sizeof(text)));
    printf("vCPUs online:   %s\n", lp_cpumask_format(&state->online, text, sizeof(text)));
    print_mib("memory:", state->mem_total_bytes);
    print_mib("available:", state->mem_available_bytes);
    print_mib("not online:", state->mem_offline_bytes);
    for (uint32_t i = 0; i < state->n_cells; i++)
        printf("cell %-11u%llu MiB, %llu MiB free\n", state->cells[i].cell,
               (unsigned long long)(state->cells[i].total_bytes >> 20),
               (unsigned long long)(state->cells[i].free_bytes >> 20));
    printf("load:           %u.%02u\n", state->load_centi / 100, state->load_centi % 100);
}

#define CENTI(value) (value) / 100, (value) % 100

static void
print_pressure(const LpWirePressure *now)
{
    printf("pressure:       cpu %u.%02u %%, memory %u.%02u %% (full %u.%02u %%), "
           "io %u.%02u %% (full %u.%02u %%)\n", CENTI(now->psi_cpu_some_centi),
           CENTI(now->psi_mem_some_centi), CENTI(now->psi_mem_full_centi),
           CENTI(now->psi_io_some_centi), CENTI(now->psi_io_full_centi));
    print_mib("working set:", now->working_set_bytes);
    printf("since boot:     %llu pages refaulted, %llu OOM kills; swap used %llu MiB\n",
           (unsigned long long)now->refaults, (unsigned long long)now->oom_kills,
           (unsigned long long)(now->swap_used_bytes >> 20));
    printf("processors:     %u.%02u %% busy, %u.%02u %% stolen, %u runnable\n",
           CENTI(now->busy_centi), CENTI(now->steal_centi), now->running);
    for (uint32_t i = 0; i < now->n_classes; i++)
        printf("class %-10s%u.%02u processors, %llu MiB\n", now->classes[i].name,
               CENTI(now->classes[i].cpu_centi),
               (unsigned long long)(now->classes[i].mem_bytes >> 20));
}

static void
print_hooks(const LpConf *conf)
{
    static LpHook hooks[LP_HOOKS_MAX];
    unsigned n = lp_hookdir_read(conf->hooks_dir, hooks, false);

    printf("hooks:          ");
    if (n == 0)
        printf("none in %s\n", conf->hooks_dir);
    for (unsigned i = 0; i < n; i++)
        printf("%*s%s\n", i > 0 ? 16 : 0, "", hooks[i].name);
}

static void
gather(const LpAgentOptions *options, LpStatus *status)
{
    static LpCpus cpus;
    struct timespec pause = { .tv_nsec = LP_STATUS_SAMPLE_NSEC };
    LpPressureBase base = { .at_msec = 0 };
    LpMemory memory;

    lp_conf_init(&status->conf);
    lp_conf_read(&status->conf, options->conf);
    lp_cpus_init(&cpus, options->sysfs);
    lp_cpus_scan(&cpus, true);
    lp_memory_init(&memory, options->sysfs, options->procfs, &status->conf);
    lp_facts_hello(options->sysfs, options->procfs, &status->conf, &status->hello);
    lp_facts_state(options->sysfs, options->procfs, &cpus, &memory, &status->state);
    /* Rates take two readings. */
    lp_pressure_read(options->procfs, LP_CLASSES_LIST, &base, &status->pressure);
    nanosleep(&pause, NULL);
    lp_pressure_read(options->procfs, LP_CLASSES_LIST, &base, &status->pressure);
    if (options->port != NULL)
        snprintf(status->port, sizeof(status->port), "%s", options->port);
    else if (!lp_port_find(options->sysfs, status->port, sizeof(status->port)))
        status->port[0] = '\0';
}

/* The messages themselves: what the host would be told, word for word. */
static int
print_json(const LpStatus *status)
{
    static char frame[LP_WIRE_FRAME_MAX + 1];
    static LpWireMessage messages[3];

    messages[0] = (LpWireMessage){ .kind = LP_WIRE_HELLO, .hello = status->hello };
    messages[1] = (LpWireMessage){ .kind = LP_WIRE_STATE, .state = status->state };
    messages[2] = (LpWireMessage){ .kind = LP_WIRE_PRESSURE, .pressure = status->pressure };
    putchar('[');
    for (int i = 0; i < 3; i++) {
        size_t length;

        if (lp_wire_encode(&messages[i], frame, sizeof(frame), &length) != LP_WIRE_OK)
            return 1;
        printf("%s%.*s", i > 0 ? ",\n" : "", (int)length - 1, frame);
    }
    printf("]\n");
    return fflush(stdout) == 0 ? 0 : 1;
}

int
lp_agent_status(const LpAgentOptions *options)
{
    static LpStatus status;

    gather(options, &status);
    if (options->json)
        return print_json(&status);
    printf("agent:          %s, protocol %u\n", status.hello.agent, status.hello.version);
    printf("hypervisor:     %s\n", lp_wire_hypervisor_names[status.hello.hypervisor]);
    printf("kernel:         %s, boot %s\n", status.hello.kernel, status.hello.boot_id);
    if (status.port[0] == '\0')
        printf("port:           none named %s\n", LP_PORT_NAME);
    else
        printf("port:           %s%s\n", status.port,
               options->port != NULL ? "" : " (" LP_PORT_NAME ")");
    print_state(&status.state);
    print_pressure(&status.pressure);
    print_abilities(&status.hello);
    print_lacks(&status.hello);
    print_hooks(&status.conf);
    return fflush(stdout) == 0 ? 0 : 1;
}
