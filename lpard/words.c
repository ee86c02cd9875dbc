/* Sentences for people.  API, log, journal and terminal take them all from here, so that the
 * same thing is said the same way everywhere. */
#include "lpard/words.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>

#include "policy/units.h"

/* libvirt sets no limit to a name; a sentence has one. */
#define MAX_NAME 40

#define CENTI_PER_CPU 100

/* Filled in once per sentence: what the numbers of a shortfall are called. */
typedef struct {
    const char *name;              /* of the partition */
    char asked[LP_UNITS_TEXT + 12];
    char bound[LP_UNITS_TEXT + 12];
    const char *resource;          /* "cpu", "mem", "entitled": as written in commands */
} Terms;

static char *
clip_name(const char *name)
{
    g_autofree char *head = NULL;

    if (!name || !*name)
        return g_strdup("the partition");
    if (g_utf8_strlen(name, -1) <= MAX_NAME)
        return g_strdup(name);
    head = g_utf8_substring(name, 0, MAX_NAME - 3);
    return g_strconcat(head, "...", NULL);
}

static void
write_amount(LpResource resource, uint64_t amount, char *buf, size_t size)
{
    char text[LP_UNITS_TEXT];

    switch (resource) {
    case LP_RESOURCE_CPU:
        g_snprintf(buf, size, "%" PRIu64 " vCPU%s", amount, amount == 1 ? "" : "s");
        return;
    case LP_RESOURCE_MEM:
        g_strlcpy(buf, lp_units_format_bytes(amount, text, sizeof(text)), size);
        return;
    case LP_RESOURCE_CAPACITY:
        g_snprintf(buf, size, "%s processors",
                   lp_units_format_centi((uint32_t) MIN(amount, UINT32_MAX), text, sizeof(text)));
        return;
    }
    g_snprintf(buf, size, "%" PRIu64, amount);
}

/* What was asked against the profile's bounds and the entitlement's rules. */
static char *
word_bounds(const LpShortfall *shortfall, const Terms *terms)
{
    const char *name = terms->name;

    switch ((int) shortfall->reason) {
    case LP_SHORT_NONE:
        return g_strdup_printf("%s: nothing stands in the way; no action is needed", name);
    case LP_SHORT_NO_CHANGE:
        return g_strdup_printf("%s: it already has what was asked; nothing is done", name);
    case LP_SHORT_BELOW_MIN:
        return g_strdup_printf("%s: %s is below its minimum of %s; lower it with `lparctl profile "
                               "set %s %s=MIN:DESIRED:MAX`%s",
                               name, terms->asked, terms->bound, name, terms->resource,
                               shortfall->resource == LP_RESOURCE_MEM
                                   ? " (what it has booted with leaves at its next start only)"
                                   : "");
    case LP_SHORT_ABOVE_MAX:
        return g_strdup_printf("%s: %s is above its maximum of %s; raise it with `lparctl profile "
                               "set %s %s=MIN:DESIRED:MAX` (at once as far as the running "
                               "domain has %s for it, beyond that at its next start)",
                               name, terms->asked, terms->bound, name, terms->resource,
                               shortfall->resource == LP_RESOURCE_MEM ? "devices"
                                                                      : "vCPU slots");
    case LP_SHORT_ENTITLED_LOW:
        return g_strdup_printf("%s: an entitlement of %s is below 0.05 for each of its vCPUs; "
                               "raise it to %s or more with `lparctl capacity %s entitled=...`",
                               name, terms->asked, terms->bound, name);
    case LP_SHORT_ENTITLED_HIGH:
        return g_strdup_printf("%s: an entitlement of %s is more than its vCPUs can use; give it "
                               "%s at most, or more vCPUs first",
                               name, terms->asked, terms->bound);
    }
    return NULL;
}

