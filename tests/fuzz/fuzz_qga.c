/* What qemu-guest-agent answers: the input is a guest's, and comes to the host by libvirt.
 *
 * What is taken from it is within its bounds, what is said back is a command, and what is shown
 * of it harms no terminal. */
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "hotplug/qga.h"

G_DEFINE_QUARK(lp-driver-error-quark, lp_driver_error)

/* Either well, or a reason that people can read. */
static void
check_error(bool ok, GError *error)
{
    LP_MUST(ok == (error == NULL));
    for (const char *c = error != NULL ? error->message : ""; *c != '\0'; c++) {
        LP_MUST((unsigned char)*c >= ' ' && (unsigned char)*c < 0x7f);
    }
    if (error != NULL) {
        LP_MUST(error->message[0] != '\0' && strlen(error->message) < 256);
    }
    g_clear_error(&error);
}

static void
check_command(char *text, const char *name)
{
    json_t *command = json_loads(text, 0, NULL);

    LP_MUST(command != NULL && strchr(text, '\n') == NULL);
    LP_MUST(g_strcmp0(json_string_value(json_object_get(command, "execute")), name) == 0);
    json_decref(command);
    g_free(text);
}

static void
check_cpus(const json_t *answer)
{
    LpQgaCpus cpus;
    GError *error = NULL;
    bool ok = lp_qga_read_cpus(answer, &cpus, &error);
    LpView view = { .n_cells = 1 };

    check_error(ok, error);
    if (!ok) {
        return;
    }
    LP_MUST(lp_cpumask_count(&cpus.present) > 0);
    LP_MUST(lp_cpumask_covers(&cpus.present, &cpus.online));
    LP_MUST(lp_cpumask_covers(&cpus.present, &cpus.offlinable));
    view.plugged = cpus.present;
    LP_MUST(lp_qga_ids_are_known(&cpus, &view) ==
            (lp_cpumask_last(&cpus.present) == (int)lp_cpumask_count(&cpus.present) - 1));
    check_command(lp_qga_set_cpus_command(&cpus.online, false), "guest-set-vcpus");
}

static void
check_blocks(const json_t *answer, uint64_t from)
{
    LpQgaBlocks blocks;
    GError *error = NULL;
    bool ok = lp_qga_read_blocks(answer, from, &blocks, &error);

    check_error(ok, error);
    if (!ok) {
        return;
    }
    LP_MUST(blocks.n_listed <= LP_QGA_BLOCKS_AT_ONCE && blocks.n_listed <= blocks.n_offline);
    LP_MUST(blocks.n_online + blocks.n_offline == json_array_size(answer));
    for (unsigned i = 0; i < blocks.n_listed; i++) {
        LP_MUST(blocks.offline[i] >= from);
        LP_MUST(i == 0 || blocks.offline[i] >= blocks.offline[i - 1]);
    }
    check_command(lp_qga_online_blocks_command(&blocks), "guest-set-memory-blocks");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = g_strndup((const char *)data, size);
    uint64_t from = size > 0 ? data[size - 1] : 0, bytes = 0;
    GError *error = NULL;
    json_t *answer = lp_qga_answer(text, &error);
    bool ok;

    check_error(answer != NULL, error);
    g_free(text);
    if (answer == NULL) {
        return 0;
    }
    check_cpus(answer);
    check_blocks(answer, from);
    error = NULL;
    ok = lp_qga_read_block_size(answer, &bytes, &error);
    check_error(ok, error);
    LP_MUST(!ok || (bytes >= (1 << 20) && bytes <= (UINT64_C(1) << 40)));
    error = NULL;
    ok = lp_qga_read_block_results(answer, &error);
    check_error(ok, error);
    json_decref(answer);
    return 0;
}
