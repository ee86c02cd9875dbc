/* Processors of their own for the vCPUs of partitions whose rule says so: whole cores of the node that the
 * layout has for them.  Who has some keeps them, so that an optimization that finds all in order changes
 * nothing. */
#include "lpard/optimize/work.h"
#include "numa/cores.h"

typedef struct {
    const LpPicture *picture;
    const LpLayout *layout;
    LpCpuMask taken;              /* that are somebody's own */
} Cores;

static bool
overlap(const LpCpuMask *a, const LpCpuMask *b)
{
    for (size_t w = 0; w < G_N_ELEMENTS(a->words); w++)
        if (a->words[w] & b->words[w])
            return true;
    return false;
}

static void
take(LpCpuMask *taken, const LpCpuMask *own)
{
    for (size_t w = 0; w < G_N_ELEMENTS(taken->words); w++)
        taken->words[w] |= own->words[w];
}

/* The one node whose processors the layout has for the cell; -1: there are several, or any will do. */
static int
node_of(const Cores *cores, guint row_cell)
{
    LpNodeSet nodes = lp_score_cpu_nodes(cores->picture->topology, cores->layout->cpus[row_cell]);

    return cores->layout->cpus[row_cell] && nodes && (nodes & (nodes - 1)) == 0
               ? __builtin_ctzll(nodes)
               : -1;
}

/* As many processors as the cell may ever have vCPUs, on its node, and nobody else's: it keeps them. */
static bool
has_own(const Cores *cores, const LpPictureCell *cell, int node)
{
    return node >= 0 && lp_cpumask_count(&cell->processors) == cell->max_vcpus
           && lp_cpumask_covers(&cores->picture->topology->nodes[node].cpus, &cell->processors)
           && !overlap(&cores->taken, &cell->processors);
}

static LpWorkPart *
part_of(const LpWork *work, const LpPicturePart *from)
{
    LpWorkPart *part = from->rule.own_cores ? g_hash_table_lookup(work->by_uuid, from->uuid) : NULL;

    return part && part->state != LP_PART_STAYS && part->n_cells == from->n_cells ? part : NULL;
}

static void
give(Cores *cores, LpWorkPart *part, const LpPicturePart *from, uint32_t i)
{
    const LpPictureCell *cell = &cores->picture->cells[from->first_cell + i];
    guint row_cell = cores->picture->rows[from->row].first_cell + i;
    int node = node_of(cores, row_cell);
    LpCpuMask own;

    if (node < 0 || cell->max_vcpus == 0 || lp_cpumask_count(&part->cells[i].own) > 0
        || !lp_cores_choose(cores->picture->topology, (uint32_t) node, cell->max_vcpus,
                            &cores->taken, &own))
        return;
    part->cells[i].own = own;
    part->cells[i].cpus = cores->layout->cpus[row_cell];
    part->pins = true;
}

/* Those that stay as they are keep theirs, too. */
static void
keep(Cores *cores, LpWorkPart *part, const LpPicturePart *from, uint32_t i)
{
    const LpPictureCell *cell = &cores->picture->cells[from->first_cell + i];
    int node = node_of(cores, cores->picture->rows[from->row].first_cell + i);

    if (part->cells[i].cpus == 0 && has_own(cores, cell, node)) {
        take(&cores->taken, &cell->processors);
        part->cells[i].own = cell->processors;
    }
}

void
lp_work_give_cores(LpWork *work, const LpPicture *picture, const LpLayout *layout)
{
    Cores cores = {.picture = picture, .layout = layout};

    /* What is not to be touched has what it has. */
    for (guint i = 0; i < picture->n_parts; i++)
        for (uint32_t c = 0; picture->parts[i].rule.own_cores && !part_of(work, &picture->parts[i])
                             && c < picture->parts[i].n_cells; c++)
            take(&cores.taken, &picture->cells[picture->parts[i].first_cell + c].processors);
    for (int first = 1; first >= 0; first--)
        for (guint i = 0; i < picture->n_parts; i++) {
            const LpPicturePart *from = &picture->parts[i];
            LpWorkPart *part = part_of(work, from);

            for (uint32_t c = 0; part && c < part->n_cells; c++)
                (first ? keep : give)(&cores, part, from, c);
        }
}
