/* The host at a moment, as values: what each domain has, where it lies and where it may go.  What scores
 * and layouts are made of; may cross threads. */
#ifndef LP_LPARD_OPTIMIZE_PICTURE_H
#define LP_LPARD_OPTIMIZE_PICTURE_H

#include <glib.h>
#include <jansson.h>

#include "lpard/registry/registry.h"
#include "numa/layout.h"

/* Why a domain stays where it is. */
typedef enum {
    LP_STAYS_NOT,
    LP_STAYS_NO_PROFILE,          /* a plain domain */
    LP_STAYS_BAD_PROFILE,
    LP_STAYS_OFF,
    LP_STAYS_BUSY,                /* starting, stopping or migrating */
    LP_STAYS_HANGS,
    LP_STAYS_RULE,                /* keep */
    LP_STAYS_NUMATUNE,            /* bound by somebody else */
    LP_STAYS_NOT_MEASURED,
    LP_STAYS_PROTECTED,
    LP_STAYS_HELD,
    LP_STAYS_NO_CELLS,
    LP_STAYS_KINDS,
} LpStays;
extern const char *const lp_stays_names[LP_STAYS_KINDS];

typedef struct {
    uint64_t bytes, max_bytes;    /* has; may have */
    int32_t node, home;           /* indices of nodes: by the XML; where it lies; -1: none */
    bool measured;
    bool movable;                 /* its pages; its vCPUs always are */
    uint32_t n_vcpus, max_vcpus;
    uint64_t weight;              /* all of `cpus` */
    LpCpuMask vcpus;              /* ids, plugged or not */
    LpSpread memory;              /* `bytes`, as its resident pages lie */
    LpSpread resident;            /* bytes measured */
    LpSpread cpus;                /* its vCPUs' time, on the nodes that they may run on; in any unit */
    LpNodeSet may;                /* the same as a set; 0: all */
    LpCpuMask processors;         /* that they may run on, as measured; empty: not known */
} LpPictureCell;

typedef struct {
    char *uuid, *name;
    char run_id[24];
    LpRunState run;
    LpNumaRule rule;
    bool has_profile;
    LpStays stays;
    char *why;                    /* the last measurement failed so; any figures are older; or NULL */
    bool locked;                  /* memory is pinned for a device, locked or of huge pages */
    LpNumatune numatune;
    bool persistent, requested;
    uint32_t first_cell, n_cells, n_view_cells;
    uint32_t n_vcpus, vcpu_max;
    uint64_t bytes;
    uint32_t entitled_centi;
    LpSpread memory, cpus;        /* all cells' */
    LpSpread own;                 /* what the hypervisor's process has beside them */
    int32_t row;                  /* in the layout; -1: not part of it */
    bool measured, exact_cells;
    int64_t age_usec;
    uint32_t error_permyriad;
    /* Hundredths of a point, or LP_SCORE_NONE. */
    uint32_t local, best, score, intended, agreement;
} LpPicturePart;

typedef struct {
    const LpTopology *topology;   /* the registry's */
    guint n_parts, n_cells;
    LpPicturePart *parts;         /* by name */
    GHashTable *by_uuid;          /* the same */
    LpPictureCell *cells;
    uint32_t score, intended;     /* the host's */
    /* The layout's view of it; cells and rows point into the above. */
    LpLayoutHost host;
    LpLayoutPartition *rows;
    LpLayoutCell *row_cells;
    guint *part_of_row;
} LpPicture;

/* lp_score_best() where it need not be computed anew; NULL: it is. */
typedef uint32_t (*LpBestFunc)(const LpPicturePart *part, LpNodeSet allowed,
                               const LpTopology *topology, void *data);
/* A vCPU's time since the survey before, LP_VCPU_BUSY for all of it; 0: not known of this partition. */
#define LP_VCPU_BUSY (1U << 20)
typedef uint32_t (*LpWeightFunc)(const char *uuid, uint32_t vcpu, void *data);
/* Why a domain could not be measured when that was last tried, or NULL. */
typedef const char *(*LpErrorFunc)(const char *uuid, void *data);

typedef struct {
    const LpPartition *only;      /* NULL: every domain */
    const GPtrArray *requested, *protected_;     /* UUIDs, or NULL */
    bool heed_holds;              /* a partition on hold stays */
    LpBestFunc best;
    LpErrorFunc error;
    LpWeightFunc weight;          /* NULL: all vCPUs alike */
    void *data;
} LpPictureOrder;

LpPicture *lp_picture_new(LpRegistry *registry, const LpPictureOrder *order);
void lp_picture_free(LpPicture *picture);

/* By UUID; NULL: it is not in it. */
const LpPicturePart *lp_picture_find(const LpPicture *picture, const char *uuid);

/* The score that a partition would have in a layout; its own where that changes nothing for it. */
uint32_t lp_picture_predict(const LpPicture *picture, const LpLayout *layout, guint part);
/* The host's, from those. */
uint32_t lp_picture_predict_host(const LpPicture *picture, const LpLayout *layout);
/* Whether the vCPUs of a cell are to run elsewhere by the layout. */
bool lp_picture_repins(const LpPicture *picture, const LpLayout *layout, guint cell,
                       guint row_cell);

/* GET /v1/score's form of one; `layout` NULL: nothing is predicted. */
json_t *lp_picture_part_json(const LpPicture *picture, const LpLayout *layout, guint part);
/* A sentence, or NULL where nothing keeps it.  Caller frees. */
char *lp_picture_stays_text(const LpPicturePart *part);
/* A score, or null. */
json_t *lp_score_json(uint32_t centi);

#endif
