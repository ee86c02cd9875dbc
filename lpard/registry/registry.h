/* The partitions lpard knows: what libvirt last said, the profile, what the agent last said.
 *
 * Main loop only.  Not a second truth: every operation looks afresh before it plans. */
#ifndef LP_LPARD_REGISTRY_H
#define LP_LPARD_REGISTRY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/wire/wire.h"
#include "hotplug/driver.h"
#include "hotplug/plan.h"
#include "numa/layout.h"
#include "numa/topology.h"
#include "lpard/registry/workers.h"
#include "policy/profile.h"

typedef struct LpChannel LpChannel;
typedef struct LpJournal LpJournal;
typedef struct LpEvents LpEvents;

typedef enum {
    LP_PROFILE_STATE_NONE,        /* a plain domain */
    LP_PROFILE_STATE_GOOD,
    LP_PROFILE_STATE_GARBLED,     /* metadata is there, but cannot be read */
    LP_PROFILE_STATE_LOST,        /* the journal knows one, the metadata does not */
    LP_PROFILE_STATE_OLDER,       /* an older generation than the journal saw */
    LP_PROFILE_STATE_CONFIG_LOST, /* running has it, the persistent XML does not */
} LpProfileState;

/* The guest by its agent's word. */
typedef struct {
    bool connected;               /* a HELLO of the current boot was received */
    bool has_state;
    LpWireHello hello;
    LpWireState state;
    int64_t state_usec;           /* monotonic time of the last STATE */
    bool has_pressure;            /* of this boot, and of this link */
    LpWirePressure pressure;
    int64_t pressure_usec;        /* monotonic time of the last PRESSURE */
    uint64_t base_total_bytes;    /* MemTotal with nothing plugged, this boot; 0: not known */
    uint64_t last_id;             /* of WANTs and resizes told: unique in a boot */
    uint64_t want_id;             /* of the last WANT; 0: none since the channel was opened */
    uint64_t closed_id;           /* the last resize that was told to be over, and ... */
    bool undo_due, post_due;      /* ... what of that is not answered yet */
    bool has_reply;
    LpWireReply reply;
    uint32_t refused_frames;      /* frames this link sent that made no sense */
} LpGuest;

/* The same by its balloon's driver, asked where there is no agent: of MemTotal and MemAvailable
 * the former is no more than it has, and the latter no more than the former. */
typedef struct {
    bool known;
    char run_id[24];              /* of the domain's run that it is about */
    uint64_t total_bytes, available_bytes;
    uint64_t kernel_bytes;        /* what MemTotal lacks; UINT64_MAX: not known */
    uint64_t last_update_sec;     /* as it was said, and ... */
    int64_t at_usec;              /* ... the same as monotonic time */
    int64_t due_usec;             /* when to ask next; 0: not asked in this run */
    bool asking;
} LpBalloonWord;

