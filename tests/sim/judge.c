/* After every step: what may never be, and whose doing it was.
 *
 * tests/oracle says what is wrong.  Where virsh and restarts of guests take what lpard was promised,
 * a host is overfull without any fault of lpard's: there only what lpard itself does is judged, each
 * effect by what it made worse. */
#include <string.h>

#include "lpard/profile-xml.h"
#include "tests/sim/clock.h"
#include "tests/sim/everything.h"

/* What somebody else changed, lpard has to know after this (L3, and the time of a look). */
#define EXCUSED_USEC (8 * G_USEC_PER_SEC)
#define DEFINED_USEC (120 * G_USEC_PER_SEC)
/* GLib's timers of whole seconds may come this much too soon. */
#define TIMER_USEC (G_USEC_PER_SEC / 4)
#define RESYNC_USEC (5 * G_USEC_PER_SEC)

/* The node where most of a cell lies: pages may have been moved away from where the XML has it. */
static int32_t
home_of(const LpSimDomain *domain, uint32_t cell)
{
    const LpSimPart *part = &domain->numa.parts[cell];
    uint64_t on[LP_MAX_NODES] = {0}, all = 0;
    uint32_t most = 0;

    for (guint i = 0; i < part->extents->len; i++) {
        const LpSimExtent *extent = &g_array_index(part->extents, LpSimExtent, i);

        on[extent->node % LP_MAX_NODES] += extent->bytes;
        all += extent->bytes;
    }
    for (uint32_t n = 1; n < LP_MAX_NODES; n++)
        if (on[n] > on[most])
            most = n;
    return on[most] * 2 > all ? (int32_t) most : domain->cells[cell].node;
}

static GPtrArray *
views(bool truth)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify) lp_view_free);

    for (guint i = 0; i < domains()->len; i++) {
        LpSimDomain *domain = g_ptr_array_index(domains(), i);
        LpView *view;

        lp_sim_guest_advance(domain, clock_now_usec());
        view = lp_sim_domain_view(domain);
        /* What is plugged, not what the last event said of it. */
        for (uint32_t c = 0; truth && view->run != LP_RUN_OFF && c < view->n_cells; c++)
            view->cells[c].current_bytes = domain->cells[c].plugged_bytes;
        for (uint32_t c = 0; c < view->n_cells && c < domain->numa.n_parts; c++)
            view->cells[c].home = home_of(domain, c);
        g_ptr_array_add(list, view);
    }
    return list;
}

