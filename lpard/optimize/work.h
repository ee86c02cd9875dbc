/* What an optimization has to do: by partition, what is to lie where, and the pieces of the way; and how
 * far it is.  A value, with its form in an operation's JSON, from which a restart goes on. */
#ifndef LP_LPARD_OPTIMIZE_WORK_H
#define LP_LPARD_OPTIMIZE_WORK_H

#include "lpard/optimize/picture.h"

typedef struct LpWorkPart LpWorkPart;

/* Pages of one cell (or, cell -1, of the process itself) from one node to another. */
typedef struct {
    LpWorkPart *part;
    int32_t cell;
    int32_t from, to;             /* node ids; from -1: any other */
    uint64_t bytes;               /* about; UINT64_MAX: whatever is there */
    /* How far it is. */
    uint64_t moved_bytes;
    size_t range;
    uint64_t offset;
    uint64_t stuck_bytes[LP_STUCKS];       /* of the pass under way */
    uint32_t tries;               /* in a row that moved nothing, for want of room or of patience */
    bool waits;                   /* until something has left the node that it goes to, ... */
    uint64_t mark;                /* ... beyond what had by then, ... */
    int64_t again_usec;           /* ... or until then anyway */
    bool sweeps;                  /* gathers what is left of a cell whose pieces are over */
    bool over;
} LpWorkMove;

typedef struct {
    int32_t home;                 /* index of the node that is its own from now on; -1: as it was */
    LpSpread target;              /* bytes, by index */
    LpNodeSet cpus;               /* of its vCPUs; 0: left alone */
    LpCpuMask own;                /* the processors of those that they are to have for themselves; empty:
                                     all, with others */
} LpWorkCell;

typedef enum {
    LP_PART_PENDING, LP_PART_RUNNING, LP_PART_DONE, LP_PART_PARTIAL, LP_PART_FAILED,
    LP_PART_STAYS, LP_PART_STATES,
} LpPartState;

struct LpWorkPart {
    char *uuid, *name;
    char run_id[24];
    LpPartState state;
    char *reason;                 /* why it stays, or what did not go; or NULL */
    uint32_t before, predicted, measured;
    uint32_t n_cells;
    LpWorkCell *cells;
    bool pins;                    /* its vCPUs are to be pinned anew */
    bool whole;                   /* by its cpuset, as a whole (restrictive) */
    bool sweep_only;              /* nothing but strays */
    int32_t main;                 /* index of the node for the process's own; -1: stays */
    uint64_t total_bytes, moved_bytes, own_bytes;
    uint64_t stuck_bytes[LP_STUCKS];
    uint64_t shift_bytes;         /* brought over by its devices instead */
    GPtrArray *moves;             /* of LpWorkMove*, owned */
    /* While it is worked on; not kept. */
    LpNumaRule rule;              /* by which it was planned, without its floor, ... */
    bool has_rule;                /* ... where that is known */
    bool recorded, calling, pinned, placed, defined;
    bool failed;                  /* `reason` says why; nothing more is done of it */
    bool no_room;                 /* some of it was given up for want of room */
    bool shifted;                 /* it was asked to bring some over by its devices, by ... */
    int64_t shift;                /* ... this operation; 0: not now */
    json_t *json;                 /* as it was last said; NULL: it has changed since */
    uint64_t said;                /* what of it that was */
    bool touched;                 /* something was done of it: it is measured at the end */
};

typedef struct {
    bool automatic;
    char **requested, **protected_;        /* as asked */
    uint32_t min_gain;
    uint64_t max_bytes;
    uint32_t before, predicted, measured;  /* the host's */
    uint64_t total_bytes, moved_bytes;
    GPtrArray *parts;             /* of LpWorkPart*, owned, in the order of the work */
    GHashTable *by_uuid;          /* the same */
    GPtrArray *queue;             /* of LpWorkMove*, in the order in which each finds room */
    bool dry;                     /* only shown */
    const char *phase;            /* static */
    char *paused;                 /* why, or NULL */
    uint64_t rate_bytes;          /* a second, now */
    int64_t left_msec;            /* < 0: not known */
} LpWork;

LpWork *lp_work_new(void);
void lp_work_free(LpWork *work);

LpWorkPart *lp_work_add_part(LpWork *work, const char *uuid, const char *name, uint32_t n_cells);
/* From a layout of the picture.  Partitions that have nothing to do are left out, but those asked for, and
 * those that somebody might wonder about, say why. */
LpWork *lp_work_from_layout(const LpPicture *picture, const LpLayout *layout);
/* Processors of their own for those whose rule says so; cores.c. */
void lp_work_give_cores(LpWork *work, const LpPicture *picture, const LpLayout *layout);
/* Strays of drifted cells to their homes; NULL: there are not `least_bytes` of them. */
LpWork *lp_work_from_strays(const LpPicture *picture, uint64_t least_bytes);
/* The pieces of what is still to be done, from where it lies now; what is finished stays so. */
bool lp_work_find_moves(LpWork *work, const LpPicture *picture);

json_t *lp_work_to_json(LpWork *work, const LpTopology *topology);
/* NULL: it is none. */
LpWork *lp_work_from_json(const json_t *json, const LpTopology *topology);

/* What a partition's vCPUs and the emulator may run on; false: on this host nothing is pinned. */
bool lp_work_pins(const LpWorkPart *part, const LpView *view, const LpTopology *topology,
                  LpPins *ret_pins);

const char *lp_part_state_name(LpPartState state);

#endif