typedef struct {
    char *uuid;
    LpView *view;                 /* the last; never NULL */
    LpProfileState profile_state;
    char *profile_message;        /* what is wrong with it, or NULL */
    uint64_t generation_seen;     /* the highest, also while the journal is still writing it */
    LpProfile profile;            /* valid if profile_state is not NONE, GARBLED or LOST */
    LpGuest guest;
    /* What qemu-guest-agent last said.  It is asked only while an operation without lpar-agent
     * is at work, so at other times this may be old. */
    bool qga_known;
    LpQgaState qga;
    LpBalloonWord balloon;
    LpChannel *channel;           /* NULL: none attempted */
    void *link;                   /* the channel's callback data; guest.c */
    /* Monotonic: when each cell's device last spoke, and when memory was last asked to move.
     * QEMU tells of sizes at most once a second, so for a while after either, `current` may be
     * what was. */
    int64_t size_event_usec[LP_MAX_CELLS];
    int64_t memory_asked_usec;
    int64_t told_usec;            /* of the last size event */
    int64_t seen_usec;            /* when the view was made */
    int64_t reread_usec;          /* and when it was asked for because that was long ago */
    char migrated_run_id[24];     /* of the run that went on on another host; empty: none did */
    int64_t tidy_usec;            /* when late removals were last taken off the record */
    bool overrun;                 /* resident above grant and overhead */
    bool stuck;                   /* a call on it never returned; cleared when one does */
    /* What an admitted operation will take, counted from admission on so that two grows that
     * run at once cannot be promised the same room.  0: nothing promised. */
    uint64_t promised_bytes;
    uint64_t promised_cell_bytes[LP_MAX_CELLS];
    uint32_t promised_centi;
    /* The policy decides its size: what is granted need not be what is desired. */
    bool autoscaled;
    uint64_t policy_shares;       /* the cgroup weight that the policy set; 0: none */
    /* Its definition is being changed, by so many requests: journal and domain differ for a
     * while, which is no loss, so the profile is not read. */
    uint32_t defining;
    /* Off, but being started: what it will then take.  0: not being started. */
    uint64_t starting_bytes;
    uint32_t starting_centi;
    struct LpCalls *calls;        /* the calls waiting their turn on it; calls.c */
    /* Where it lies, as last measured in this run; NULL: not yet.  Score figures are the optimizer's. */
    LpLocality *locality;
    int64_t locality_usec;        /* monotonic, when that was */
    /* Pages on their way to a node (its id), where the room is no longer free; 0: none. */
    uint64_t coming_bytes;
    int32_t coming_node;
    struct LpAccount *account;    /* what it was last counted at; account.c */
} LpPartition;

/* What the machine can do, read once. */
typedef struct {
    LpTopology topology;
    bool has_vmx, has_svm;        /* VT-x / AMD-V by the CPU flags */
    bool has_nested_paging;       /* EPT or NPT */
    bool kvm_device;              /* /dev/kvm can be opened */
    bool kvm_usable;
    char kvm_reason[160];         /* why not, for people; empty if usable */
} LpHost;

/* Takes the topology (`described`: by the administrator, so not to be corrected by what this
 * machine says of itself); looks at the CPU's flags and /dev/kvm. */
void lp_host_read(LpHost *ret_host, const LpTopology *topology, bool described);

/* QEMU holds a size-change event back for up to a second; beyond twice that and some delivery,
 * what it last said is what is. */
#define LP_SIZE_EVENT_LAG_USEC (2500 * 1000)

typedef struct LpRegistry LpRegistry;

/* Takes what was measured (ownership); one of another run is dropped.  The cells' homes follow it: a cell
 * lies where most of it does, if half of it or more is resident, else where the XML has it. */
void lp_registry_locate(LpRegistry *registry, LpPartition *partition, LpLocality *locality);
/* Where it lies and runs, for plans and scores: measured if it was, else as its definition has it.  NULL:
 * the host has one node.  Good until its next view or measurement. */
const LpWhere *lp_partition_where(const LpPartition *partition);
/* Pages of it that are being moved take room on the node (id) where they come to, before they are found
 * there; 0 bytes: it is over. */
void lp_registry_expect(LpRegistry *registry, LpPartition *partition, int32_t node, uint64_t bytes);

LpRegistry *lp_registry_new(LpWorkers *workers, LpJournal *journal,
                            LpEvents *events, const LpHost *host, uint64_t reserve_bytes,
                            uint32_t reserve_centi, uint64_t overhead_bytes);
/* Units that pools have reserved beyond their members' entitlements: nobody else is entitled to
 * them (S8). */
void lp_registry_reserve_for_pools(LpRegistry *registry, uint32_t centi);
/* What a partition's pool leaves it of processing units, UINT32_MAX where it is in none: its room is
 * no larger.  NULL: there are no pools. */
typedef uint32_t (*LpPoolRoomFunc)(const LpPartition *partition, void *data);
void lp_registry_ask_pools(LpRegistry *registry, LpPoolRoomFunc func, void *data);
/* From now on plans hold memory by a cgroup limit too. */
void lp_registry_enforce_hard(LpRegistry *registry);
void lp_registry_free(LpRegistry *registry);
/* Subscribes and reads everything; false only if the URI itself is unusable. */
bool lp_registry_start(LpRegistry *registry, GError **error);

