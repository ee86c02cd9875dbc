/* What an operator says of autoscaling: a mode, one knob (the goal), and bounds that change by the
 * clock.  A value with rules; pure.  lpard/profile-xml.[ch] is its form in the domain's metadata. */
#ifndef LP_POLICY_AUTOSCALE_H
#define LP_POLICY_AUTOSCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In order: a partition does no more than the host's mode allows. */
typedef enum {
    LP_MODE_OFF,              /* nothing is decided */
    LP_MODE_ADVISE,           /* decided and shown, nothing is done */
    LP_MODE_AUTO,
    LP_MODE_HOST,             /* a partition's only: as the host has it */
    LP_MODES,
} LpMode;

typedef enum { LP_GOAL_LATENCY, LP_GOAL_BALANCED, LP_GOAL_DENSITY, LP_GOALS } LpGoal;

extern const char *const lp_mode_names[LP_MODES];      /* "off", "advise", "auto", "host" */
extern const char *const lp_goal_names[LP_GOALS];

/* Whose wants beyond the entitlement are met first: 7 before 0. */
#define LP_PRIORITY_MAX 7
#define LP_PRIORITY_DEFAULT 3
/* A day's shifts and a weekend have room, and a profile stays small. */
#define LP_SCHEDULES_MAX 8
#define LP_SCHEDULE_TEXT 160
/* Room for what lp_schedule_parse() has to say. */
#define LP_SCHEDULE_MESSAGE 320
/* Longer than a day, a release would wait for a peak that does not come. */
#define LP_RELEASE_SEC_MAX 86400

/* Other bounds while it holds.  "weekdays 08:00-18:00 min mem=8G max cpu=4". */
typedef struct {
    uint8_t days;             /* bit 0: Sunday .. bit 6: Saturday: of the beginning */
    uint16_t from_minute, to_minute;   /* after midnight, local time; to <= from: past midnight */
    bool has_cpu_min, has_cpu_max, has_mem_min, has_mem_max;
    uint32_t cpu_min, cpu_max;
    uint64_t mem_min_bytes, mem_max_bytes;
} LpSchedule;

typedef struct {
    LpMode mode;
    LpGoal goal;
    uint32_t priority;        /* 0..LP_PRIORITY_MAX */
    uint64_t entitled_bytes;  /* memory guaranteed when it is wanted; 0: the profile's minimum */
    uint32_t release_sec;     /* surplus is held so long before it is given back; 0: the goal's */
    uint32_t n_schedules;
    LpSchedule schedules[LP_SCHEDULES_MAX];
} LpAutoscale;

void lp_autoscale_init(LpAutoscale *ret);
bool lp_autoscale_equal(const LpAutoscale *a, const LpAutoscale *b);
/* Whether it says nothing that lp_autoscale_init() does not. */
bool lp_autoscale_is_default(const LpAutoscale *autoscale);

/* Where the clock stands, local time: an input, never read here. */
typedef struct {
    uint8_t weekday;          /* 0: Sunday */
    uint16_t minute;          /* after midnight */
} LpWallTime;

typedef struct {
    uint32_t cpu_min, cpu_max;
    uint64_t mem_min_bytes, mem_max_bytes;
    bool scheduled;           /* some schedule holds */
} LpScaleBounds;

bool lp_schedule_holds(const LpSchedule *schedule, LpWallTime time);

/* The bounds that hold at `time`, in place of the profile's own: schedules in their order, a later
 * one over an earlier one, each within the profile's own bounds and with min <= max kept (a
 * minimum raises the maximum that would be below it). */
void lp_schedule_bounds(const LpAutoscale *autoscale, LpWallTime time, LpScaleBounds *bounds);

/* "weekdays|weekends|daily|mon,tue,... HH:MM-HH:MM (min|max) (cpu=N|mem=SIZE) ...": false, and
 * *message (plain ASCII, LP_SCHEDULE_MESSAGE) says in one sentence what is wrong and what would be
 * right.  24:00 is the end of a day; as long as an end is not after its beginning it is of the
 * next day, so that 08:00-08:00 is a day and a night. */
bool lp_schedule_parse(const char *text, LpSchedule *ret, char *message, size_t size);
/* Whether it is such a schedule: days, times, at least one bound, min <= max, memory in whole
 * blocks (LP_MEM_BLOCK_BYTES). */
bool lp_schedule_valid(const LpSchedule *schedule);
/* The same back, for a valid one; always parses to an equal value.  Returns buf. */
char *lp_schedule_format(const LpSchedule *schedule, char *buf, size_t size);

#endif
