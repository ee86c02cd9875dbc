/* What is said to qemu-guest-agent, and what its answers mean.
 *
 * Pure: text in, values out.  The answers are a guest's: every field is checked, nothing is
 * allocated by a number in them.  Errors are LP_DRIVER_ERROR_FAILED, for people. */
#ifndef LP_HOTPLUG_QGA_H
#define LP_HOTPLUG_QGA_H

#include <jansson.h>

#include "hotplug/driver.h"

/* So many memory blocks go online by one command, so that no command takes long. */
#define LP_QGA_BLOCKS_AT_ONCE 16

/* Its processors, by the guest's own numbers. */
typedef struct {
    LpCpuMask present, online, offlinable;
} LpQgaCpus;

/* The value under "return" (caller decrefs), or NULL. */
json_t *lp_qga_answer(const char *text, GError **error);

/* Of guest-get-vcpus. */
bool lp_qga_read_cpus(const json_t *answer, LpQgaCpus *ret_cpus, GError **error);
/* Whether the guest's processor numbers are vCPU ids.
 *
 * Linux numbers processors in the order in which they appear: those of the start by id, later
 * ones as they arrive, and a number stays with its vCPU.  lpard itself adds the lowest free id
 * where there is one cell, or under emulation.  So numbers are taken for ids if both sets are
 * 0..n-1 and that rule holds; a vCPU that somebody else added out of turn is what this cannot
 * see. */
bool lp_qga_ids_are_known(const LpQgaCpus *cpus, const LpView *view);
/* guest-set-vcpus for those of `change`, `online` or not.  Caller frees. */
char *lp_qga_set_cpus_command(const LpCpuMask *change, bool online);

/* Of guest-get-memory-blocks: counts them; up to `max` of those offline go into `ret_offline`
 * from the one numbered `from` on, lowest first. */
typedef struct {
    uint64_t n_online, n_offline;
    uint64_t offline[LP_QGA_BLOCKS_AT_ONCE];   /* their numbers */
    unsigned n_listed;
} LpQgaBlocks;
bool lp_qga_read_blocks(const json_t *answer, uint64_t from, LpQgaBlocks *ret_blocks,
                        GError **error);
/* Of guest-get-memory-block-info: bytes of a block. */
bool lp_qga_read_block_size(const json_t *answer, uint64_t *ret_bytes, GError **error);
/* guest-set-memory-blocks for those listed.  Caller frees. */
char *lp_qga_online_blocks_command(const LpQgaBlocks *blocks);
/* Whether all were brought online; else the first that was not, in *error. */
bool lp_qga_read_block_results(const json_t *answer, GError **error);

#endif
