/* vCPUs follow memory. */
#include "numa/place.h"

/* Compares vCPUs per byte of two cells, exactly: < 0 if `a` has fewer.  A cell without memory
 * counts as one byte, so that any vCPU in it is one too many. */
static int
compare_density(const LpPlaceCell *a, uint32_t n_a, const LpPlaceCell *b, uint32_t n_b)
{
    unsigned __int128 left = (unsigned __int128) n_a * (b->size_bytes ? b->size_bytes : 1);
    unsigned __int128 right = (unsigned __int128) n_b * (a->size_bytes ? a->size_bytes : 1);

    if (left != right)
        return left < right ? -1 : 1;
    /* Equally dense (both empty, mostly): the one with more memory is short of vCPUs. */
    if (a->size_bytes != b->size_bytes)
        return a->size_bytes > b->size_bytes ? -1 : 1;
    return 0;
}

int
lp_place_vcpu_add(const LpPlaceCell *cells, const uint32_t *n_running, const uint32_t *n_free,
                  size_t n_cells)
{
    int best = -1;

    for (size_t i = 0; i < n_cells; i++) {
        if (n_free[i] > 0 &&
            (best < 0 || compare_density(&cells[i], n_running[i], &cells[best],
                                         n_running[best]) < 0))
            best = (int) i;
    }
    return best;
}

int
lp_place_vcpu_remove(const LpPlaceCell *cells, const uint32_t *n_running,
                     const uint32_t *n_removable, size_t n_cells)
{
    int best = -1;

    /* Of equals the last, so that removing undoes adding. */
    for (size_t i = 0; i < n_cells; i++) {
        if (n_removable[i] > 0 &&
            (best < 0 || compare_density(&cells[i], n_running[i], &cells[best],
                                         n_running[best]) >= 0))
            best = (int) i;
    }
    return best;
}
