/* The inside of the simulated host, shared by the sim-*.c files only.
 *
 * Everything here is reached with the host's lock held, but for what says otherwise. */
#ifndef LP_HOTPLUG_SIM_HOST_H
#define LP_HOTPLUG_SIM_HOST_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"
#include "hotplug/driver.h"
#include "hotplug/sim-numa.h"

typedef struct LpSimHost LpSimHost;
typedef struct LpSimDomain LpSimDomain;
typedef struct LpSimLink LpSimLink;
typedef struct LpSimTalk LpSimTalk;

typedef struct {
    int64_t call_usec, online_cpu_usec, unplug_cpu_usec, unplug_timeout_usec, detach_usec,
        boot_usec, size_event_usec;
    uint64_t plug_bytes_per_sec, unplug_bytes_per_sec, move_bytes_per_sec; /* 0: at once */
} LpSimDelays;

/* How its agent takes part in a resize. */
typedef struct {
    bool no_phases, no_answer;
    char veto[LP_WIRE_TEXT_MAX], veto_pre[LP_WIRE_TEXT_MAX], post_fails[LP_WIRE_TEXT_MAX];
    uint64_t answer_msec, stop_at_bytes, stop_back_bytes;
    LpCpuMask leave;
} LpSimConsent;

/* What its programs do.  0 in all: nothing is said of it, the guest is at ease. */
typedef struct {
    uint64_t used_bytes, refaults, psi_mem_centi, busy_centi;
} LpSimLoad;

/* What its balloon's driver says of it; see LP_SIM_TELL. */
typedef struct {
    uint64_t total_bytes, usable_bytes, age_sec;
} LpSimStats;

/* How a guest and its QEMU behave; see LP_SIM_TELL. */
typedef struct {
    bool agent, agent_silent, agent_nonsense;
    bool qga, memory_waits;
    uint64_t qga_msec;
    bool refuse_unplug, hang_look;
    uint64_t unmovable_bytes, late_unplug_msec, hang_call_msec, resident_bytes;
    LpCpuMask stuck_cpus;
    char fail_call[24];           /* empty: no call is to fail */
    LpDriverError fail_error;
    bool fail_after_effect;
    LpSimConsent consent;
    LpSimLoad load;
    LpSimStats stats;
    LpSimMoving moving;
} LpSimManners;

typedef struct {
    int32_t node;
    uint64_t base_bytes;
    LpCpuMask vcpus;
    bool has_device;
    char alias[32];
    uint64_t device_bytes, block_bytes, requested_bytes;
    uint64_t plugged_bytes;       /* in the guest, at since_usec */
    int64_t since_usec;
    uint64_t told_bytes;          /* what the last size event said */
    int64_t told_usec;
} LpSimCell;

typedef struct {
    char alias[32];
    uint32_t cell;
    uint64_t bytes;
    int64_t answer_usec;          /* when the guest answers the asked removal; 0: not asked */
} LpSimDimm;

struct LpSimDomain {
    LpSimHost *host;              /* not owned */
    char *name, *uuid;
    char *config_xml;             /* NULL: transient */
    char *live_xml;               /* as started; NULL: off */
    char *saved_xml;              /* saved with its memory: goes on from there; NULL: it was not */
    LpRunState run;
    LpAccel accel;
    uint32_t starts, boots;
    LpSimManners manners;

    LpCpuMask plugged_config;     /* by config_xml */
    uint64_t requested_config_bytes, base_config_bytes;
    char *metadata_config;

    /* By live_xml or, when off, config_xml; and what was done since. */
    uint32_t vcpu_max;
    LpCpuMask plugged, hotpluggable;
    uint32_t n_cells;
    LpSimCell *cells;
    GArray *dimms;                /* of LpSimDimm */
    uint32_t slots, free_pci_ports;
    uint64_t max_memory_bytes, base_bytes, balloon_bytes, memory_limit_bytes;
    uint64_t cpu_shares_config;
    int64_t global_quota_config_usec;
    bool has_balloon, has_channel, memory_locked, has_pins;
    LpNumatune numatune;
    uint32_t stats_period_sec;
    char resource[LP_RESOURCE_MAX], resource_config[LP_RESOURCE_MAX];
    char *metadata;
    LpCapacityLimits limits;
    LpSimNuma numa;

    LpCpuMask leaving;            /* vCPUs whose removal comes late */
    int64_t leaving_usec;

    /* Inside the guest. */
    LpCpuMask online, wanted;
    bool wants_cpus, reply_due;
    uint64_t want_id;
    uint64_t onlined_bytes;       /* of what is plugged, if manners.memory_waits */
    int64_t watch_until_usec;
    int64_t cpu_since_usec;       /* since when the next vCPU is being changed */
    int64_t booted_usec;          /* when the agent speaks */
    LpSimTalk *talk;              /* its part in resizes; sim-phase.c */
    int64_t speak_usec;           /* when it says next how it fares; 0: when that changes only */
};

