/* Traces of our own: kinds of partitions as operators know them.  All in integers; each partition
 * draws from its own chance, so that the first n of a larger host are the same n. */
#include <string.h>

#include "lpard/error.h"
#include "lpard/sim/chance.h"
#include "lpard/sim/trace.h"

#define GIB (1ULL << 30)
#define STEP_SEC 300u
#define PER_HOUR (3600 / STEP_SEC)
#define PER_DAY (24 * PER_HOUR)
#define DAYS_MAX 366u
#define VMS_MAX 20000u
/* A level is the part of what is provisioned that is in use. */
#define FULL 10000
/* Storms are the same for all: log-ins at nine, a patch, a fail-over. */
#define STORMS_PER_DAY 2

typedef struct {
    uint64_t chance;
    uint64_t storms;               /* seed of all partitions' storms */
    int32_t base, peak;            /* levels of memory */
    uint32_t phase, length;        /* in samples; what they mean is the kind's */
    size_t until;                  /* of what is going on */
    int32_t height;
} Maker;

/* The level of activity at sample k, 0..FULL, without noise. */
typedef int32_t (*Kind)(Maker *maker, size_t k);

/* From 0 at both ends of [from, to) to FULL between: a parabola. */
static int32_t
hump(int64_t at, int64_t from, int64_t to)
{
    if (at < from || at >= to)
        return 0;
    return (int32_t) (4 * FULL * (at - from) * (to - at) / ((to - from) * (to - from)));
}

static int32_t
diurnal(Maker *maker, size_t k)
{
    size_t at = (k + maker->phase) % PER_DAY, day = (k + maker->phase) / PER_DAY % 7;
    int32_t level = hump((int64_t) at, 7 * PER_HOUR, 21 * PER_HOUR);

    return day >= 5 ? level / 3 : level;
}

static int32_t
bursty(Maker *maker, size_t k)
{
    if (k >= maker->until) {
        maker->height = 0;
        if (lp_chance_between(&maker->chance, 1, 3 * PER_HOUR) == 1) {
            maker->height = (int32_t) lp_chance_between(&maker->chance, FULL / 4, FULL);
            maker->until = k + (size_t) lp_chance_between(&maker->chance, 2, PER_HOUR);
        }
    }
    return maker->height;
}

static int32_t
leaking(Maker *maker, size_t k)
{
    uint32_t length = PER_DAY + maker->length * PER_HOUR;

    return (int32_t) ((k + maker->phase) % length * FULL / length);
}

static int32_t
batch(Maker *maker, size_t k)
{
    size_t at = (k + maker->phase) % PER_DAY;

    return at < PER_HOUR + maker->length ? FULL - (int32_t) (at % 4) * FULL / 40 : 0;
}

static int32_t
idle(Maker *maker, size_t k)
{
    return (k + maker->phase) % PER_HOUR == 0 ? FULL / 10 : 0;
}

static int32_t
storm(Maker *maker, size_t k)
{
    uint64_t chance = lp_chance_of(maker->storms, k / PER_DAY);
    int32_t level = 0;

    for (int i = 0; i < STORMS_PER_DAY; i++) {
        size_t at = (size_t) lp_chance_between(&chance, 0, PER_DAY - PER_HOUR);
        size_t length = (size_t) lp_chance_between(&chance, 3, PER_HOUR);

        if (k % PER_DAY >= at && k % PER_DAY < at + length)
            level = FULL - maker->height / 4;
    }
    return level;
}

static const struct {
    const char *name;
    Kind level;
    int32_t base_low, base_high, peak_low, peak_high;     /* of memory */
} kinds[] = {
    { "diurnal", diurnal, 1000, 2500, 4500, 8000 },
    { "bursty", bursty, 800, 2000, 4000, 9000 },
    { "leaking", leaking, 1000, 2000, 6000, 9500 },
    { "batch", batch, 500, 1500, 6000, 9500 },
    { "idle", idle, 300, 1000, 1100, 1500 },
    { "storm", storm, 1000, 2500, 5000, 9000 },
};

static void
make(LpTraceVm *vm, size_t n_samples, size_t kind, size_t i, uint64_t seed)
{
    Maker maker = { .storms = seed };
    uint64_t *chance = &maker.chance;
    int64_t noise = 0;

    maker.chance = lp_chance_of(seed, i);
    vm->name = g_strdup_printf("%s-%zu", kinds[kind].name, i);
    vm->max_bytes = (2 * GIB) << lp_chance_between(chance, 0, 4);
    vm->max_centi = 100u << lp_chance_between(chance, 0, 3);
    maker.base = (int32_t) lp_chance_between(chance, kinds[kind].base_low, kinds[kind].base_high);
    maker.peak = (int32_t) lp_chance_between(chance, kinds[kind].peak_low, kinds[kind].peak_high);
    maker.phase = (uint32_t) lp_chance_between(chance, 0, kind == 0 ? 2 * PER_HOUR : PER_DAY);
    maker.length = (uint32_t) lp_chance_between(chance, 0, 2 * PER_HOUR);
    maker.height = kind == 5 ? (int32_t) lp_chance_between(chance, 0, FULL) : 0;
    for (size_t k = 0; k < n_samples; k++) {
        int64_t level = kinds[kind].level(&maker, k), mem, cpu;

        /* A walk that is pulled back: memory changes little from one sample to the next. */
        noise = noise * 7 / 8 + lp_chance_between(chance, -60, 60);
        mem = maker.base + (maker.peak - maker.base) * level / FULL + noise;
        cpu = 200 + level * 7 / 10 + lp_chance_between(chance, 0, 300 + level / 8);
        mem = CLAMP(mem, 100, FULL);
        cpu = CLAMP(cpu, 0, FULL);
        vm->mem_bytes[k] = vm->max_bytes / FULL * (uint64_t) mem;
        vm->cpu_centi[k] = (uint32_t) (vm->max_centi * cpu / FULL);
    }
}

static bool
parse_kinds(const char *text, GArray *chosen, GError **error)
{
    g_auto(GStrv) names = g_strsplit(text, ",", -1);

    for (char **name = names; *name != NULL; name++) {
        bool mix = g_str_equal(*name, "mix");
        guint before = chosen->len;

        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
            if (mix || g_str_equal(*name, kinds[i].name))
                g_array_append_val(chosen, i);
        if (chosen->len == before) {
            g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "no kind is called '%s': there are "
                        "diurnal, bursty, leaking, batch, idle, storm and mix", *name);
            return false;
        }
    }
    if (chosen->len > 0)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "no kind of partition is given");
    return false;
}

LpTrace *
lp_trace_generate(const char *text, size_t n_vms, uint32_t days, uint64_t seed, GError **error)
{
    g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(size_t));
    LpTrace *trace;

    if (!parse_kinds(text, chosen, error))
        return NULL;
    if (n_vms == 0 || n_vms > VMS_MAX || days == 0 || days > DAYS_MAX ||
        (uint64_t) n_vms * days * PER_DAY > LP_TRACE_CELLS_MAX) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "1..%u partitions and 1..%u days can be "
                    "generated, and %u samples in all", VMS_MAX, DAYS_MAX, LP_TRACE_CELLS_MAX);
        return NULL;
    }
    trace = lp_trace_new(n_vms, (size_t) days * PER_DAY, STEP_SEC);
    for (size_t i = 0; i < n_vms; i++)
        make(&trace->vms[i], trace->n_samples, g_array_index(chosen, size_t, i % chosen->len), i,
             seed);
    return trace;
}
