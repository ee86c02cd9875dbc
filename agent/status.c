/* `lpar-agent status`: what the agent would tell the host, for people. */
#include <stdio.h>

#include "agent/agent.h"
#include "agent/facts.h"
#include "agent/wire/words.h"

static void
print_caps(uint32_t caps)
{
    printf("capabilities:  ");
    for (int bit = 0; bit < LP_WIRE_CAPS; bit++) {
        if (caps & (1u << bit))
            printf(" %s", lp_wire_cap_names[bit]);
    }
    printf(caps == 0 ? " none\n" : "\n");
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
    printf("pressure:       cpu %u.%02u %%, memory %u.%02u %%\n", state->psi_cpu_centi / 100,
           state->psi_cpu_centi % 100, state->psi_mem_centi / 100, state->psi_mem_centi % 100);
}

int
lp_agent_status(const LpAgentOptions *options)
{
    static LpCpus cpus;
    static LpWireState state;
    LpMemory memory;
    LpWireHello hello;
    char port[64];

    lp_cpus_init(&cpus, options->sysfs);
    lp_cpus_scan(&cpus, true);
    lp_memory_init(&memory, options->sysfs);
    lp_facts_hello(options->sysfs, options->procfs, &hello);
    lp_facts_state(options->sysfs, options->procfs, &cpus, &memory, &state);

    printf("agent:          %s, protocol %u\n", hello.agent, hello.version);
    printf("kernel:         %s, boot %s\n", hello.kernel, hello.boot_id);
    if (options->port != NULL)
        printf("port:           %s\n", options->port);
    else if (lp_port_find(options->sysfs, port, sizeof(port)))
        printf("port:           %s (%s)\n", port, LP_PORT_NAME);
    else
        printf("port:           none named %s\n", LP_PORT_NAME);
    print_caps(hello.caps);
    print_state(&state);
    return fflush(stdout) == 0 ? 0 : 1;
}
