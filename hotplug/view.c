#include "hotplug/view.h"

#include <stdlib.h>
#include <string.h>

const char *
lp_run_state_name(LpRunState state)
{
    static const char *const names[] = {
        [LP_RUN_OFF] = "off",         [LP_RUN_STARTING] = "starting",
        [LP_RUN_RUNNING] = "running", [LP_RUN_PAUSED] = "paused",
        [LP_RUN_STOPPING] = "stopping", [LP_RUN_MIGRATING] = "migrating",
    };

    return state <= LP_RUN_MIGRATING ? names[state] : "unknown";
}

LpView *
lp_view_new(void)
{
    LpView *view = calloc(1, sizeof *view);

    if (!view)
        abort();
    view->global_quota_usec = view->global_quota_config_usec = -1;
    for (unsigned i = 0; i < LP_MAX_CELLS; i++)
        view->cells[i].node = view->cells[i].home = -1;
    return view;
}

void
lp_view_free(LpView *view)
{
    if (!view)
        return;
    free(view->uuid);
    free(view->name);
    free(view->metadata);
    free(view->metadata_config);
    free(view->channel_path);
    free(view);
}

static char *
copy_text(const char *text)
{
    char *copy;

    if (!text)
        return NULL;
    copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

LpView *
lp_view_copy(const LpView *view)
{
    LpView *copy = lp_view_new();

    *copy = *view;
    copy->uuid = copy_text(view->uuid);
    copy->name = copy_text(view->name);
    copy->metadata = copy_text(view->metadata);
    copy->metadata_config = copy_text(view->metadata_config);
    copy->channel_path = copy_text(view->channel_path);
    return copy;
}

/* Boot memory and DIMMs: what is there whatever virtio-mem does. */
static uint64_t
fixed_bytes(const LpView *view)
{
    uint64_t sum = view->base_bytes;

    for (uint32_t i = 0; i < view->n_dimms; i++)
        sum += view->dimms[i].bytes;
    return sum;
}

uint64_t
lp_view_requested_bytes(const LpView *view)
{
    uint64_t sum = fixed_bytes(view);

    for (uint32_t i = 0; i < view->n_cells; i++)
        sum += view->cells[i].requested_bytes;
    return sum;
}

uint64_t
lp_view_plugged_bytes(const LpView *view)
{
    uint64_t sum = fixed_bytes(view);

    for (uint32_t i = 0; i < view->n_cells; i++)
        sum += view->cells[i].current_bytes;
    return sum;
}

uint64_t
lp_view_granted_bytes(const LpView *view)
{
    uint64_t sum = fixed_bytes(view);

    for (uint32_t i = 0; i < view->n_cells; i++) {
        const LpViewCell *cell = &view->cells[i];

        sum += cell->requested_bytes > cell->current_bytes ? cell->requested_bytes
                                                            : cell->current_bytes;
    }
    return sum;
}

uint64_t
lp_view_ceiling_bytes(const LpView *view)
{
    uint64_t sum = fixed_bytes(view);

    for (uint32_t i = 0; i < view->n_cells; i++)
        sum += view->cells[i].device_bytes;
    return sum;
}