bool lp_registry_connected(const LpRegistry *registry);
const LpHost *lp_registry_host(const LpRegistry *registry);
const char *lp_registry_uri(const LpRegistry *registry);
/* Of LpPartition*, all domains (profile or not), by name.  Caller unrefs; the elements stay
 * valid until control returns to the main loop. */
GPtrArray *lp_registry_list(LpRegistry *registry);
LpPartition *lp_registry_by_uuid(LpRegistry *registry, const char *uuid);
/* A name or a UUID.  NULL with LP_ERROR_NO_PARTITION, near names suggested. */
LpPartition *lp_registry_find(LpRegistry *registry, const char *name, GError **error);
/* The same, but it must have a usable profile (LP_ERROR_NOT_ENABLED, LP_ERROR_BAD_PROFILE). */
LpPartition *lp_registry_find_enabled(LpRegistry *registry, const char *name, GError **error);

/* Takes a fresh view (ownership) of a domain; NULL view: the domain is gone.  Tells the
 * listener.  Re-reads the profile, (re)opens the channel, checks for overrun. */
void lp_registry_update(LpRegistry *registry, const char *uuid, LpView *view);
/* Asks a worker for a fresh view; coalesced. */
void lp_registry_look(LpRegistry *registry, const char *uuid);
/* The same for one who waits for it: `done` is called as by lp_registry_call(); its data, if ok
 * and not abandoned, is an LpLook that lp_registry_take_look() makes the registry's view. */
typedef struct LpLook LpLook;
void lp_registry_look_for(LpRegistry *registry, LpPartition *partition, LpJobDone done,
                          void *user);
void lp_registry_take_look(LpRegistry *registry, LpLook *look);

/* Runs a job on a partition when no other is under way there: libvirt is never asked two things
 * of one domain at once.  One past its deadline leaves the partition stuck, and all calls on it
 * but looks then fail at once with LP_DRIVER_ERROR_UNKNOWN.  `done` and `data` as for
 * lp_workers_run(). */
void lp_registry_call(LpRegistry *registry, LpPartition *partition, LpJobFunc func, void *data,
                      GDestroyNotify free_data, uint32_t deadline_msec, LpJobDone done,
                      void *user);
unsigned lp_registry_n_stuck(LpRegistry *registry);
/* Whether all domains were read at least once, and not lost since. */
bool lp_registry_synced(const LpRegistry *registry);

/* Asks a running guest's balloon, in the partition's lane, for what lp_partition_balloon() says, if
 * it is time: every 10 s where `wanted` and no agent is connected.  Where one is, its driver need
 * not speak, and is told so.  True: something was asked. */
bool lp_registry_ask_balloon(LpRegistry *registry, LpPartition *partition, bool wanted);
/* What the balloon's driver said in this run, if there is no agent; or NULL. */
const LpBalloonWord *lp_partition_balloon(const LpPartition *partition);

/* Whether what ran here last runs on another host now. */
bool lp_partition_migrated(const LpPartition *partition);
/* Whether `profile` can be used. */
bool lp_partition_has_profile(const LpPartition *partition);
/* vCPUs granted, memory granted and usable. */
uint32_t lp_partition_granted_cpus(const LpPartition *partition);
uint64_t lp_partition_granted_bytes(const LpPartition *partition);
/* 0: not known (no agent, or not calibrated yet). */
uint64_t lp_partition_usable_bytes(const LpPartition *partition);
uint32_t lp_partition_usable_cpus(const LpPartition *partition);
/* What the host must count it at: see DESIGN S3.  0 when off. */
uint64_t lp_partition_counted_bytes(const LpPartition *partition, uint64_t overhead_bytes);

/* The cgroup weight that an entitlement makes. */
uint64_t lp_capacity_shares(const LpCapacity *capacity, LpCgroup cgroup);
/* Resident beyond grant and overhead, by the host's word: an overrun. */
uint64_t lp_partition_excess_bytes(const LpPartition *partition, uint64_t overhead_bytes);

