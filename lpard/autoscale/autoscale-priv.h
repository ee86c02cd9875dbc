/* The autoscaler's inside, for the files that make it up. */
#ifndef LP_LPARD_AUTOSCALE_PRIV_H
#define LP_LPARD_AUTOSCALE_PRIV_H

#include "lpard/autoscale/autoscale.h"
#include "lpard/autoscale/cpu-use.h"
#include "lpard/autoscale/history.h"
#include "policy/record.h"

/* One domain as the autoscaler knows it, from its first sight until it is gone. */
typedef struct {
    LpScaler *scaler;
    LpPartition *partition;
    uint64_t key;
    int row;                      /* in the arrays of the last tick; -1: in none */
    LpPolicyState *saved;         /* while it is in none; NULL: it never was */
    LpMode mode;                  /* that holds */
    LpMode own;                   /* the partition's, whatever the host's is */
    LpCpuMeter meter;
    LpGuestWord word;
    bool failed;                  /* since the last tick */
    LpFixed fixed;
    int64_t rest_until_usec;      /* the operator's word holds; 0: none */
    int64_t operation;            /* the policy's own under way; 0: none */
    int64_t stopped;              /* the last that its mode or a hold cancelled */
    int64_t ended;                /* the last that was heeded */
    bool asking;                  /* one is on its way to the engine */
    bool moves;                   /* ... or under way, and moves memory */
    int64_t shares_usec;          /* when they were last set */
    bool setting_shares;
    bool shares_given;            /* by the policy, and not yet back at the profile's */
    bool shares_failed;           /* the last time; it is told once */
    struct {                      /* what was last said of it */
        LpAct mem_act, cpu_act;
        LpBound mem_bound, cpu_bound;
        LpTake take;
        uint64_t mem_bytes;
        uint32_t cpus;
        int64_t usec;
    } said;
} LpScaledItem;

typedef struct LpModeFile LpModeFile;

struct LpScaler {
    LpRegistry *registry;
    LpEngine *engine;
    LpEvents *events;
    const LpPools *pools;         /* NULL: none */
    LpModeFile *mode_file;        /* where the mode is kept */
    LpMode mode;
    bool burst;
    uint32_t idle_tax, moving_max, reserve_centi;
    guint tick_source;
    GPtrArray *items;             /* of LpScaledItem*, owned, in the order of their coming */
    GHashTable *by_uuid, *by_key; /* -> LpScaledItem */
    /* The last tick: rows of n. */
    GPtrArray *rows;              /* of LpScaledItem*; NULL: gone since */
    size_t n, n_room;
    LpPolicyPartition *inputs;
    LpPolicyState *states;
    LpDecision *decisions;
    bool decided;
    LpPolicyHost host;
    LpPolicy *policy;
    LpRecorder *recorder;
    LpHistory *history;
    LpCpuUse *cpu_use;
    guint cpu_turn;               /* whose turn it is to be counted, ... */
    guint balloon_turn;           /* ... to be asked how it fares, ... */
    guint turn;                   /* ... to be asked for first, ... */
    guint said_turn;              /* ... and to be told of */
    GPtrArray *asking;            /* of Asking* in act.c */
    GQueue lines;                 /* of LpScalerLine*, newest first */
    LpScalerFigures figures;
    int64_t warned_usec;
};

/* autoscale.c */
LpScaledItem *lp_scaler_item(LpScaler *scaler, const char *uuid);

/* sense.c: fills host, rows and inputs; states follow their partitions.  False: out of memory. */
bool lp_sense(LpScaler *scaler);
/* Without a profile: off. */
LpMode lp_scaler_own_mode(const LpPartition *partition);
/* Not zero, and the same on every host. */
uint64_t lp_sense_key(const char *uuid);

/* balloon.c: a tick's part of the asking, and what came of it. */
void lp_balloon_ask(LpScaler *scaler);
void lp_balloon_see(const LpPartition *partition, int64_t now_msec, LpSignals *ret);

/* act.c */
void lp_act(LpScaler *scaler);
void lp_act_free_asking(void *asking);
/* Operations go by the shares of its entitlement again, and the domain gets them back when nothing
 * else is under way. */
void lp_act_drop_shares(LpScaledItem *item);
/* A tick's part of that. */
void lp_act_give_back(LpScaler *scaler);

/* heed.c */
void lp_heed_operation(LpOperation *operation, void *scaler);

/* chronicle.c */
/* Of who is not asked to change now. */
void lp_chronicle_tick(LpScaler *scaler);
/* Of one that is. */
void lp_chronicle_decision(LpScaledItem *item);
void lp_chronicle_say(LpScaler *scaler, const LpPartition *partition, const char *what,
                      const char *text);
void lp_chronicle_line_free(void *line);
/* As few bytes as a request's reason may have; caller frees. */
char *lp_chronicle_why(LpScaledItem *item, bool memory, bool cpus);

/* mode.c: what was set before a restart, and its file. */
void lp_scaler_load_mode(LpScaler *scaler);
LpModeFile *lp_mode_file_new(const char *path);
void lp_mode_file_unref(LpModeFile *file);

/* report.c: of a row of the last tick. */
void lp_scaler_row(LpScaler *scaler, size_t row, LpScaled *ret);

#endif
