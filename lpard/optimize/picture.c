#include "lpard/optimize/picture.h"

#include <string.h>

const char *const lp_stays_names[LP_STAYS_KINDS] = {
    [LP_STAYS_NOT] = "no",
    [LP_STAYS_NO_PROFILE] = "no-profile",
    [LP_STAYS_BAD_PROFILE] = "bad-profile",
    [LP_STAYS_OFF] = "off",
    [LP_STAYS_BUSY] = "busy",
    [LP_STAYS_HANGS] = "stuck",
    [LP_STAYS_RULE] = "rule",
    [LP_STAYS_NUMATUNE] = "numatune",
    [LP_STAYS_NOT_MEASURED] = "not-measured",
    [LP_STAYS_PROTECTED] = "protected",
    [LP_STAYS_HELD] = "hold",
    [LP_STAYS_NO_CELLS] = "no-cells",
};

static uint64_t
sum_of(const LpSpread *spread, uint32_t n_nodes)
{
    uint64_t sum = 0;

    for (uint32_t n = 0; n < n_nodes; n++)
        sum += spread->on[n];
    return sum;
}

static void
add_to(LpSpread *sum, const LpSpread *spread, uint32_t n_nodes)
{
    for (uint32_t n = 0; n < n_nodes; n++)
        sum->on[n] += spread->on[n];
}

static int
index_of(const LpTopology *topology, int32_t id)
{
    return id < 0 ? -1 : lp_topology_find(topology, (uint32_t) id);
}

/* ---- processors ---- */

/* One vCPU over the nodes of the processors that it may use. */
static void
spread_vcpu(const LpTopology *topology, const LpCpuMask *may, uint64_t weight, LpSpread *spread,
            LpNodeSet *nodes)
{
    uint32_t on[LP_MAX_NODES], all = 0;

    for (uint32_t n = 0; n < topology->n_nodes; n++) {
        LpCpuMask both;

        for (size_t w = 0; w < G_N_ELEMENTS(both.words); w++)
            both.words[w] = topology->nodes[n].cpus.words[w] & may->words[w];
        on[n] = lp_cpumask_count(&both);
        all += on[n];
    }
    for (uint32_t n = 0; n < topology->n_nodes && all; n++) {
        spread->on[n] += weight * on[n] / all;
        if (on[n])
            *nodes |= 1ULL << n;
    }
}

static bool
is_everywhere(const LpTopology *topology, LpNodeSet nodes)
{
    for (uint32_t n = 0; n < topology->n_nodes; n++)
        if (lp_cpumask_count(&topology->nodes[n].cpus) > 0 && !(nodes & (1ULL << n)))
            return false;
    return true;
}

static const LpLocalityVcpu *
measured_vcpu(const LpLocality *locality, unsigned vcpu)
{
    for (uint32_t i = 0; locality && i < locality->n_vcpus; i++)
        if (locality->vcpus[i].vcpu == vcpu)
            return &locality->vcpus[i];
    return NULL;
}

/* vCPUs of a cell that run; where nothing was measured they may be anywhere. */
static void
read_cpus(const LpTopology *topology, const LpPartition *partition, const LpLocality *locality,
          const LpPictureOrder *order, LpPictureCell *cell)
{
    const LpView *view = partition->view;
    LpNodeSet nodes = 0;

    for (int c = lp_cpumask_next(&cell->vcpus, 0); c >= 0;
         c = lp_cpumask_next(&cell->vcpus, (unsigned) c + 1)) {
        const LpLocalityVcpu *vcpu;
        uint64_t weight;

        cell->max_vcpus++;
        if (!lp_cpumask_has(&view->plugged, (unsigned) c)
            || (lp_partition_has_profile(partition)
                && lp_cpumask_has(&partition->profile.folded, (unsigned) c)))
            continue;
        cell->n_vcpus++;
        vcpu = measured_vcpu(locality, (unsigned) c);
        weight = order->weight ? order->weight(partition->uuid, (uint32_t) c, order->data) : 0;
        weight = weight ? weight : LP_VCPU_BUSY;
        cell->weight += weight;
        if (vcpu) {
            spread_vcpu(topology, &vcpu->may, weight, &cell->cpus, &nodes);
            for (size_t w = 0; w < G_N_ELEMENTS(vcpu->may.words); w++)
                cell->processors.words[w] |= vcpu->may.words[w];
        } else {
            LpSpread anywhere;

            lp_spread_cpus(topology, 0, weight, &anywhere);
            add_to(&cell->cpus, &anywhere, topology->n_nodes);
            nodes = ~0ULL;
        }
    }
    cell->may = is_everywhere(topology, nodes) ? 0 : nodes;
}