static char *
word_host(const LpShortfall *shortfall, const Terms *terms)
{
    const char *name = terms->name;

    switch ((int) shortfall->reason) {
    case LP_SHORT_HOST_MEMORY:
        return g_strdup_printf("%s: it needs %s more, but the host has %s free; ask for less, or "
                               "take memory from another partition with `lparctl move`",
                               name, terms->asked, terms->bound);
    case LP_SHORT_NODE_MEMORY:
        if (!shortfall->fatal)
            return g_strdup_printf("%s: host node %d has no room for %s of it, which will lie on "
                                   "the nearest that has; `lparctl optimize` makes room and "
                                   "brings it home", name, shortfall->where, terms->asked);
        if (shortfall->where < 0)
            return g_strdup_printf("%s: it needs %s more, but no host node behind its cells can "
                                   "give more than %s; ask for less, or free memory there",
                                   name, terms->asked, terms->bound);
        return g_strdup_printf("%s: it needs %s more, but host node %d can give it %s; ask for "
                               "less, or free memory on that node",
                               name, terms->asked, shortfall->where, terms->bound);
    case LP_SHORT_HOST_CPU:
        return g_strdup_printf("%s: an entitlement of %s would exceed the host's processors, or "
                               "its pool's, of which %s are left; ask for less, or lower another "
                               "partition's with `lparctl capacity`",
                               name, terms->asked, terms->bound);
    case LP_SHORT_NO_CGROUP:
        return g_strdup_printf("%s: CPU granted is not enforced, since this connection to libvirt "
                               "has no control groups; connect lpard to qemu:///system for that",
                               name);
    case LP_SHORT_OVERRUN:
        return g_strdup_printf("%s: its guest holds %s, more than the %s it was granted, so it "
                               "gets no more; load the virtio-mem driver in the guest, or "
                               "restart it",
                               name, terms->asked, terms->bound);
    }
    return NULL;
}

static char *
word_memory(const LpShortfall *shortfall, const Terms *terms)
{
    const char *name = terms->name;

    switch ((int) shortfall->reason) {
    case LP_SHORT_BLOCK:
        return g_strdup_printf("%s: %s is not reached in whole blocks of %s from its boot memory; "
                               "ask for a multiple of the block, or let "
                               "lparctl do so with `--round`",
                               name, terms->asked, terms->bound);
    case LP_SHORT_NO_DEVICE:
        return g_strdup_printf("%s: it has no virtio-mem device, nor DIMMs in its place, to move "
                               "%s by; add one with `lparctl enable %s` and restart it",
                               name, terms->asked, name);
    case LP_SHORT_NO_SLOT:
        return g_strdup_printf("%s: all of its memory slots are taken, so that no DIMM fits in; "
                               "unplug one, or add a virtio-mem device with `lparctl enable %s` "
                               "and restart it",
                               name, name);
    case LP_SHORT_DEVICE_SIZE:
        return g_strdup_printf("%s: %s is out of reach, since as it was started its memory "
                               "devices end at %s; ask for no more, or change the profile and "
                               "restart it",
                               name, terms->asked, terms->bound);
    case LP_SHORT_DIMM_WHOLE:
        return g_strdup_printf("%s: %s cannot leave, since DIMMs leave whole; the nearest amount "
                               "that can is %s: ask for that, or use `--via balloon`",
                               name, terms->asked, terms->bound);
    case LP_SHORT_NO_BALLOON:
        return g_strdup_printf("%s: it has no balloon to take %s with; add one with `lparctl "
                               "enable %s` and restart it, or ask for less",
                               name, terms->asked, name);
    case LP_SHORT_BALLOON_ONLY:
        return g_strdup_printf("%s: %s comes by balloon only, which the guest can take back, so "
                               "that it stays counted as granted; restart the partition smaller "
                               "to free it for others",
                               name, terms->asked);
    }
    return NULL;
}

