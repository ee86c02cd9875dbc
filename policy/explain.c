#include "policy/explain.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy/calm.h"
#include "policy/units.h"

const char *const lp_why_names[LP_WHY_S] = {
    [LP_WHY_NONE] = "none", [LP_WHY_UNKNOWN] = "unknown", [LP_WHY_STALE] = "stale",
    [LP_WHY_WORKING_SET] = "working-set", [LP_WHY_PEAK] = "peak", [LP_WHY_HISTORY] = "history",
    [LP_WHY_PRESSURE] = "pressure", [LP_WHY_REFAULT] = "refault", [LP_WHY_SWAP] = "swap",
    [LP_WHY_OOM] = "oom", [LP_WHY_ASKED] = "asked", [LP_WHY_RUN_QUEUE] = "run-queue",
    [LP_WHY_CAPPED] = "capped",
};

const char *const lp_bound_names[LP_BOUNDS] = {
    [LP_BOUND_NONE] = "none", [LP_BOUND_OFF] = "off", [LP_BOUND_FIXED] = "fixed",
    [LP_BOUND_NO_SIGNAL] = "no-signal", [LP_BOUND_MIN] = "min", [LP_BOUND_MAX] = "max",
    [LP_BOUND_SCHEDULE] = "schedule", [LP_BOUND_CAPPED] = "capped", [LP_BOUND_POOL] = "pool",
    [LP_BOUND_SHARE] = "share", [LP_BOUND_FREE] = "free", [LP_BOUND_DEADBAND] = "deadband",
    [LP_BOUND_DWELL] = "dwell", [LP_BOUND_RELEASE] = "release",
    [LP_BOUND_LEFTOVER] = "leftover", [LP_BOUND_VETO] = "veto", [LP_BOUND_BACKOFF] = "backoff",
    [LP_BOUND_MOVING] = "moving",
};

/* Room for any amount or time in words. */
#define WORDS 48

typedef struct {
    char *buf;
    size_t size, length;
} Text;

typedef struct {
    const LpPolicyHost *host;
    const LpPolicyPartition *partition;
    const LpPolicyState *state;
    const LpDecision *decision;
    const char *rival;
} Case;

const char *
lp_act_name(LpAct act)
{
    static const char *const names[] = {
        [LP_ACT_NONE] = "none", [LP_ACT_GROW] = "grow", [LP_ACT_SHRINK] = "shrink",
        [LP_ACT_WAIT] = "wait",
    };

    return (unsigned)act < sizeof(names) / sizeof(names[0]) ? names[act] : "unknown";
}

const char *
lp_take_name(LpTake take)
{
    static const char *const names[] = {
        [LP_TAKE_NONE] = "none", [LP_TAKE_SURPLUS] = "surplus",
        [LP_TAKE_FOR_RIVAL] = "for-rival", [LP_TAKE_FOR_ENTITLEMENT] = "for-entitlement",
        [LP_TAKE_OVER_MAX] = "over-max", [LP_TAKE_SHORTAGE] = "shortage",
    };

    return (unsigned)take < sizeof(names) / sizeof(names[0]) ? names[take] : "unknown";
}