void
judge_begin(void)
{
    g_autofree char *path = g_build_filename(world.dir, "journal.db", NULL);
    LpOracleHost host = {
        .topology = world.topology, .reserve_bytes = world.settings.reserve_bytes,
        .overhead_bytes = OVERHEAD_BYTES, .reserve_centi = world.settings.reserve_centi,
    };

    world.oracle = lp_oracle_new(&host, path);
    world.excused = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

void
judge_end(void)
{
    g_clear_pointer(&world.oracle, lp_oracle_free);
    g_clear_pointer(&world.excused, g_hash_table_unref);
}

bool
judge_failed(void)
{
    return lp_oracle_broken(world.oracle)->len > 0;
}

/* ---- effects ---- */

static void
add_view(Ceiling *sum, const LpView *view, bool own)
{
    uint64_t bytes = lp_view_granted_bytes(view);

    if (own) {
        sum->own_bytes = bytes;
        sum->own_vcpus = lp_cpumask_count(&view->plugged);
    }
    sum->bytes += bytes + OVERHEAD_BYTES;
}

Ceiling
judge_ceiling(const char *uuid)
{
    g_autoptr(GPtrArray) list = views(true);
    Ceiling sum = {.bytes = world.settings.reserve_bytes};

    for (guint i = 0; i < list->len; i++) {
        const LpView *view = g_ptr_array_index(list, i);

        if (view->run != LP_RUN_OFF)
            add_view(&sum, view, g_strcmp0(view->uuid, uuid) == 0);
    }
    return sum;
}

static bool profile_of(const char *uuid, LpProfile *ret_profile);

/* What a vCPU that left late leaves on record is taken off it: again and again, until it is, so that
 * nothing of it needs to be remembered. */
static bool
is_tidied(const char *uuid)
{
    const LpSimDomain *domain = uuid ? g_hash_table_lookup(world.sim->by_uuid, uuid) : NULL;
    LpProfile profile;

    return domain && profile_of(uuid, &profile)
           && !lp_cpumask_covers(&domain->plugged, &profile.folded);
}

void
judge_intent(const char *call, const char *uuid)
{
    world.effects++;
    /* One that was given up goes on in its worker. */
    if (world.definitions > 0)
        world.defined_usec = clock_now_usec();
    if (is_tidied(uuid))
        world.defined_usec = clock_now_usec();
    lp_oracle_expect_definition(world.oracle, world.scaled
                                || (world.defined_usec
                                    && clock_now_usec() - world.defined_usec < DEFINED_USEC));
    lp_oracle_effect(world.oracle, call, uuid);
}

static bool
is_excused(void)
{
    g_autoptr(GPtrArray) list = world.engine ? lp_engine_list(world.engine) : NULL;

    if (world.raised_usec && clock_now_usec() - world.raised_usec < EXCUSED_USEC)
        return true;
    for (guint i = 0; list && i < list->len; i++) {
        const LpOperation *operation = g_ptr_array_index(list, i);

        if (!LP_OP_IS_FINAL(operation->state)
            && g_hash_table_contains(world.excused, &operation->id))
            return true;
    }
    return world.raised_usec && !world.engine;
}

static bool
profile_of(const char *uuid, LpProfile *ret_profile)
{
    const LpSimDomain *domain = uuid ? g_hash_table_lookup(world.sim->by_uuid, uuid) : NULL;

    return domain && domain->metadata && domain->run != LP_RUN_OFF
           && lp_profile_from_xml(domain->metadata, ret_profile, NULL);
}

static void
judge_bounds(const char *call, const char *uuid, const Ceiling *before, const Ceiling *now)
{
    LpProfile profile;

    if (!profile_of(uuid, &profile))
        return;
    if (now->own_bytes < before->own_bytes && now->own_bytes < profile.mem.min_bytes)
        lp_oracle_tell(world.oracle, LP_INVARIANT_S1, "%s took %s from %" PRIu64 " to %" PRIu64
                       " bytes, its min is %" PRIu64, call, uuid, before->own_bytes, now->own_bytes,
                       profile.mem.min_bytes);
    if (now->own_bytes > before->own_bytes && now->own_bytes > profile.mem.max_bytes)
        lp_oracle_tell(world.oracle, LP_INVARIANT_S2, "%s took %s from %" PRIu64 " to %" PRIu64
                       " bytes, its max is %" PRIu64, call, uuid, before->own_bytes, now->own_bytes,
                       profile.mem.max_bytes);
    if (now->own_vcpus < before->own_vcpus && now->own_vcpus < profile.cpu.min)
        lp_oracle_tell(world.oracle, LP_INVARIANT_S1, "%s left %s %u vCPUs, its min is %u", call,
                       uuid, now->own_vcpus, profile.cpu.min);
}

static void
judge_room(const char *call, const char *uuid, const Ceiling *before, const Ceiling *now)
{
    uint64_t capacity = lp_topology_memory(world.topology);

    if (now->own_bytes <= before->own_bytes)
        return;
    if (now->bytes > capacity)
        lp_oracle_tell(world.oracle, LP_INVARIANT_S3, "%s of %s: %" PRIu64 " bytes may be taken now, "
                       "reserve and overhead included, and the host has %" PRIu64, call, uuid,
                       now->bytes, capacity);
}

void
judge_effect(const char *call, const char *uuid, const Ceiling *before)
{
    Ceiling now = judge_ceiling(uuid);

    if (is_excused())
        return;
    judge_bounds(call, uuid, before, &now);
    judge_room(call, uuid, before, &now);
}

void
judge_disturbed(const char *uuid, bool raised)
{
    g_autoptr(GPtrArray) list = world.engine ? lp_engine_list(world.engine) : NULL;

    lp_oracle_disturbed(world.oracle, uuid);
    if (!raised)
        return;
    world.raised_usec = clock_now_usec();
    for (guint i = 0; list && i < list->len; i++) {
        const LpOperation *operation = g_ptr_array_index(list, i);

        if (!LP_OP_IS_FINAL(operation->state))
            g_hash_table_add(world.excused, g_memdup2(&operation->id, sizeof operation->id));
    }
}

/* ---- operations ---- */

static bool
calls_are_well(void)
{
    return !world.calls.slow && !world.calls.hung && !world.calls.cut_before
           && !world.calls.cut_after && !world.calls.refused && world.calls.usec <= 5000;
}

/* What a stopped operation leaves on its way is taken back, by one call: where that one fails too, libvirt
 * is not there to be asked, or the guest is paused when it is taken up again, the guest goes on later, as
 * far as it was told to.  That it was not done is what was said. */
static void
excuse_unsettled(const LpOperation *operation)
{
    for (guint i = 0; i < operation->legs->len; i++) {
        const LpLeg *leg = g_ptr_array_index(operation->legs, i);
        const LpSimDomain *domain = g_hash_table_lookup(world.sim->by_uuid, leg->uuid);

        for (uint32_t c = 0; domain && c < domain->n_cells; c++)
            if (domain->cells[c].requested_bytes != domain->cells[c].plugged_bytes)
                lp_oracle_disturbed(world.oracle, leg->uuid);
    }
}

/* Time that was allowed is not up before it is up, whatever the wall clock says. */
void
judge_operation(const LpOperation *operation)
{
    int64_t allowed;

    if (LP_OP_IS_FINAL(operation->state) && operation->state != LP_OP_DONE)
        excuse_unsettled(operation);
    allowed = (operation->request->timeout_sec ? operation->request->timeout_sec
                                                       : world.settings.timeout_sec)
                      * G_USEC_PER_SEC;

    if (operation->state == LP_OP_TIMED_OUT && operation->started_usec
        && g_strcmp0(operation->code, "timed-out") == 0
        && clock_now_usec() - operation->started_usec < allowed - TIMER_USEC)
        lp_oracle_tell(world.oracle, LP_INVARIANT_L1, "operation %" PRId64 " timed out after %" PRId64
                       " ms of %" PRId64, operation->id,
                       (clock_now_usec() - operation->started_usec) / 1000, allowed / 1000);
}

/* ---- after each step ---- */

/* For whoever reads the trace: all that there is. */
static void
tell_all(void)
{
    g_autoptr(GPtrArray) list = views(true);

    for (guint i = 0; i < list->len; i++) {
        const LpView *view = g_ptr_array_index(list, i);
        const LpPartition *partition
            = world.registry ? lp_registry_by_uuid(world.registry, view->uuid) : NULL;

        for (uint32_t c = 0; c < view->n_cells; c++) {
            const LpViewCell *cell = &view->cells[c];
            const LpViewCell *known = partition ? &partition->view->cells[c] : cell;

            say("%s %s %s cell %u on node %d (lies on %d, by lpard %d): base %" PRIu64
                ", requested %" PRIu64 " (%" PRIu64 "), plugged %" PRIu64 " (%" PRIu64 "), %u DIMMs",
                view->name, view->uuid, lp_run_state_name(view->run), c, cell->node, cell->home,
                known->home, (uint64_t) (cell->base_bytes / MIB),
                (uint64_t) (cell->requested_bytes / MIB),
                (uint64_t) (known->requested_bytes / MIB), (uint64_t) (cell->current_bytes / MIB),
                (uint64_t) (known->current_bytes / MIB),
                view->n_dimms);
        }
    }
}

static void
tell_journal(void)
{
    json_t *rows = world.journal ? lp_journal_history(world.journal, NULL, 0, 40, NULL) : NULL;
    json_t *open = world.journal ? lp_journal_open_operations(world.journal, NULL) : NULL;
    char *text = json_dumps(rows, JSON_COMPACT), *open_text = json_dumps(open, JSON_COMPACT);

    say("journal: closed %s", text ? text : "");
    say("journal: open %s", open_text ? open_text : "");
    free(text);
    free(open_text);
    json_decref(rows);
    json_decref(open);
}

static void
tell_news(void)
{
    GPtrArray *broken = lp_oracle_broken(world.oracle);

    if (world.told < broken->len) {
        tell_all();
        tell_journal();
    }
    for (; world.told < broken->len; world.told++)
        say("BROKEN %s", (const char *) g_ptr_array_index(broken, world.told));
}

static void
judge_resync(void)
{
    if (!world.journal || world.gone || !calls_are_well())
        world.back_usec = 0;
    if (!world.back_usec || clock_now_usec() - world.back_usec < RESYNC_USEC)
        return;
    if (!lp_registry_synced(world.registry))
        lp_oracle_tell(world.oracle, LP_INVARIANT_L3, "libvirt is back for 5 s, and lpard has not "
                       "read all domains");
    world.back_usec = 0;
}

void
judge_step(void)
{
    world.steps++;
    judge_resync();
    if (!world.meddled) {
        g_autoptr(GPtrArray) list = views(true);

        lp_oracle_look(world.oracle, list);
    }
    tell_news();
}

/* ---- at rest ---- */

static void
compare_partition(const LpView *truth)
{
    const LpPartition *partition = lp_registry_by_uuid(world.registry, truth->uuid);
    const LpView *view = partition ? partition->view : NULL;
    const char *differs = NULL;

    if (!view)
        differs = "is not known";
    else if (view->run != truth->run)
        differs = "run";
    else if (!lp_cpumask_equal(&view->plugged, &truth->plugged))
        differs = "plugged vCPUs";
    else if (lp_view_granted_bytes(view) != lp_view_granted_bytes(truth))
        differs = "memory";
    else if (view->n_dimms != truth->n_dimms)
        differs = "DIMMs";
    else if (g_strcmp0(view->metadata, truth->metadata) != 0)
        differs = "profile";
    else if (partition->promised_bytes || partition->promised_centi || partition->starting_bytes
             || partition->coming_bytes)
        differs = "what is promised to it, when nothing is under way";
    else if (partition->stuck)
        differs = "that it is stuck";
    if (differs)
        lp_oracle_tell(world.oracle, LP_INVARIANT_L1, "lpard's account of %s differs: %s",
                       truth->name, differs);
    if (lp_engine_lane_depth(world.engine, truth->uuid))
        lp_oracle_tell(world.oracle, LP_INVARIANT_L1, "the lane of %s is never free", truth->name);
}

static void
check_folded(const LpView *truth)
{
    LpProfile profile;

    if (truth->run == LP_RUN_RUNNING && truth->metadata
        && lp_profile_from_xml(truth->metadata, &profile, NULL)
        && !lp_cpumask_covers(&truth->plugged, &profile.folded))
        lp_oracle_tell(world.oracle, LP_INVARIANT_L1,
                       "%s: vCPUs are on record as folded that have left", truth->name);
}

/* Each that was taken is in the journal, and closed; but for those that are too old to be kept, by a wall
 * clock that was put forward. */
static void
check_accepted(void)
{
    g_autoptr(GPtrArray) list = lp_engine_list(world.engine);

    for (guint i = 0; i < list->len; i++) {
        const LpOperation *operation = g_ptr_array_index(list, i);

        if (LP_OP_IS_FINAL(operation->state))
            continue;
        world.unfinished++;
        lp_oracle_tell(world.oracle, LP_INVARIANT_L1, "operation %" PRId64 " is still %s",
                       operation->id, lp_op_state_name(operation->state));
    }
    for (guint i = 0; i < world.accepted->len; i++) {
        int64_t id = g_array_index(world.accepted, int64_t, i);
        json_t *body = lp_journal_operation(world.journal, id, NULL);

        if (!body && !world.purged) {
            world.unfinished++;
            lp_oracle_tell(world.oracle, LP_INVARIANT_S6,
                           "operation %" PRId64 " was taken, and the journal has lost it", id);
        }
        json_decref(body);
    }
}

void
judge_rest(void)
{
    g_autoptr(GPtrArray) list = views(false);

    if (!world.journal || !lp_registry_synced(world.registry)) {
        lp_oracle_tell(world.oracle, LP_INVARIANT_L3, "lpard does not run, or has not read the host");
        tell_news();
        return;
    }
    check_accepted();
    for (guint i = 0; i < list->len; i++) {
        compare_partition(g_ptr_array_index(list, i));
        check_folded(g_ptr_array_index(list, i));
    }
    tell_news();
}