/* Where memory and processors are to be. */
static char *
word_place(const LpShortfall *shortfall, const Terms *terms)
{
    const char *name = terms->name;

    switch ((int) shortfall->reason) {
    case LP_SHORT_AFFINITY:
        return g_strdup_printf("%s: its affinity score would be %" PRIu64 ", below its floor of "
                               "%" PRIu64 "; make room with `lparctl optimize --request %s`, or "
                               "lower its profile's affinity-floor",
                               name, shortfall->bound, shortfall->asked, name);
    case LP_SHORT_CELL:
        return g_strdup_printf("%s: the device of its cell %d cannot move %s, but %s; ask for that, "
                               "or for another cell's",
                               name, shortfall->where, terms->asked, terms->bound);
    case LP_SHORT_NODES_ABSENT:
        if (!shortfall->fatal)
            return g_strdup_printf("%s: its rule names host node %d, which this host has not, so "
                                   "the others it names serve alone; correct the rule with "
                                   "`lparctl profile set %s numa=RULE`",
                                   name, shortfall->where, name);
        return g_strdup_printf("%s: its rule holds it to host node %d, and this host has neither "
                               "that one nor any other it names, so that no memory can come; "
                               "correct the rule with `lparctl profile set %s numa=RULE`",
                               name, shortfall->where, name);
    }
    return NULL;
}

static char *
word_cpu(const LpShortfall *shortfall, const Terms *terms)
{
    const char *name = terms->name;

    switch ((int) shortfall->reason) {
    case LP_SHORT_VCPU_MAX:
        return g_strdup_printf("%s: %s are out of reach, since it was started with room for %s; "
                               "restart it, and the profile's maximum holds",
                               name, terms->asked, terms->bound);
    case LP_SHORT_NO_AGENT:
        return g_strdup_printf("%s: lpar-agent is not connected, so the guest neither puts vCPUs "
                               "to use nor lets them go at our word; start lpar-agent in the guest "
                               "for that",
                               name);
    case LP_SHORT_BOOT_CPU:
        return g_strdup_printf("%s: vCPUs that it was started with cannot be unplugged, so some "
                               "are taken offline in the guest and held by quota; nothing more is "
                               "needed",
                               name);
    case LP_SHORT_UNPLUG_EMULATED:
        return g_strdup_printf("%s: vCPUs cannot be unplugged under emulation, so they are taken "
                               "offline in the guest and held by quota; unplugging needs KVM",
                               name);
    }
    return NULL;
}

static char *
word_state(const LpShortfall *shortfall, const Terms *terms)
{
    const char *name = terms->name;

    switch ((int) shortfall->reason) {
    case LP_SHORT_NOT_RUNNING:
        return shortfall->fatal
                   ? g_strdup_printf("%s: it is off and has no persistent definition to change; "
                                     "define it in libvirt first", name)
                   : g_strdup_printf("%s: it is off, so the change is made to its definition and "
                                     "takes effect at the next start", name);
    case LP_SHORT_PAUSED:
        return g_strdup_printf("%s: it is paused, and a paused guest can neither take nor give; "
                               "resume it with `virsh resume %s` and ask again", name, name);
    case LP_SHORT_BUSY:
        return g_strdup_printf("%s: it is starting, stopping or migrating and is left alone until "
                               "that is over; ask again then", name);
    case LP_SHORT_TRANSIENT:
        return g_strdup_printf("%s: it has no persistent definition, so the change lasts until it "
                               "stops; define it in libvirt to keep it", name);
    }
    return NULL;
}

char *
lp_words_shortfall(const LpShortfall *shortfall, const char *partition)
{
    static char *(*const WORDERS[])(const LpShortfall *, const Terms *) = {
        word_bounds, word_host, word_memory, word_place, word_cpu, word_state,
    };
    static const char *const RESOURCES[] = { "cpu", "mem", "entitled" };
    g_autofree char *name = clip_name(partition);
    Terms terms = { .name = name, .resource = "cpu" };

    if ((unsigned) shortfall->resource < G_N_ELEMENTS(RESOURCES))
        terms.resource = RESOURCES[shortfall->resource];
    write_amount(shortfall->resource, shortfall->asked, terms.asked, sizeof(terms.asked));
    write_amount(shortfall->resource, shortfall->bound, terms.bound, sizeof(terms.bound));
    for (size_t i = 0; i < G_N_ELEMENTS(WORDERS); i++) {
        char *sentence = WORDERS[i](shortfall, &terms);

        if (sentence)
            return sentence;
    }
    return g_strdup_printf("%s: it is refused for reason %d, which this lpard has no words for; "
                           "install lpard and lparctl of one version",
                           name, (int) shortfall->reason);
}