/* ---- memory ---- */

/* What is not known to lie anywhere is where it would come from. */
static void
assume_memory(const LpTopology *topology, LpPictureCell *cell)
{
    uint64_t all = lp_topology_memory(topology);

    if (cell->home >= 0) {
        cell->memory.on[cell->home] = cell->bytes;
        return;
    }
    for (uint32_t n = 0; n < topology->n_nodes && all; n++)
        cell->memory.on[n] = (uint64_t) ((unsigned __int128) cell->bytes
                                         * topology->nodes[n].memory_bytes / all);
}

static void
read_memory(const LpTopology *topology, const LpLocalityPart *measured, LpPictureCell *cell)
{
    if (measured)
        for (uint32_t n = 0; n < topology->n_nodes; n++)
            cell->resident.on[n] = measured->on_bytes[n];
    cell->measured = sum_of(&cell->resident, topology->n_nodes) > 0;
    if (cell->measured)
        cell->memory = cell->resident;
    else
        assume_memory(topology, cell);
}

static void
read_cell(const LpTopology *topology, const LpPartition *partition, const LpLocality *locality,
          const LpPictureOrder *order, uint32_t i, LpPictureCell *cell)
{
    const LpView *view = partition->view;
    const LpViewCell *from = &view->cells[i];

    cell->node = index_of(topology, from->node);
    cell->home = index_of(topology, from->home);
    cell->movable = !view->memory_locked;
    cell->vcpus = from->vcpus;
    cell->bytes = lp_partition_cell_bytes(partition, i);
    cell->max_bytes = MAX(cell->bytes, from->base_bytes + from->device_bytes);
    read_memory(topology, locality ? &locality->parts[i] : NULL, cell);
    read_cpus(topology, partition, locality, order, cell);
}

/* A domain without guest cells is one, that lies where its process does. */
static void
read_whole(const LpTopology *topology, const LpPartition *partition, const LpLocality *locality,
           const LpPictureOrder *order, LpPictureCell *cell)
{
    cell->node = cell->home = -1;
    cell->vcpus = partition->view->plugged;
    cell->bytes = cell->max_bytes = lp_view_granted_bytes(partition->view);
    read_memory(topology, locality ? &locality->parts[locality->n_parts - 1] : NULL, cell);
    read_cpus(topology, partition, locality, order, cell);
}

/* ---- a domain ---- */

static bool
is_listed(const GPtrArray *uuids, const char *uuid)
{
    for (guint i = 0; uuids && i < uuids->len; i++)
        if (strcmp(g_ptr_array_index(uuids, i), uuid) == 0)
            return true;
    return false;
}

static LpStays
stays_of(const LpPartition *partition, const LpPictureOrder *order, bool known)
{
    const LpView *view = partition->view;

    if (view->run == LP_RUN_OFF)
        return LP_STAYS_OFF;
    if (!lp_partition_has_profile(partition))
        return partition->profile_state == LP_PROFILE_STATE_NONE ? LP_STAYS_NO_PROFILE
                                                                 : LP_STAYS_BAD_PROFILE;
    if (view->run != LP_RUN_RUNNING && view->run != LP_RUN_PAUSED)
        return LP_STAYS_BUSY;
    if (partition->stuck)
        return LP_STAYS_HANGS;
    if (view->n_cells == 0)
        return LP_STAYS_NO_CELLS;
    if (partition->profile.numa.mode == LP_NUMA_KEEP)
        return LP_STAYS_RULE;
    /* Interleaved memory is not the cells': its definition binds all of the domain, from the next
     * start on, and knows no nodes to move a cell to. */
    if (view->numatune == LP_NUMATUNE_OTHER || partition->profile.numa.mode == LP_NUMA_INTERLEAVE)
        return LP_STAYS_NUMATUNE;
    if (is_listed(order->protected_, partition->uuid))
        return LP_STAYS_PROTECTED;
    if (order->heed_holds && partition->profile.hold_until_sec != 0
        && partition->profile.hold_until_sec > g_get_real_time() / G_USEC_PER_SEC)
        return LP_STAYS_HELD;
    return known ? LP_STAYS_NOT : LP_STAYS_NOT_MEASURED;
}

