#include <string.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/files.h"
#include "agent/log.h"
#include "agent/memuse.h"

/* Compaction walks through all of the guest's memory, at a few GiB a second, and cannot be
 * interrupted: beyond this it is not worth its time, the kernel compacts what it moves anyway. */
#define LP_RECLAIM_COMPACT_MAX_BYTES (UINT64_C(16) << 30)

/* In the child. */
static int
make_room(void *data)
{
    const LpReclaim *reclaim = data;
    const char *procfs = reclaim->procfs;
    LpMemUse use;
    int problem;

    if (!lp_memuse_read(procfs, &use) || use.free_bytes >= reclaim->bytes)
        return 0;
    /* 1: clean page cache only.  Nothing is written back for it. */
    problem = lp_file_write("1", "%s/sys/vm/drop_caches", procfs);
    if (problem == 0 && use.total_bytes <= LP_RECLAIM_COMPACT_MAX_BYTES)
        problem = lp_file_write("1", "%s/sys/vm/compact_memory", procfs);
    return problem;
}

static void
on_end(LpAgent *agent, const LpChildEnd *end, void *data)
{
    LpReclaimDone done = agent->guard.reclaim.done;

    (void)data;
    if (!end->started)
        lp_log_warn("cannot make room before memory leaves: %s", strerror(end->error));
    else if (end->timed_out)
        lp_log_info("making room before memory leaves was cut short");
    else if (!end->signalled && end->code != 0)
        lp_log_info("cannot make room before memory leaves: %s", strerror(end->code));
    agent->guard.reclaim.done = NULL;
    if (done != NULL)
        done(agent);
}

void
lp_reclaim_run(LpAgent *agent, uint64_t bytes, int64_t deadline_msec, LpReclaimDone done)
{
    LpReclaim *reclaim = &agent->guard.reclaim;
    LpChildSpec spec = {
        .func = make_room, .data = reclaim, .done = on_end,
        .timeout_msec = deadline_msec - lp_clock_msec(),
    };

    reclaim->procfs = agent->options.procfs;
    reclaim->bytes = bytes;
    reclaim->done = done;
    if ((agent->conf.forbid & LP_WIRE_ACT_RECLAIM) || spec.timeout_msec <= 0 ||
        !lp_child_run(agent, &spec))
        reclaim->skipped = true;
}