/* " (cell 1)" where there is more than one to tell apart. */
static void
write_cell(const LpStep *step, uint32_t n_cells, char *buf, size_t size)
{
    buf[0] = '\0';
    if (n_cells > 1)
        g_snprintf(buf, size, " (cell %u)", step->cell);
}

static char *
word_fold(const LpStep *step)
{
    char list[LP_CPUMASK_TEXT];
    const char *plural = lp_cpumask_count(&step->cpus) == 1 ? "" : "s";

    lp_cpumask_format(&step->cpus, list, sizeof(list));
    /* Hundreds of scattered vCPUs are no sentence. */
    if (strlen(list) > 100)
        g_snprintf(list, sizeof(list), "(%u of them)", lp_cpumask_count(&step->cpus));
    if (step->release)
        return g_strdup_printf("agent keeps vCPU%s %s online and takes the others offline", plural,
                               list);
    return g_strdup_printf("agent brings vCPU%s %s online", plural, list);
}

static char *
word_capacity(const LpStep *step)
{
    char units[LP_UNITS_TEXT];
    uint64_t centi;

    if (step->global_quota_usec < 0 || step->global_period_usec == 0)
        return g_strdup_printf("lift the processor quota; cgroup shares %" PRIu64, step->shares);
    centi = (uint64_t) step->global_quota_usec * CENTI_PER_CPU / step->global_period_usec;
    return g_strdup_printf("hold to %s processors by quota, QEMU's own threads included; "
                           "cgroup shares %" PRIu64,
                           lp_units_format_centi((uint32_t) MIN(centi, UINT32_MAX), units,
                                                 sizeof(units)),
                           step->shares);
}

char *
lp_words_step(const LpStep *step, uint32_t n_cells)
{
    char cell[24], from[LP_UNITS_TEXT], to[LP_UNITS_TEXT];

    write_cell(step, n_cells, cell, sizeof(cell));
    lp_units_format_bytes(step->from_bytes, from, sizeof(from));
    lp_units_format_bytes(step->to_bytes, to, sizeof(to));
    switch (step->kind) {
    case LP_STEP_FOLD:
        return word_fold(step);
    case LP_STEP_PLUG_VCPU:
        return g_strdup_printf("plug vCPU %u%s", step->vcpu, cell);
    case LP_STEP_UNPLUG_VCPU:
        return g_strdup_printf("unplug vCPU %u%s", step->vcpu, cell);
    case LP_STEP_CAPACITY:
        return word_capacity(step);
    case LP_STEP_VIRTIO_MEM:
        if (n_cells > 1)
            return g_strdup_printf("virtio-mem cell %u: %s -> %s", step->cell, from, to);
        return g_strdup_printf("virtio-mem: %s -> %s", from, to);
    case LP_STEP_DIMM_ADD:
        return g_strdup_printf("plug a DIMM of %s%s", to, cell);
    case LP_STEP_DIMM_REMOVE:
        return g_strdup_printf("unplug DIMM %.*s of %s%s", (int) sizeof(step->alias), step->alias,
                               from, cell);
    case LP_STEP_BALLOON:
        return g_strdup_printf("balloon: %s -> %s taken from the guest", from, to);
    case LP_STEP_LIMIT:
        return g_strdup_printf("limit what its process may have resident to %s", to);
    case LP_STEP_PROFILE:
        return g_strdup("write the running domain's profile");
    case LP_STEP_CONFIG:
        return g_strdup("write the definition for the next start");
    case LP_STEP_KINDS:
        break;
    }
    return g_strdup_printf("a step of kind %d, which this lpard has no words for",
                           (int) step->kind);
}