struct LpSimHost {
    gint refs;
    char *path, *state_dir, *faults_dir;
    GMutex lock;
    GCond wake;                   /* manners changed: calls that hang look again */
    bool disconnected;
    uint64_t seed;
    LpCgroup cgroup;
    LpSimDelays delays;
    LpSimNodes node_bytes;
    GPtrArray *domains;           /* of LpSimDomain*, owned */
    GHashTable *by_uuid, *by_name;
    GHashTable *moving;           /* uuid -> LpSimDomain* with something in motion: in an order that is
                                     the same in every run */
    GPtrArray *watches;           /* main loop only changes these two */
    GHashTable *links;            /* uuid -> GSList of LpSimLink* */
    GSource *timer;               /* while something on the main loop listens */
    void *monitor;                /* GFileMonitor of faults_dir, likewise */
    unsigned listeners;
};

/* What FILE says of a domain (or of `count` of them). */
typedef struct LpSimSpecCell {
    int32_t node;
    uint64_t base_bytes, device_bytes, requested_bytes, block_bytes;
    LpSimNodes *lies;             /* owned; NULL: on its node */
    LpCpuMask cpus;               /* what its vCPUs are pinned to; empty: not pinned */
} LpSimSpecCell;

typedef struct LpSimSpec {
    char *name, *uuid, *metadata;
    uint32_t count, vcpus, vcpus_max, slots, n_cells;
    uint64_t base_bytes;
    LpSimSpecCell cells[LP_MAX_CELLS];
    LpRunState run;
    bool tcg, locked;
    LpSimNodes own;
    LpNumatune numatune;
    LpSimManners manners;
} LpSimSpec;

/* sim-file.c: JSON to values.  Errors are LP_DRIVER_ERROR_INVALID and name the key. */
json_t *lp_sim_json_load(const char *path, GError **error);
bool lp_sim_json_keys(const json_t *object, const char *where, const char *const *known,
                      GError **error);
bool lp_sim_json_u64(const json_t *object, const char *key, uint64_t max, uint64_t *ret_value,
                     GError **error);
bool lp_sim_json_flag(const json_t *object, const char *key, bool *ret_value, GError **error);
bool lp_sim_json_text(const json_t *object, const char *key, const char **ret_text,
                      GError **error);
bool lp_sim_json_mask(const json_t *object, const char *key, LpCpuMask *ret_mask,
                      GError **error);
extern const char *const lp_sim_manner_keys[];
/* Reads those keys of lp_sim_manner_keys that are there. */
bool lp_sim_manners_read(const json_t *object, LpSimManners *manners, GError **error);
json_t *lp_sim_manners_write(const LpSimManners *manners);
bool lp_sim_host_read(LpSimHost *host, const json_t *root, GError **error);
bool lp_sim_spec_read(const json_t *object, LpSimSpec *ret_spec, GError **error);
void lp_sim_spec_clear(LpSimSpec *spec);
/* The name of the index-th domain of a pattern.  Caller frees. */
char *lp_sim_spec_name(const LpSimSpec *spec, uint32_t index);

/* sim-qga.c: whether qemu-guest-agent can be asked in this guest. */
bool lp_sim_qga_connected(const LpSimDomain *domain);

/* sim-xml.c */
char *lp_sim_xml_build(const LpSimSpec *spec, const char *name, const char *uuid);
/* Name and UUID of a text; the UUID is added to it if missing.  Caller frees all three. */
char *lp_sim_xml_identify(const char *xml, char **ret_name, char **ret_uuid, GError **error);
/* live_xml with all that was done since. */
char *lp_sim_xml_live(const LpSimDomain *domain, GError **error);

/* sim-domain.c */
LpSimDomain *lp_sim_domain_new(LpSimHost *host, const char *name, const char *uuid);
void lp_sim_domain_free(LpSimDomain *domain);
/* Take effect only when the text can be read. */
bool lp_sim_domain_set_config(LpSimDomain *domain, const char *xml, GError **error);
bool lp_sim_domain_set_live(LpSimDomain *domain, const char *xml, GError **error);
bool lp_sim_domain_start(LpSimDomain *domain, int64_t now_usec, GError **error);
void lp_sim_domain_stop(LpSimDomain *domain);
void lp_sim_domain_reset(LpSimDomain *domain, int64_t now_usec);
LpView *lp_sim_domain_view(LpSimDomain *domain);
/* 36 characters that look like a UUID and follow from the seed, the text and the number. */
char *lp_sim_make_uuid(uint64_t seed, const char *text, uint64_t number);

