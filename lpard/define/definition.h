/* Work on a domain's definition: to make a partition of it, to change its profile, to take the
 * profile away, to write it back.
 *
 * In two halves that each run in a worker: prepare looks and makes the new texts, apply
 * brings them into effect if nothing changed in between.  What the journal must know is
 * written between the two. */
#ifndef LP_LPARD_DEFINITION_H
#define LP_LPARD_DEFINITION_H

#include <glib.h>
#include <stdbool.h>

#include "hotplug/driver.h"
#include "lpard/define/profile-change.h"

typedef enum {
    LP_DEFINITION_NEW,            /* a domain that does not exist yet */
    LP_DEFINITION_ENABLE,
    LP_DEFINITION_EDIT,
    LP_DEFINITION_DISABLE,
    LP_DEFINITION_RESTORE,
    LP_DEFINITION_START,          /* no change of definition: only starts it */
} LpDefinitionKind;

/* Shared by the main loop and the worker: a worker that was given up may still hold it. */
typedef struct {
    LpDefinitionKind kind;
    /* What is wanted; set before prepare. */
    char *uuid, *name;
    LpProfileChange change;
    LpPlacementHost host;
    uint64_t generation_seen;     /* the last one the journal knows; 0: none */
    char *wanted_metadata;        /* RESTORE: the element to write back */
    char *saved;                  /* DISABLE: the journal's record of enable; or NULL */
    bool emulated, start;         /* NEW */
    char *kernel, *initrd, *cmdline, *disk, *network;

    /* What prepare found. */
    bool has_profile;             /* DISABLE: none is left */
    LpProfile old, profile;
    bool running, persistent;
    uint64_t boot_bytes;          /* START, NEW: what it boots with */
    char *before, *before_metadata;   /* persistent XML and live metadata as read */
    char *metadata;               /* the new element; NULL: none */
    char *after;                  /* the new persistent XML; NULL: it stays */
    bool set_live;                /* the running domain's metadata follows */
    bool restores;                /* DISABLE: the XML from before enable comes back */
    char *diff;
    GPtrArray *now, *next_start;  /* of char* */

    /* What apply did. */
    bool changed_meanwhile;       /* nothing was done: prepare again */
    char *defined;                /* persistent XML as the hypervisor has it now */
    LpView *view;                 /* fresh */
} LpDefinition;

LpDefinition *lp_definition_new(LpDefinitionKind kind, const char *uuid, const char *name);
LpDefinition *lp_definition_ref(LpDefinition *definition);
void lp_definition_unref(LpDefinition *definition);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpDefinition, lp_definition_unref)

/* Forgets what a first prepare found. */
void lp_definition_reset(LpDefinition *definition);

bool lp_definition_prepare(const LpDriver *driver, LpConn *conn, LpDefinition *definition,
                           GError **error);
bool lp_definition_apply(const LpDriver *driver, LpConn *conn, LpDefinition *definition,
                         GError **error);

/* The journal's record of an enable: the XML before it, and (once known) after it. */
char *lp_definition_record(const char *before, const char *after);
/* Whether the domain is, but for what lpard itself changes while it runs, as enable left it;
 * then *ret_before (caller frees) is what was there before. */
bool lp_definition_unchanged(const char *record, const char *xml, char **ret_before);
/* The XML without lpard's element.  NULL if it cannot be parsed. */
char *lp_definition_strip(const char *xml);

#endif
