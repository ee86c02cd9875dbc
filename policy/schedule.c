/* A schedule as people write it: "weekdays 08:00-18:00 min mem=8G max cpu=4".
 *
 * One way to read each text, and what cannot be read is told with a cure: a bound that is
 * misunderstood would be noticed at night. */
#include "policy/autoscale.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/profile.h"
#include "policy/units.h"

#define DAYS_PER_WEEK 7
#define MINUTES_PER_HOUR 60
#define MINUTES_PER_DAY 1440

#define DAILY 0x7f
#define WEEKDAYS 0x3e
#define WEEKENDS 0x41

/* As much of a foreign text as a message quotes. */
#define QUOTED 24

static const char *const DAY_NAMES[DAYS_PER_WEEK] = { "sun", "mon", "tue", "wed",
                                                      "thu", "fri", "sat" };

static const struct {
    const char *name;
    uint8_t days;
} DAY_SETS[] = { { "daily", DAILY }, { "weekdays", WEEKDAYS }, { "weekends", WEEKENDS } };

#define N_DAY_SETS (sizeof(DAY_SETS) / sizeof(DAY_SETS[0]))

/* Where a message goes. */
typedef struct {
    char *message;
    size_t size;
} Complaint;

/* A text that may be anything, made fit for a message: short, and plain ASCII. */
static const char *
quote(const char *text, char *buf)
{
    size_t length = 0;

    for (; length < QUOTED && text[length] != '\0'; length++)
        buf[length] = text[length] >= ' ' && text[length] <= '~' ? text[length] : '?';
    buf[length] = '\0';
    return buf;
}

static bool
refuse(const Complaint *to, const char *word, const char *cure)
{
    char quoted[QUOTED + 1];

    snprintf(to->message, to->size, "'%s': %s", quote(word, quoted), cure);
    return false;
}

/* The next word at *text, which moves behind it; blanks alone separate.  A text is shorter than
 * LP_SCHEDULE_TEXT, so that none is cut.  false: there is none. */
static bool
next_word(const char **text, char *word)
{
    size_t length;

    *text += strspn(*text, " ");
    length = strcspn(*text, " ");
    memcpy(word, *text, length);
    word[length] = '\0';
    *text += length;
    return length > 0;
}

static bool
parse_day(const char *name, size_t length, uint8_t *days)
{
    for (unsigned i = 0; i < DAYS_PER_WEEK; i++) {
        if (length == strlen(DAY_NAMES[i]) && memcmp(name, DAY_NAMES[i], length) == 0) {
            if (*days >> i & 1)
                return false;
            *days |= (uint8_t) (1U << i);
            return true;
        }
    }
    return false;
}