static char *
word_profile_memory(LpProfileVerdict verdict, const LpProfile *profile)
{
    const LpMemRange *mem = &profile->mem;
    char min[LP_UNITS_TEXT], desired[LP_UNITS_TEXT], max[LP_UNITS_TEXT], limit[LP_UNITS_TEXT];

    lp_units_format_bytes(mem->min_bytes, min, sizeof(min));
    lp_units_format_bytes(mem->desired_bytes, desired, sizeof(desired));
    lp_units_format_bytes(mem->max_bytes, max, sizeof(max));
    switch ((int) verdict) {
    case LP_PROFILE_MEM_ORDER:
        return g_strdup_printf("memory %s : %s : %s is not in order; write it as MIN:DESIRED:MAX, "
                               "each no less than the one before",
                               min, desired, max);
    case LP_PROFILE_MEM_BLOCK:
        return g_strdup_printf("memory %s : %s : %s is not in whole blocks; write multiples of %s",
                               min, desired, max,
                               lp_units_format_bytes(LP_MEM_BLOCK_BYTES, limit, sizeof(limit)));
    case LP_PROFILE_MEM_MANY:
        return g_strdup_printf("maximum memory of %s is more than a guest can address; write %s "
                               "or less",
                               max, lp_units_format_bytes(LP_MEM_MAX_BYTES, limit, sizeof(limit)));
    case LP_PROFILE_MEM_BASE:
        lp_units_format_bytes(lp_profile_base_floor(mem->max_bytes, profile->n_cells), limit,
                              sizeof(limit));
        return g_strdup_printf("minimum memory of %s is too little for a guest that may grow to "
                               "%s, since its kernel lives in the minimum alone; raise the minimum "
                               "to %s or lower the maximum",
                               min, max, limit);
    }
    return NULL;
}

static char *
word_profile_cpu(LpProfileVerdict verdict, const LpProfile *profile)
{
    const LpCpuRange *cpu = &profile->cpu;
    char entitled[LP_UNITS_TEXT], limit[LP_UNITS_TEXT];

    lp_units_format_centi(profile->capacity.entitled_centi, entitled, sizeof(entitled));
    switch ((int) verdict) {
    case LP_PROFILE_CPU_ZERO:
        return g_strdup("a minimum of 0 vCPUs cannot run; write a minimum of 1 or more");
    case LP_PROFILE_CPU_ORDER:
        return g_strdup_printf("%u : %u : %u vCPUs are not in order; write them as "
                               "MIN:DESIRED:MAX, each no less than the one before",
                               cpu->min, cpu->desired, cpu->max);
    case LP_PROFILE_CPU_MANY:
        return g_strdup_printf("a maximum of %u vCPUs is more than KVM runs; write %d or less",
                               cpu->max, LP_MAX_CPUS);
    case LP_PROFILE_WEIGHT:
        return g_strdup_printf("a weight of %u is out of range; write 0 to %d",
                               profile->capacity.weight, LP_WEIGHT_MAX);
    case LP_PROFILE_ENTITLED_LOW:
        lp_units_format_centi((uint32_t) MIN((uint64_t) cpu->desired * LP_CENTI_PER_VCPU_MIN,
                                             UINT32_MAX),
                              limit, sizeof(limit));
        return g_strdup_printf("an entitlement of %s processors is too little for %u vCPU%s at "
                               "0.05 each; write %s or more",
                               entitled, cpu->desired, cpu->desired == 1 ? "" : "s", limit);
    case LP_PROFILE_ENTITLED_HIGH:
        lp_units_format_centi((uint32_t) MIN((uint64_t) cpu->desired * CENTI_PER_CPU, UINT32_MAX),
                              limit, sizeof(limit));
        return g_strdup_printf("an entitlement of %s processors is more than %u vCPU%s can use; "
                               "write %s or less, or more desired vCPUs",
                               entitled, cpu->desired, cpu->desired == 1 ? "" : "s", limit);
    case LP_PROFILE_CELLS:
        return g_strdup_printf("%u guest cells cannot be; write 1 to %d of them, and no more than "
                               "one for each of the %u vCPU%s at most",
                               profile->n_cells, LP_MAX_CELLS, cpu->max,
                               cpu->max == 1 ? "" : "s");
    }
    return NULL;
}