static void say(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
say(Text *text, const char *format, ...)
{
    va_list args;
    int n;

    if (text->length + 1 >= text->size)
        return;
    va_start(args, format);
    n = vsnprintf(text->buf + text->length, text->size - text->length, format, args);
    va_end(args);
    if (n > 0)
        text->length += (size_t)n;
    if (text->length >= text->size)
        text->length = text->size - 1;
}

/* Near enough for people: whole MiB, hundredths of a GiB. */
static const char *
amount(uint64_t bytes, char *words)
{
    const uint64_t mib = 1ULL << 20, gib = 1ULL << 30;
    uint64_t hundredths;

    if (bytes < mib || bytes == UINT64_MAX)
        return lp_units_format_bytes(bytes, words, WORDS);
    if (bytes < gib) {
        snprintf(words, WORDS, "%llu MiB", (unsigned long long)((bytes + mib / 2) / mib));
        return words;
    }
    hundredths = bytes / gib * 100 + (bytes % gib * 100 + gib / 2) / gib;
    if (hundredths % 100 == 0)
        snprintf(words, WORDS, "%llu GiB", (unsigned long long)(hundredths / 100));
    else if (hundredths % 10 == 0)
        snprintf(words, WORDS, "%llu.%llu GiB", (unsigned long long)(hundredths / 100),
                 (unsigned long long)(hundredths % 100 / 10));
    else
        snprintf(words, WORDS, "%llu.%02llu GiB", (unsigned long long)(hundredths / 100),
                 (unsigned long long)(hundredths % 100));
    return words;
}

static const char *
units(uint32_t centi, char *words)
{
    return lp_units_format_centi(centi, words, WORDS);
}

static const char *
plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static const char *
duration(int64_t msec, char *words)
{
    int64_t sec = msec / 1000 + (msec % 1000 != 0);

    if (msec <= 0)
        snprintf(words, WORDS, "no time");
    else if (sec < 120)
        snprintf(words, WORDS, "%lld second%s", (long long)sec, plural((uint64_t)sec));
    else if (sec < 7200)
        snprintf(words, WORDS, "%lld minutes", (long long)((sec + 59) / 60));
    else if (sec < 365LL * 86400)
        snprintf(words, WORDS, "%lld hours", (long long)((sec + 3599) / 3600));
    else
        snprintf(words, WORDS, "more than a year");
    return words;
}

/* What has passed is told in whole minutes or hours, never more than it was. */
static const char *
elapsed(int64_t msec, char *words)
{
    int64_t unit = msec < 120000 ? 1000 : msec < 7200000 ? 60000 : 3600000;

    return duration(msec - msec % unit, words);
}

/* How long until the time that a decision names. */
static const char *
until(const Case *c, int64_t next_msec, char *words)
{
    return duration(lp_calm_since(lp_calm_stamp(c->host->now_msec), next_msec), words);
}

static const char *
rival(const Case *c)
{
    return c->rival != NULL ? c->rival : "another partition";
}

static uint64_t
percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : whole < 1000 ? part * 100 / whole : part / (whole / 100);
}

static void
say_memory_seen(Text *text, const Case *c)
{
    const LpSignals *seen = &c->partition->seen;
    const LpDemand *demand = &c->decision->demand;
    uint64_t granted = c->partition->granted_bytes;
    char a[WORDS], b[WORDS];

    say(text, "Memory: it has %s", amount(granted, a));
    if (demand->mem_why == LP_WHY_STALE && !demand->mem_known) {
        say(text, "; what was last heard of its use is %s old, too old to act on.\n",
            elapsed(seen->mem_age_msec, b));
        return;
    }
    if (!demand->mem_known) {
        say(text, "; nothing is heard of its use.\n");
        return;
    }
    say(text, " and uses %s (%llu %%)", amount(demand->used_bytes, b),
        (unsigned long long)percent(demand->used_bytes, granted));
    if (seen->has_psi && seen->psi_some_centi != 0)
        say(text, "; tasks wait for memory %u.%02u %% of the time", seen->psi_some_centi / 100,
            seen->psi_some_centi % 100);
    if (seen->mem_by == LP_SEEN_BALLOON)
        say(text, ", by its balloon's word");
    say(text, ".\n");
}

static const char *
reason_of_memory(LpWhy why)
{
    switch (why) {
    case LP_WHY_WORKING_SET: return "what it uses, with headroom";
    case LP_WHY_PEAK: return "what it used a while ago";
    case LP_WHY_HISTORY: return "what it has used on most days";
    case LP_WHY_PRESSURE: return "its tasks wait for memory";
    case LP_WHY_REFAULT: return "pages it had dropped come back";
    case LP_WHY_SWAP: return "it swaps";
    case LP_WHY_OOM: return "it had to kill for want of memory";
    case LP_WHY_ASKED: return "it asked for so much";
    default: return "what it has";
    }
}

static void
say_memory_part(Text *text, const Case *c)
{
    const LpPolicyPartition *p = c->partition;
    const LpDecision *d = c->decision;
    char a[WORDS], b[WORDS];

    if (!d->demand.mem_known && d->demand.mem_why != LP_WHY_ASKED)
        return;
    say(text, "  It wants %s: %s.", amount(d->demand.want_bytes, a),
        reason_of_memory(d->demand.mem_why));
    if (p->mem_min_bytes > p->mem_max_bytes)
        say(text, " Its minimum, %s, is above its maximum, %s.", amount(p->mem_min_bytes, a),
            amount(p->mem_max_bytes, b));
    else if (d->mem_target_bytes == p->mem_max_bytes && d->demand.want_bytes > p->mem_max_bytes)
        say(text, " Its maximum%s is %s.", p->scheduled ? " by schedule" : "",
            amount(p->mem_max_bytes, a));
    else if (d->mem_target_bytes == p->mem_min_bytes && d->demand.want_bytes < p->mem_min_bytes)
        say(text, " Its minimum%s is %s.", p->scheduled ? " by schedule" : "",
            amount(p->mem_min_bytes, a));
    else if (d->mem_target_bytes < d->demand.want_bytes)
        say(text, " Its part is %s%s%s.", amount(d->mem_target_bytes, a),
            d->mem_bound == LP_BOUND_SHARE ? ", by entitlement, priority and weight beside " : "",
            d->mem_bound == LP_BOUND_SHARE ? rival(c) : "");
    say(text, "\n");
}