static void
score_part(const LpPicture *picture, const LpPictureOrder *order, LpPicturePart *part)
{
    const LpTopology *topology = picture->topology;
    LpNodeSet allowed = lp_numa_rule_nodes(&part->rule, topology, NULL);
    const LpPictureCell *cells = &picture->cells[part->first_cell];
    g_autofree LpSpread *cpus = g_new0(LpSpread, MAX(part->n_cells, 1));
    g_autofree LpSpread *memory = g_new0(LpSpread, MAX(part->n_cells, 1));
    LpSpread meant = {0};

    for (uint32_t i = 0; i < part->n_cells; i++) {
        cpus[i] = cells[i].cpus;
        memory[i] = cells[i].memory;
        if (cells[i].node >= 0)
            meant.on[cells[i].node] += sum_of(&cells[i].memory, topology->n_nodes);
        else
            add_to(&meant, &cells[i].memory, topology->n_nodes);
    }
    part->best = order->best ? order->best(part, allowed, topology, order->data)
                             : lp_score_best(topology, NULL, allowed, part->bytes, part->n_vcpus);
    part->intended = lp_score_of(lp_score_local(topology, &part->cpus, &meant), part->best);
    if (!part->measured)
        return;
    part->local = lp_score_local(topology, &part->cpus, &part->memory);
    part->score = lp_score_of(part->local, part->best);
    part->agreement = lp_score_agreement(topology, cpus, memory, part->n_cells);
}

static void
read_part(LpPicture *picture, const LpPartition *partition, const LpPictureOrder *order,
          LpPicturePart *part)
{
    const LpTopology *topology = picture->topology;
    const LpView *view = partition->view;
    const LpLocality *locality = view->run == LP_RUN_OFF ? NULL : partition->locality;

    part->uuid = g_strdup(partition->uuid);
    part->name = g_strdup(view->name);
    g_strlcpy(part->run_id, view->run_id, sizeof part->run_id);
    part->run = view->run;
    part->has_profile = lp_partition_has_profile(partition);
    if (part->has_profile) {
        part->rule = partition->profile.numa;
        part->entitled_centi = partition->profile.capacity.entitled_centi;
    }
    part->locked = view->memory_locked;
    part->numatune = view->numatune;
    part->persistent = view->persistent;
    part->vcpu_max = view->vcpu_max;
    part->n_view_cells = view->n_cells;
    part->n_cells = MAX(view->n_cells, 1);
    part->first_cell = picture->n_cells;
    picture->n_cells += part->n_cells;
    part->row = -1;
    part->local = part->score = part->agreement = LP_SCORE_NONE;
    part->measured = locality != NULL;
    part->requested = is_listed(order->requested, partition->uuid);
    if (locality) {
        part->age_usec = g_get_monotonic_time() - partition->locality_usec;
        part->error_permyriad = locality->error_permyriad;
        part->exact_cells = locality->exact_cells;
        for (uint32_t n = 0; n < topology->n_nodes && view->n_cells; n++)
            part->own.on[n] = locality->parts[locality->n_parts - 1].on_bytes[n];
    }
    for (uint32_t i = 0; i < part->n_cells; i++) {
        LpPictureCell *cell = &picture->cells[part->first_cell + i];

        if (view->n_cells)
            read_cell(topology, partition, locality, order, i, cell);
        else
            read_whole(topology, partition, locality, order, cell);
        part->bytes += cell->bytes;
        part->n_vcpus += cell->n_vcpus;
        add_to(&part->memory, &cell->memory, topology->n_nodes);
        add_to(&part->cpus, &cell->cpus, topology->n_nodes);
    }
    if (order->error && view->run != LP_RUN_OFF)
        part->why = g_strdup(order->error(partition->uuid, order->data));
    /* By figures that could not be had anew nothing is moved: it may have changed since. */
    part->stays = stays_of(partition, order, part->measured && !part->why);
    score_part(picture, order, part);
}

/* ---- the layout's view ---- */