static char *
word_profile_schedule(LpProfileVerdict verdict, const LpProfile *profile)
{
    const LpSchedule *bad = lp_profile_bad_schedule(profile);
    const LpMemRange *mem = &profile->mem;
    char text[LP_SCHEDULE_TEXT] = "", min[LP_UNITS_TEXT], max[LP_UNITS_TEXT];

    if (bad)
        lp_schedule_format(bad, text, sizeof(text));
    switch ((int) verdict) {
    case LP_PROFILE_SCHEDULES:
        return g_strdup_printf("the schedules are too many, or one of them is none; write at most "
                               "%d such as 'weekdays 08:00-18:00 min mem=8G'",
                               LP_SCHEDULES_MAX);
    case LP_PROFILE_SCHEDULE_CPU:
        return g_strdup_printf("the schedule '%s' is outside of the profile's bounds of %u to %u "
                               "vCPUs; change it with `lparctl autoscale NAME --schedule`, or "
                               "widen the bounds in the same request",
                               text, profile->cpu.min, profile->cpu.max);
    case LP_PROFILE_SCHEDULE_MEM:
        return g_strdup_printf("the schedule '%s' is outside of the profile's bounds of %s to %s "
                               "of memory; change it with `lparctl autoscale NAME --schedule`, or "
                               "widen the bounds in the same request",
                               text, lp_units_format_bytes(mem->min_bytes, min, sizeof(min)),
                               lp_units_format_bytes(mem->max_bytes, max, sizeof(max)));
    }
    return NULL;
}

static char *
word_profile_autoscale(LpProfileVerdict verdict, const LpProfile *profile)
{
    const LpAutoscale *autoscale = &profile->autoscale;
    char entitled[LP_UNITS_TEXT], min[LP_UNITS_TEXT], max[LP_UNITS_TEXT];

    switch ((int) verdict) {
    case LP_PROFILE_MODE:
        return g_strdup("the mode or the goal of autoscaling is unknown; write mode off, advise, "
                        "auto or host, and goal latency, balanced or density");
    case LP_PROFILE_PRIORITY:
        return g_strdup_printf("a priority of %u is out of range; write 0 to %d",
                               autoscale->priority, LP_PRIORITY_MAX);
    case LP_PROFILE_RELEASE:
        return g_strdup_printf("a release time of %u seconds is more than a day; write %d or less",
                               autoscale->release_sec, LP_RELEASE_SEC_MAX);
    case LP_PROFILE_ENTITLED_MEM:
        return g_strdup_printf("a memory entitlement of %s is not in whole blocks of 2 MiB, or "
                               "outside of the bounds of %s to %s; change it with `lparctl "
                               "autoscale NAME --entitled-mem`, 0 being the minimum",
                               lp_units_format_bytes(autoscale->entitled_bytes, entitled,
                                                     sizeof(entitled)),
                               lp_units_format_bytes(profile->mem.min_bytes, min, sizeof(min)),
                               lp_units_format_bytes(profile->mem.max_bytes, max, sizeof(max)));
    }
    return word_profile_schedule(verdict, profile);
}

static char *
word_profile_numa(const LpNumaRule *rule)
{
    if (rule->floor > 100)
        return g_strdup_printf("an affinity floor of %u is out of range; write 0 (none) to 100",
                               rule->floor);
    return g_strdup("the rule of where its memory is to be is unknown, or names nodes that it "
                    "cannot; write auto, strict:NODES, preferred:NODES, spread, interleave or "
                    "keep, with node ids of 0 to 1023");
}

char *
lp_words_profile(LpProfileVerdict verdict, const LpProfile *profile)
{
    char *sentence = word_profile_cpu(verdict, profile);

    if (!sentence)
        sentence = word_profile_memory(verdict, profile);
    if (!sentence)
        sentence = word_profile_autoscale(verdict, profile);
    if (sentence)
        return sentence;
    if (verdict == LP_PROFILE_NUMA)
        return word_profile_numa(&profile->numa);
    if (verdict == LP_PROFILE_OK)
        return g_strdup("the profile keeps all rules; no action is needed");
    if (verdict == LP_PROFILE_VERSION_NEWER)
        return g_strdup_printf("the profile has version %u, and this lpard knows up to %d; it is "
                               "left untouched: install a newer lpard",
                               profile->version, LP_PROFILE_VERSION);
    return g_strdup_printf("the profile breaks rule %d, which this lpard has no words for; "
                           "install lpard and lparctl of one version",
                           (int) verdict);
}