static void
say_taken(Text *text, const Case *c)
{
    const LpDecision *d = c->decision;
    uint64_t bytes = c->partition->granted_bytes - d->mem_bytes;
    char a[WORDS], b[WORDS], passed[WORDS];

    amount(bytes, a);
    amount(d->mem_bytes, b);
    switch (d->mem_take) {
    case LP_TAKE_FOR_ENTITLEMENT:
        say(text, "  %s are taken now, down to %s: %s is below what it is entitled to.\n", a, b,
            rival(c));
        break;
    case LP_TAKE_FOR_RIVAL:
        say(text, "  %s are taken now, down to %s: it can spare them, and %s needs them.\n", a, b,
            rival(c));
        break;
    case LP_TAKE_OVER_MAX:
        say(text, "  %s are taken now, down to %s: it is above its maximum.\n", a, b);
        break;
    case LP_TAKE_SHORTAGE:
        say(text, "  %s are taken now, down to %s: the host is short of free memory.\n", a, b);
        break;
    case LP_TAKE_SURPLUS:
    case LP_TAKE_NONE:
        say(text, "  %s go back to the host now, down to %s: it has not used them for %s.\n", a, b,
            elapsed(lp_calm_since(c->state->surplus_msec, c->host->now_msec), passed));
        break;
    }
}

static void
say_grown(Text *text, const Case *c)
{
    const LpDecision *d = c->decision;
    char a[WORDS];

    say(text, "  It grows to %s now", amount(d->mem_bytes, a));
    if (d->mem_bound == LP_BOUND_FREE)
        say(text, ", as far as memory is free; the rest follows when others have given theirs");
    else if (d->mem_bound == LP_BOUND_DWELL)
        say(text, ", its entitlement; more in %s", until(c, d->mem_next_msec, a));
    else if (d->mem_bytes > d->mem_target_bytes)
        say(text, ", with room so that it need not soon again");
    say(text, ".\n");
}

/* Why nothing is done now, and when it will be. */
static void
say_stands(Text *text, const Case *c)
{
    const LpDecision *d = c->decision;
    uint64_t granted = c->partition->granted_bytes;
    bool more = d->mem_target_bytes > granted;
    char a[WORDS], b[WORDS];

    amount(more ? d->mem_target_bytes - granted : granted - d->mem_target_bytes, a);
    switch (d->mem_bound) {
    case LP_BOUND_OFF:
        say(text, "  Autoscaling is off: it stays so.\n");
        break;
    case LP_BOUND_FIXED:
        say(text, "  It is held or busy: nothing is changed now.\n");
        break;
    case LP_BOUND_NO_SIGNAL:
        say(text, "  So it stays as it is until something is heard.\n");
        break;
    case LP_BOUND_FREE:
        say(text, "  It lacks %s; no memory is free yet where it lies. It grows as soon as "
            "others have given theirs.\n", a);
        break;
    case LP_BOUND_DEADBAND:
        say(text, more ? "  It lacks %s: too little to move for.\n"
            : "  It could spare %s: too little to move for.\n", a);
        break;
    case LP_BOUND_LEFTOVER:
        say(text, "  It keeps the other %s until somebody needs them.\n", a);
        break;
    case LP_BOUND_RELEASE:
        say(text, "  The other %s go back to the host, in steps, if they stay unused for "
            "another %s.\n", a, until(c, d->mem_next_msec, b));
        break;
    case LP_BOUND_DWELL:
        say(text, more ? "  It lacks %s. It gave memory to another's entitlement, and grows "
            "above its own in %s.\n"
            : "  It could spare %s, but grew not long ago: nothing is taken for another %s.\n", a,
            until(c, d->mem_next_msec, b));
        break;
    case LP_BOUND_VETO:
        say(text, "  It could spare %s, but its guest refuses: nothing is taken for another "
            "%s.\n", a, until(c, d->mem_next_msec, b));
        break;
    case LP_BOUND_BACKOFF:
        say(text, "  The last %u attempt%s to %s it failed: the next is in %s.\n",
            more ? c->state->up_failures : c->state->failures,
            plural(more ? c->state->up_failures : c->state->failures), more ? "grow" : "shrink",
            until(c, d->mem_next_msec, b));
        break;
    case LP_BOUND_MOVING:
        say(text, "  It waits until fewer others are being resized.\n");
        break;
    case LP_BOUND_NONE: case LP_BOUND_MIN: case LP_BOUND_MAX: case LP_BOUND_SCHEDULE:
    case LP_BOUND_CAPPED: case LP_BOUND_POOL: case LP_BOUND_SHARE: case LP_BOUNDS:
        say(text, "  It has its part: nothing is to be done.\n");
        break;
    }
}