static void
add_row(LpPicture *picture, guint index)
{
    LpPicturePart *part = &picture->parts[index];
    guint row = picture->host.n_partitions++;

    part->row = (int32_t) row;
    picture->part_of_row[row] = index;
    picture->rows[row] = (LpLayoutPartition){
        .rule = part->rule, .first_cell = picture->host.n_cells, .n_cells = part->n_cells,
        .entitled_centi = part->entitled_centi, .fixed = part->stays != LP_STAYS_NOT,
        .requested = part->requested,
    };
    for (uint32_t i = 0; i < part->n_cells; i++) {
        const LpPictureCell *cell = &picture->cells[part->first_cell + i];

        picture->row_cells[picture->host.n_cells++] = (LpLayoutCell){
            .bytes = cell->bytes, .max_bytes = cell->max_bytes, .vcpus = cell->n_vcpus,
            .max_vcpus = cell->max_vcpus, .home = cell->home, .movable = cell->movable,
            .now_bytes = cell->memory.on, .now_cpus = cell->may,
        };
    }
}

static void
fill_host(LpPicture *picture, LpRegistry *registry)
{
    picture->rows = g_new0(LpLayoutPartition, MAX(picture->n_parts, 1));
    picture->row_cells = g_new0(LpLayoutCell, MAX(picture->n_cells, 1));
    picture->part_of_row = g_new0(guint, MAX(picture->n_parts, 1));
    picture->host.topology = picture->topology;
    lp_registry_layout_nodes(registry, picture->host.nodes);
    for (guint i = 0; i < picture->n_parts; i++)
        /* As the registry leaves them out of what others hold. */
        if (picture->parts[i].has_profile && picture->parts[i].run != LP_RUN_OFF
            && picture->parts[i].n_view_cells > 0)
            add_row(picture, i);
    picture->host.partitions = picture->rows;
    picture->host.cells = picture->row_cells;
}

/* Of its partitions: what plain domains do is not lpard's to mend. */
static uint32_t
host_score(const LpPicture *picture, const uint32_t *scores)
{
    g_autofree uint64_t *bytes = g_new0(uint64_t, MAX(picture->n_parts, 1));

    for (guint i = 0; i < picture->n_parts; i++)
        if (picture->parts[i].has_profile)
            bytes[i] = sum_of(&picture->parts[i].memory, picture->topology->n_nodes);
    return lp_score_mean(scores, bytes, picture->n_parts);
}

LpPicture *
lp_picture_new(LpRegistry *registry, const LpPictureOrder *order)
{
    LpPicture *picture = g_new0(LpPicture, 1);
    g_autoptr(GPtrArray) list = order->only ? g_ptr_array_new() : lp_registry_list(registry);
    g_autofree uint32_t *scores = g_new(uint32_t, MAX(list->len, 1));
    guint n_cells = 0;

    if (order->only)
        g_ptr_array_add(list, (gpointer) (uintptr_t) order->only);
    picture->topology = &lp_registry_host(registry)->topology;
    for (guint i = 0; i < list->len; i++)
        n_cells += MAX(((const LpPartition *) g_ptr_array_index(list, i))->view->n_cells, 1);
    picture->parts = g_new0(LpPicturePart, MAX(list->len, 1));
    picture->cells = g_new0(LpPictureCell, MAX(n_cells, 1));
    for (guint i = 0; i < list->len; i++)
        read_part(picture, g_ptr_array_index(list, i), order, &picture->parts[picture->n_parts++]);
    picture->by_uuid = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < picture->n_parts; i++)
        g_hash_table_insert(picture->by_uuid, picture->parts[i].uuid, &picture->parts[i]);
    fill_host(picture, registry);
    for (guint i = 0; i < picture->n_parts; i++)
        scores[i] = picture->parts[i].score;
    picture->score = host_score(picture, scores);
    for (guint i = 0; i < picture->n_parts; i++)
        scores[i] = picture->parts[i].run == LP_RUN_OFF ? LP_SCORE_NONE
                                                        : picture->parts[i].intended;
    picture->intended = host_score(picture, scores);
    return picture;
}