/* sim-guest.c: what moves by itself. */
/* Brings the domain up to `now`; posts the events that fall due. */
void lp_sim_guest_advance(LpSimDomain *domain, int64_t now_usec);
/* When to advance it again; -1: nothing moves. */
int64_t lp_sim_guest_next(const LpSimDomain *domain, int64_t now_usec);
/* Whether the wanted vCPUs are as wanted, as far as present and not stuck. */
bool lp_sim_guest_cpus_settled(const LpSimDomain *domain);
/* Whether virtio-mem is as asked, or as near as it will come. */
bool lp_sim_guest_memory_settled(const LpSimDomain *domain);
uint64_t lp_sim_guest_plugged(const LpSimDomain *domain);
/* sim-agent.c: its MemTotal and MemAvailable. */
void lp_sim_guest_memory(const LpSimDomain *domain, uint64_t *ret_total,
                         uint64_t *ret_available);

/* sim-phase.c */
LpSimTalk *lp_sim_talk_new(void);
void lp_sim_talk_free(LpSimTalk *talk);
/* The guest starts anew. */
void lp_sim_talk_boot(LpSimTalk *talk);
bool lp_sim_consent_read(const json_t *object, LpSimConsent *consent, GError **error);
void lp_sim_consent_write(const LpSimConsent *consent, json_t *json);
bool lp_sim_talk_ask(LpSimTalk *talk, const json_t *object, GError **error);
/* The phases and results that it has heard, as lines. */
json_t *lp_sim_talk_write(const LpSimTalk *talk);
void lp_sim_talk_read(LpSimTalk *talk, const json_t *list);
void lp_sim_talk_phase(LpSimDomain *domain, const LpWirePhase *phase, int64_t now_usec);
void lp_sim_talk_result(LpSimDomain *domain, const LpWireResult *result);
/* What it has to say now; false: nothing. */
bool lp_sim_talk_next(LpSimDomain *domain, int64_t now_usec, LpWireMessage *ret_message);
/* When it will have something to say; -1: not known. */
int64_t lp_sim_talk_due(const LpSimDomain *domain);

/* sim-state.c */
bool lp_sim_state_save(const LpSimDomain *domain, GError **error);
/* Fills a fresh domain from FILE.state; *ret_undefined: it says the domain is no more. */
bool lp_sim_state_load(LpSimDomain *domain, const json_t *state, bool *ret_undefined,
                       int64_t now_usec, GError **error);
json_t *lp_sim_state_read(LpSimHost *host, const char *name, GError **error);
bool lp_sim_state_bury(LpSimHost *host, const char *name, GError **error);

/* sim-host.c.  The first three are called without the host's lock. */
LpSimHost *lp_sim_host_open(const char *uri, GError **error);
LpSimHost *lp_sim_host_ref(LpSimHost *host);
void lp_sim_host_unref(LpSimHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LpSimHost, lp_sim_host_unref)
LpSimDomain *lp_sim_host_find(LpSimHost *host, const char *uuid, GError **error);
void lp_sim_host_add(LpSimHost *host, LpSimDomain *domain);
void lp_sim_host_remove(LpSimHost *host, LpSimDomain *domain);
/* The domain was touched: keep its clock running. */
void lp_sim_host_touch(LpSimHost *host, LpSimDomain *domain);

/* sim-tell.c */
/* Takes what lies in FILE.faults for the domain (NULL: for the host). */
bool lp_sim_mailbox_take(LpSimHost *host, LpSimDomain *domain, GError **error);
bool lp_sim_apply(LpSimHost *host, LpSimDomain *domain, const json_t *json, GError **error);

/* sim-watch.c */
void lp_sim_post(LpSimHost *host, LpEventKind kind, const char *uuid, const char *alias,
                 uint64_t bytes);
LpWatch *lp_sim_watch(const char *uri, LpEventFunc func, void *data, GError **error);
void lp_sim_unwatch(LpWatch *watch);
/* Main loop, lock held: a watch or a link came or went.  The first starts timer and monitor. */
void lp_sim_listen(LpSimHost *host);
void lp_sim_unlisten(LpSimHost *host);

/* sim-agent.c; main loop only where nothing else is said. */
int lp_sim_agent_open(const char *uri, const char *uuid, GError **error);
/* Lock held: says what there is to say on every link of the domain. */
void lp_sim_agent_update(LpSimDomain *domain, int64_t now_usec);
/* Lock held, any thread: closes the links of the domain (NULL: all of the host). */
void lp_sim_agent_close(LpSimHost *host, const LpSimDomain *domain);

#endif