static const char *
reason_of_cpu(LpWhy why)
{
    switch (why) {
    case LP_WHY_WORKING_SET: return "what it uses, with headroom";
    case LP_WHY_PEAK: return "what it used a while ago";
    case LP_WHY_HISTORY: return "what it has used on most days";
    case LP_WHY_PRESSURE: return "its tasks wait for processors";
    case LP_WHY_RUN_QUEUE: return "more tasks are ready than it has processors";
    case LP_WHY_CAPPED: return "it uses all that it may";
    case LP_WHY_ASKED: return "it asked for so many";
    default: return "what it has";
    }
}

static void
say_cpu_seen(Text *text, const Case *c)
{
    const LpPolicyPartition *p = c->partition;
    const LpDemand *demand = &c->decision->demand;
    char a[WORDS], b[WORDS];

    say(text, "Processors: it has %u vCPU%s and may use %s", p->granted_cpus,
        plural(p->granted_cpus), units(p->granted_centi, a));
    if (!demand->cpu_known) {
        say(text, "; nothing %sis heard of its use.\n", p->seen.has_cpu ? "new " : "");
        return;
    }
    say(text, "; it uses %s and wants %s: %s.\n", units(p->seen.cpu_used_centi, a),
        units(demand->want_centi, b), reason_of_cpu(demand->cpu_why));
}

static void
say_cpu_part(Text *text, const Case *c)
{
    const LpDecision *d = c->decision;
    char a[WORDS], b[WORDS];

    if (d->cpu_bound == LP_BOUND_OFF || d->cpu_bound == LP_BOUND_FIXED)
        return;
    say(text, "  Its part is %s", units(d->cpu_target_centi, a));
    if (d->cpu_bound == LP_BOUND_CAPPED)
        say(text, ", its entitlement: it is capped");
    else if (d->cpu_bound == LP_BOUND_POOL)
        say(text, ": its pool has no more");
    else if (d->cpu_bound == LP_BOUND_SHARE)
        say(text, ", by entitlement, priority and weight: more is wanted than the host has");
    else if ((d->cpu_bound == LP_BOUND_MAX || d->cpu_bound == LP_BOUND_SCHEDULE)
             && d->demand.want_centi > d->cpu_target_centi)
        say(text, ", by its maximum%s", d->cpu_bound == LP_BOUND_SCHEDULE ? " by schedule" : "");
    say(text, "; it may use %s.\n", units(d->cpu_centi, b));
}

static void
say_cpu_count(Text *text, const Case *c)
{
    const LpDecision *d = c->decision;
    uint32_t has = c->partition->granted_cpus;
    char a[WORDS];

    if (d->cpu_act == LP_ACT_GROW)
        say(text, "  It gets %u more vCPU%s now: %u.\n", d->cpus - has, plural(d->cpus - has),
            d->cpus);
    else if (d->cpu_act == LP_ACT_SHRINK)
        say(text, "  It goes down to %u vCPU%s now.\n", d->cpus, plural(d->cpus));
    else if (d->cpu_act == LP_ACT_WAIT && d->cpu_next_msec != 0)
        say(text, "  It has more vCPUs than it wants; that is looked at again in %s%s.\n",
            until(c, d->cpu_next_msec, a),
            d->cpu_bound == LP_BOUND_VETO ? ", for its guest refuses" :
            d->cpu_bound == LP_BOUND_BACKOFF ? ", for the last change failed" : "");
}

char *
lp_explain(const LpPolicyHost *host, const LpPolicyPartition *partition,
           const LpPolicyState *state, const LpDecision *decision, const char *rival_name,
           char *buf, size_t size)
{
    Case c = { host, partition, state, decision, rival_name };
    Text text = { buf, size, 0 };

    if (size == 0)
        return buf;
    buf[0] = '\0';
    say_memory_seen(&text, &c);
    say_memory_part(&text, &c);
    if (decision->mem_act == LP_ACT_SHRINK)
        say_taken(&text, &c);
    else if (decision->mem_act == LP_ACT_GROW)
        say_grown(&text, &c);
    else
        say_stands(&text, &c);
    say_cpu_seen(&text, &c);
    say_cpu_part(&text, &c);
    say_cpu_count(&text, &c);
    /* Where there was no room, the last sentence is cut, not the string. */
    return buf;
}