void
lp_picture_free(LpPicture *picture)
{
    if (!picture)
        return;
    g_hash_table_unref(picture->by_uuid);
    for (guint i = 0; i < picture->n_parts; i++) {
        g_free(picture->parts[i].uuid);
        g_free(picture->parts[i].name);
        g_free(picture->parts[i].why);
    }
    g_free(picture->parts);
    g_free(picture->cells);
    g_free(picture->rows);
    g_free(picture->row_cells);
    g_free(picture->part_of_row);
    g_free(picture);
}

const LpPicturePart *
lp_picture_find(const LpPicture *picture, const char *uuid)
{
    return g_hash_table_lookup(picture->by_uuid, uuid);
}

/* ---- what a layout would make of it ---- */

/* Where a limit on what is moved leaves most of a cell behind, its vCPUs stay with that. */
static bool
is_near(const LpTopology *topology, const LpLayout *layout, guint row_cell, LpNodeSet wanted)
{
    const uint64_t *bytes = &layout->bytes[(size_t) row_cell * layout->n_nodes];
    unsigned __int128 all = 0, near = 0;

    for (uint32_t n = 0; n < layout->n_nodes; n++) {
        all += bytes[n];
        if (lp_score_cpu_nodes(topology, 1ULL << n) & wanted)
            near += bytes[n];
    }
    return near * 2 >= all;
}

bool
lp_picture_repins(const LpPicture *picture, const LpLayout *layout, guint cell, guint row_cell)
{
    LpNodeSet wanted = layout->cpus[row_cell];

    /* Where the layout leaves the choice, what is stays. */
    if (wanted == 0)
        return false;
    wanted = lp_score_cpu_nodes(picture->topology, wanted);
    if (!is_near(picture->topology, layout, row_cell, wanted))
        return false;
    if (is_everywhere(picture->topology, wanted))
        wanted = 0;
    return wanted != picture->cells[cell].may;
}

/* Its resident memory, laid as the cell's target lies. */
static bool
lay_cell(const LpPicture *picture, const LpLayout *layout, guint row_cell,
         const LpPictureCell *cell, LpSpread *ret)
{
    const uint64_t *target = &layout->bytes[(size_t) row_cell * layout->n_nodes];
    uint32_t n_nodes = picture->topology->n_nodes;
    uint64_t all = 0, has = sum_of(&cell->memory, n_nodes);
    bool same = true;

    memset(ret, 0, sizeof *ret);
    for (uint32_t n = 0; n < n_nodes; n++)
        all += target[n];
    if (all == 0 || !cell->movable) {
        *ret = cell->memory;
        return true;
    }
    for (uint32_t n = 0; n < n_nodes; n++) {
        ret->on[n] = (uint64_t) ((unsigned __int128) has * target[n] / all);
        /* Rounded by a page or two. */
        same &= ret->on[n] + (1U << 16) >= cell->memory.on[n];
    }
    if (same)
        *ret = cell->memory;
    return same;
}

uint32_t
lp_picture_predict(const LpPicture *picture, const LpLayout *layout, guint index)
{
    const LpPicturePart *part = &picture->parts[index];
    const LpTopology *topology = picture->topology;
    LpSpread cpus = {0}, memory = {0};
    bool same = true;

    if (part->row < 0 || part->stays != LP_STAYS_NOT)
        return part->score;
    for (uint32_t i = 0; i < part->n_cells; i++) {
        guint own = part->first_cell + i, row_cell = picture->rows[part->row].first_cell + i;
        LpSpread laid, run;

        same &= lay_cell(picture, layout, row_cell, &picture->cells[own], &laid);
        run = picture->cells[own].cpus;
        if (lp_picture_repins(picture, layout, own, row_cell)) {
            same = false;
            lp_spread_cpus(topology, layout->cpus[row_cell], picture->cells[own].weight, &run);
        }
        add_to(&cpus, &run, topology->n_nodes);
        add_to(&memory, &laid, topology->n_nodes);
    }
    return same ? part->score
                : lp_score_of(lp_score_local(topology, &cpus, &memory), part->best);
}

uint32_t
lp_picture_predict_host(const LpPicture *picture, const LpLayout *layout)
{
    g_autofree uint32_t *scores = g_new(uint32_t, MAX(picture->n_parts, 1));

    for (guint i = 0; i < picture->n_parts; i++)
        scores[i] = lp_picture_predict(picture, layout, i);
    return host_score(picture, scores);
}