static bool
parse_days(const char *word, uint8_t *ret_days, const Complaint *to)
{
    uint8_t days = 0;
    const char *at = word;

    for (size_t i = 0; i < N_DAY_SETS; i++) {
        if (strcmp(word, DAY_SETS[i].name) == 0) {
            *ret_days = DAY_SETS[i].days;
            return true;
        }
    }
    for (;;) {
        size_t length = strcspn(at, ",");

        if (!parse_day(at, length, &days))
            return refuse(to, word,
                          "the days are not understood; write daily, weekdays, weekends, or each "
                          "day once as in mon,wed,fri");
        if (at[length] == '\0')
            break;
        at += length + 1;
    }
    *ret_days = days;
    return true;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "08:30" at text: minutes after midnight, 1440 for 24:00. */
static bool
parse_minute(const char *text, unsigned *ret_minute)
{
    unsigned hour, minute;

    /* Short of five characters one of these is the end of the text. */
    if (!is_digit(text[0]) || !is_digit(text[1]) || text[2] != ':' || !is_digit(text[3]) ||
        !is_digit(text[4]))
        return false;
    hour = (unsigned) (text[0] - '0') * 10 + (unsigned) (text[1] - '0');
    minute = (unsigned) (text[3] - '0') * 10 + (unsigned) (text[4] - '0');
    *ret_minute = hour * MINUTES_PER_HOUR + minute;
    return minute < MINUTES_PER_HOUR && *ret_minute <= MINUTES_PER_DAY;
}

static bool
parse_times(const char *word, LpSchedule *schedule, const Complaint *to)
{
    unsigned from, until;

    /* 24:00 begins no day, but it ends one. */
    if (!parse_minute(word, &from) || from == MINUTES_PER_DAY || word[5] != '-' ||
        !parse_minute(word + 6, &until) || word[11] != '\0')
        return refuse(to, word,
                      "the times are not understood; write HH:MM-HH:MM, as in 08:00-18:00, or "
                      "22:00-06:00 for a night");
    schedule->from_minute = (uint16_t) from;
    schedule->to_minute = (uint16_t) (until % MINUTES_PER_DAY);
    return true;
}

static bool
parse_cpus(const char *word, const char *value, uint32_t *ret_cpus, const Complaint *to)
{
    if (lp_units_parse_count(value, LP_MAX_CPUS, ret_cpus) != LP_UNITS_OK || *ret_cpus == 0)
        return refuse(to, word, "write a number of vCPUs from 1 to 1024, as in cpu=4");
    return true;
}

static bool
parse_memory(const char *word, const char *value, uint64_t *ret_bytes, const Complaint *to)
{
    LpUnitsVerdict verdict = lp_units_parse_bytes(value, ret_bytes);

    if (verdict != LP_UNITS_OK)
        return refuse(to, word, lp_units_hint(verdict));
    if (*ret_bytes == 0 || *ret_bytes > LP_MEM_MAX_BYTES || *ret_bytes % LP_MEM_BLOCK_BYTES != 0)
        return refuse(to, word, "write a multiple of 2M, above 0 and up to 64T, as in mem=8G");
    return true;
}

/* "mem=8G" of a minimum or a maximum. */
static bool
parse_bound(const char *word, bool is_max, LpSchedule *s, const Complaint *to)
{
    bool is_cpu = strncmp(word, "cpu=", 4) == 0;
    bool *has = is_cpu ? (is_max ? &s->has_cpu_max : &s->has_cpu_min)
                       : (is_max ? &s->has_mem_max : &s->has_mem_min);

    if (!is_cpu && strncmp(word, "mem=", 4) != 0)
        return refuse(to, word, "write min or max, and behind it cpu=N, mem=SIZE or both, as in "
                                "min mem=8G");
    if (*has)
        return refuse(to, word, is_max ? "this maximum is given twice; give it once"
                                       : "this minimum is given twice; give it once");
    *has = true;
    if (is_cpu)
        return parse_cpus(word, word + 4, is_max ? &s->cpu_max : &s->cpu_min, to);
    return parse_memory(word, word + 4, is_max ? &s->mem_max_bytes : &s->mem_min_bytes, to);
}

/* What follows the times: min or max, and then its bounds, once or twice. */
static bool
parse_bounds(const char **text, LpSchedule *schedule, const Complaint *to)
{
    bool seen_min = false, seen_max = false, bare = true, in_max = false;
    char word[LP_SCHEDULE_TEXT];

    while (next_word(text, word)) {
        bool is_max = strcmp(word, "max") == 0;

        if (is_max || strcmp(word, "min") == 0) {
            bool *seen = is_max ? &seen_max : &seen_min;

            if (*seen || (bare && (seen_min || seen_max)))
                return refuse(to, word, "write min and max once each, and behind each cpu=N, "
                                        "mem=SIZE or both");
            *seen = bare = true;
            in_max = is_max;
            continue;
        }
        if (!seen_min && !seen_max)
            return refuse(to, word, "write min or max before it, as in min mem=8G");
        if (!parse_bound(word, in_max, schedule, to))
            return false;
        bare = false;
    }
    if (bare)
        return refuse(to, "", "a bound is missing at the end; write one, as in min mem=8G or max "
                              "cpu=4");
    return true;
}

static bool
check_order(const LpSchedule *schedule, const Complaint *to)
{
    if (schedule->has_cpu_min && schedule->has_cpu_max && schedule->cpu_min > schedule->cpu_max)
        return refuse(to, "cpu", "the minimum is above the maximum; lower the one or raise the "
                                 "other");
    if (schedule->has_mem_min && schedule->has_mem_max &&
        schedule->mem_min_bytes > schedule->mem_max_bytes)
        return refuse(to, "mem", "the minimum is above the maximum; lower the one or raise the "
                                 "other");
    return true;
}

bool
lp_schedule_parse(const char *text, LpSchedule *ret, char *message, size_t size)
{
    const Complaint to = { message, size };
    LpSchedule schedule;
    char word[LP_SCHEDULE_TEXT];

    memset(&schedule, 0, sizeof(schedule));
    if (strnlen(text, LP_SCHEDULE_TEXT) >= LP_SCHEDULE_TEXT)
        return refuse(&to, text, "it is too long for a schedule; write one line such as weekdays "
                                 "08:00-18:00 min mem=8G");
    if (!next_word(&text, word))
        return refuse(&to, "", "the schedule is empty; write days, times and bounds, as in "
                               "weekdays 08:00-18:00 min mem=8G");
    if (!parse_days(word, &schedule.days, &to))
        return false;
    if (!next_word(&text, word))
        return refuse(&to, "", "the times are missing; write them behind the days, as in "
                               "08:00-18:00");
    if (!parse_times(word, &schedule, &to) || !parse_bounds(&text, &schedule, &to) ||
        !check_order(&schedule, &to))
        return false;
    *ret = schedule;
    return true;
}

bool
lp_schedule_valid(const LpSchedule *s)
{
    return s->days != 0 && s->days <= DAILY && s->from_minute < MINUTES_PER_DAY &&
           s->to_minute < MINUTES_PER_DAY &&
           (s->has_cpu_min || s->has_cpu_max || s->has_mem_min || s->has_mem_max) &&
           (!s->has_cpu_min || (s->cpu_min > 0 && s->cpu_min <= LP_MAX_CPUS)) &&
           (!s->has_cpu_max || (s->cpu_max > 0 && s->cpu_max <= LP_MAX_CPUS)) &&
           (!s->has_mem_min || (s->mem_min_bytes > 0 && s->mem_min_bytes <= LP_MEM_MAX_BYTES &&
                                s->mem_min_bytes % LP_MEM_BLOCK_BYTES == 0)) &&
           (!s->has_mem_max || (s->mem_max_bytes > 0 && s->mem_max_bytes <= LP_MEM_MAX_BYTES &&
                                s->mem_max_bytes % LP_MEM_BLOCK_BYTES == 0)) &&
           !(s->has_cpu_min && s->has_cpu_max && s->cpu_min > s->cpu_max) &&
           !(s->has_mem_min && s->has_mem_max && s->mem_min_bytes > s->mem_max_bytes);
}

/* A text that grows in a buffer, and is cut where that ends. */
typedef struct {
    char *buf;
    size_t size, used;
} Text;

__attribute__((format(printf, 2, 3))) static void
append(Text *text, const char *format, ...)
{
    va_list args;
    int length;

    if (text->used >= text->size)
        return;
    va_start(args, format);
    length = vsnprintf(text->buf + text->used, text->size - text->used, format, args);
    va_end(args);
    if (length > 0)
        text->used += (size_t) length;
}

/* Without the blank that lp_units_format_bytes() writes, and always whole: "8G", "1536M". */
static void
append_bytes(Text *text, uint64_t bytes)
{
    static const char LETTERS[] = "TGMK";

    for (unsigned i = 0; LETTERS[i] != '\0'; i++) {
        uint64_t unit = UINT64_C(1) << (10 * (4 - i));

        if (bytes > 0 && bytes % unit == 0) {
            append(text, "%" PRIu64 "%c", bytes / unit, LETTERS[i]);
            return;
        }
    }
    append(text, "%" PRIu64, bytes);
}

static void
append_days(Text *text, uint8_t days)
{
    const char *comma = "";

    for (size_t i = 0; i < N_DAY_SETS; i++) {
        if (days == DAY_SETS[i].days) {
            append(text, "%s", DAY_SETS[i].name);
            return;
        }
    }
    /* A week begins on Monday for those who write shifts. */
    for (unsigned i = 1; i <= DAYS_PER_WEEK; i++) {
        if (days >> i % DAYS_PER_WEEK & 1) {
            append(text, "%s%s", comma, DAY_NAMES[i % DAYS_PER_WEEK]);
            comma = ",";
        }
    }
}

static void
append_bounds(Text *text, const char *which, const uint32_t *cpus, const uint64_t *bytes)
{
    if (!cpus && !bytes)
        return;
    append(text, " %s", which);
    if (cpus)
        append(text, " cpu=%" PRIu32, *cpus);
    if (bytes) {
        append(text, " mem=");
        append_bytes(text, *bytes);
    }
}

char *
lp_schedule_format(const LpSchedule *s, char *buf, size_t size)
{
    Text text = { buf, size, 0 };
    unsigned until = s->to_minute ? s->to_minute : MINUTES_PER_DAY;

    if (size > 0)
        buf[0] = '\0';
    append_days(&text, s->days);
    append(&text, " %02u:%02u-%02u:%02u", s->from_minute / MINUTES_PER_HOUR,
           s->from_minute % MINUTES_PER_HOUR, until / MINUTES_PER_HOUR, until % MINUTES_PER_HOUR);
    append_bounds(&text, "min", s->has_cpu_min ? &s->cpu_min : NULL,
                  s->has_mem_min ? &s->mem_min_bytes : NULL);
    append_bounds(&text, "max", s->has_cpu_max ? &s->cpu_max : NULL,
                  s->has_mem_max ? &s->mem_max_bytes : NULL);
    return buf;
}