void lp_registry_bounds(LpRegistry *registry, const LpPartition *partition, LpBounds *ret_bounds);
void lp_partition_facts(const LpPartition *partition, LpGuestFacts *ret_facts);

/* Whoever changes what a partition is counted at (promised_*, starting_*, sizes in its view) says so:
 * the host's sums follow.  Fresh views and measurements do by themselves. */
void lp_registry_count(LpRegistry *registry, LpPartition *partition);

/* What is left for `partition`: all others are counted, those that are just being started too;
 * itself is not.  NULL: for a domain that is not there yet. */
void lp_registry_room(LpRegistry *registry, const LpPartition *partition, LpRoom *ret_room);
/* A node as the policy counts it. */
typedef struct {
    uint64_t reserve_bytes;
    uint64_t free_bytes;          /* counted at nobody; the reserve is part of it */
} LpNodeUse;
/* By the nodes' order in the topology. */
void lp_registry_nodes(LpRegistry *registry, LpNodeUse ret_nodes[LP_MAX_NODES]);
/* What domains may have on each node beside the reserve: that a new one may still have, and the vCPUs
 * there (lp_layout_choose). */
void lp_registry_layout_use(LpRegistry *registry, LpLayoutUse ret_use[LP_MAX_NODES]);
/* And for those that a layout places: all they have is part of it (lp_layout_make). */
void lp_registry_layout_nodes(LpRegistry *registry, LpLayoutNode ret_nodes[LP_MAX_NODES]);
/* Whether a layout of this host has it: a running partition with a usable profile and cells. */
bool lp_partition_is_placed(const LpPartition *partition);
/* What a cell is counted at: granted, promised, and its DIMMs. */
uint64_t lp_partition_cell_bytes(const LpPartition *partition, uint32_t cell);
/* Host totals for display. */
typedef struct {
    uint64_t capacity_bytes, reserve_bytes, granted_bytes, unmanaged_bytes, overhead_bytes,
        free_bytes;
    uint32_t capacity_centi, reserve_centi, pools_centi, entitled_centi, free_centi;
    uint32_t n_partitions, n_running, n_unmanaged;
} LpHostUse;
void lp_registry_use(LpRegistry *registry, LpHostUse *ret_use);

/* Tells the agent what is on record: to run what is plugged, less what is folded. */
void lp_registry_want_recorded(LpRegistry *registry, LpPartition *partition);
/* The next number for a WANT or a resize. */
uint64_t lp_guest_next_id(LpPartition *partition);
/* Sends the agent its desired state; false if there is no link.  *ret_id is the WANT's. */
bool lp_registry_want(LpRegistry *registry, LpPartition *partition, LpWireWant *want,
                      uint64_t *ret_id);

/* Says a phase, or what became of its request, to the agent; false if there is no link. */
bool lp_registry_phase(LpPartition *partition, const LpWirePhase *phase);
bool lp_registry_result(LpPartition *partition, const LpWireResult *result);
/* Whether an agent may yet introduce itself: the port is open, and nobody has on it. */
bool lp_guest_may_come(const LpPartition *partition);
/* ANSWER, STOP and ASK go to this one listener. */
typedef void (*LpGuestFunc)(LpPartition *partition, const LpWireMessage *message, void *data);
void lp_registry_hear(LpRegistry *registry, LpGuestFunc func, void *data);

/* What changed, told on the main loop after the fact. */
typedef enum {
    LP_CHANGE_VIEW, LP_CHANGE_GONE, LP_CHANGE_GUEST, LP_CHANGE_GUEST_LOST, LP_CHANGE_RESET,
    LP_CHANGE_DEVICE_REMOVED, LP_CHANGE_DEVICE_REFUSED, LP_CHANGE_CONNECTED,
    LP_CHANGE_DISCONNECTED,
} LpChange;
typedef void (*LpChangeFunc)(LpChange change, LpPartition *partition, const char *alias,
                             void *data);
void lp_registry_listen(LpRegistry *registry, LpChangeFunc func, void *data);

#endif
