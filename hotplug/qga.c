#include "hotplug/qga.h"

#include <string.h>

/* Linux numbers memory blocks by physical address; 2^52 bytes in blocks of 128 MiB are fewer. */
#define BLOCK_NUMBER_MAX (UINT64_C(1) << 32)
/* x86 has blocks of 128 MiB to 2 GiB, other machines from 16 MiB. */
#define BLOCK_BYTES_MIN (UINT64_C(1) << 20)
#define BLOCK_BYTES_MAX (UINT64_C(1) << 40)
/* Of what a guest says in its errors. */
#define MESSAGE_MAX 160

static bool
refuse(GError **error, const char *why)
{
    g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED, "qemu-guest-agent: %s", why);
    return false;
}

/* What a guest wrote is shown on terminals. */
static char *
clean(const char *text)
{
    char *copy = g_strndup(text, MESSAGE_MAX);

    for (char *c = copy; *c; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
            *c = '?';
    }
    return copy;
}

json_t *
lp_qga_answer(const char *text, GError **error)
{
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    json_t *answer = json_object_get(root, "return");
    const char *why = json_string_value(json_object_get(json_object_get(root, "error"), "desc"));

    if (answer) {
        json_incref(answer);
    } else if (why) {
        g_autofree char *safe = clean(why);

        refuse(error, safe);
    } else {
        refuse(error, "its answer makes no sense");
    }
    json_decref(root);
    return answer;
}

static bool
read_number(const json_t *value, uint64_t max, uint64_t *ret_number)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max)
        return false;
    *ret_number = (uint64_t)json_integer_value(value);
    return true;
}

bool
lp_qga_read_cpus(const json_t *answer, LpQgaCpus *ret_cpus, GError **error)
{
    const json_t *item;
    size_t i;

    memset(ret_cpus, 0, sizeof *ret_cpus);
    if (!json_is_array(answer) || json_array_size(answer) == 0)
        return refuse(error, "it names no processors");
    json_array_foreach(answer, i, item) {
        const json_t *online = json_object_get(item, "online");
        uint64_t number;

        if (!read_number(json_object_get(item, "logical-id"), LP_MAX_CPUS - 1, &number) ||
            !json_is_boolean(online) || lp_cpumask_has(&ret_cpus->present, (unsigned)number))
            return refuse(error, "its list of processors makes no sense");
        lp_cpumask_add(&ret_cpus->present, (unsigned)number);
        if (json_is_true(online))
            lp_cpumask_add(&ret_cpus->online, (unsigned)number);
        /* Optional, and absent in commands: then unknown, so it is tried. */
        if (!json_is_false(json_object_get(item, "can-offline")))
            lp_cpumask_add(&ret_cpus->offlinable, (unsigned)number);
    }
    return true;
}

bool
lp_qga_ids_are_known(const LpQgaCpus *cpus, const LpView *view)
{
    LpCpuMask dense;

    if (view->n_cells > 1 && view->accel != LP_ACCEL_TCG)
        return false;
    lp_cpumask_first_n(&dense, lp_cpumask_count(&cpus->present));
    return lp_cpumask_equal(&cpus->present, &dense) && lp_cpumask_equal(&view->plugged, &dense);
}

/* `items` is taken. */
static char *
command(const char *name, const char *argument, json_t *items)
{
    json_t *root = json_pack("{s:s, s:{s:o}}", "execute", name, "arguments", argument, items);
    char *text = json_dumps(root, JSON_COMPACT), *copy = g_strdup(text);

    free(text);
    json_decref(root);
    return copy;
}

char *
lp_qga_set_cpus_command(const LpCpuMask *change, bool online)
{
    json_t *items = json_array();

    for (int c = lp_cpumask_next(change, 0); c >= 0; c = lp_cpumask_next(change, c + 1u))
        json_array_append_new(items, json_pack("{s:i, s:b}", "logical-id", c, "online", online));
    return command("guest-set-vcpus", "vcpus", items);
}

/* Keeps the lowest: the guest lists its blocks in no order. */
static void
list_block(LpQgaBlocks *blocks, uint64_t number)
{
    unsigned at = blocks->n_listed;

    if (at == LP_QGA_BLOCKS_AT_ONCE) {
        if (number >= blocks->offline[at - 1])
            return;
        at--;
    } else {
        blocks->n_listed++;
    }
    for (; at > 0 && blocks->offline[at - 1] > number; at--)
        blocks->offline[at] = blocks->offline[at - 1];
    blocks->offline[at] = number;
}

bool
lp_qga_read_blocks(const json_t *answer, uint64_t from, LpQgaBlocks *ret_blocks, GError **error)
{
    const json_t *item;
    size_t i;

    memset(ret_blocks, 0, sizeof *ret_blocks);
    if (!json_is_array(answer))
        return refuse(error, "it names no memory blocks");
    json_array_foreach(answer, i, item) {
        const json_t *online = json_object_get(item, "online");
        uint64_t number;

        if (!read_number(json_object_get(item, "phys-index"), BLOCK_NUMBER_MAX, &number) ||
            !json_is_boolean(online))
            return refuse(error, "its list of memory blocks makes no sense");
        if (json_is_true(online)) {
            ret_blocks->n_online++;
            continue;
        }
        ret_blocks->n_offline++;
        if (number >= from)
            list_block(ret_blocks, number);
    }
    return true;
}

bool
lp_qga_read_block_size(const json_t *answer, uint64_t *ret_bytes, GError **error)
{
    if (!read_number(json_object_get(answer, "size"), BLOCK_BYTES_MAX, ret_bytes) ||
        *ret_bytes < BLOCK_BYTES_MIN || (*ret_bytes & (*ret_bytes - 1)))
        return refuse(error, "its size of a memory block makes no sense");
    return true;
}

char *
lp_qga_online_blocks_command(const LpQgaBlocks *blocks)
{
    json_t *items = json_array();

    for (unsigned i = 0; i < blocks->n_listed; i++)
        json_array_append_new(items, json_pack("{s:I, s:b}", "phys-index",
                                               (json_int_t)blocks->offline[i], "online", 1));
    return command("guest-set-memory-blocks", "mem-blks", items);
}

bool
lp_qga_read_block_results(const json_t *answer, GError **error)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(answer))
        return refuse(error, "it does not say what became of the memory blocks");
    json_array_foreach(answer, i, item) {
        const char *result = json_string_value(json_object_get(item, "response"));

        if (!result)
            return refuse(error, "it does not say what became of a memory block");
        /* One that has gone meanwhile is nobody's loss. */
        if (strcmp(result, "success") != 0 && strcmp(result, "not-found") != 0)
            return refuse(error, "a memory block could not be brought online");
    }
    return true;
}
