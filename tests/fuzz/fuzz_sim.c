/* The simulated host's files: the input is one ("h"), or what is told a running one ("t"), or the state
 * that it has left of a domain ("s").
 *
 * They are whoever's who tries lpard out: a bad one is refused with the key's name.  A good one makes a
 * host that can be looked at, whose views are within lpard's bounds. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "hotplug/driver.h"
#include "hotplug/sim-host.h"
#include "hotplug/sim.h"
#include "tests/fuzz/fuzz.h"

/* "count" may ask for thousands, which is right, and slow. */
#define LP_DOMAINS_LOOKED_AT 8

static const char plain[] =
    "{\"domains\":[{\"name\":\"p0\",\"vcpus\":2,\"vcpus_max\":4,\"cells\":[{\"base_bytes\":1073741824,"
    "\"device_bytes\":3221225472,\"requested_bytes\":1073741824}]}]}";

static char *dir, *path, *uri;

static void
remove_all(const char *name)
{
    g_autoptr(GDir) inside = g_dir_open(name, 0, NULL);
    const char *each;

    while (inside != NULL && (each = g_dir_read_name(inside)) != NULL) {
        g_autofree char *child = g_build_filename(name, each, NULL);

        remove_all(child);
    }
    g_remove(name);
}

static void
clean(void)
{
    remove_all(dir);
}

static void
start(void)
{
    const char *base = g_file_test("/dev/shm", G_FILE_TEST_IS_DIR) ? "/dev/shm" : g_get_tmp_dir();
    g_autofree char *template = g_build_filename(base, "lpard-fuzz-XXXXXX", NULL);

    dir = g_strdup(g_mkdtemp(template));
    LP_MUST(dir != NULL);
    atexit(clean);
    path = g_build_filename(dir, "host.json", NULL);
    uri = g_strconcat("sim:", path, NULL);
}

static void
check_view(const LpView *view)
{
    LP_MUST(view->name != NULL && view->uuid != NULL && strlen(view->uuid) == 36);
    LP_MUST(view->n_cells <= LP_MAX_CELLS && view->vcpu_max <= LP_MAX_CPUS);
    LP_MUST(lp_cpumask_last(&view->plugged) < (int)MAX(view->vcpu_max, 1));
    for (uint32_t i = 0; i < view->n_cells; i++) {
        LP_MUST(view->cells[i].node >= -1);
        LP_MUST(view->cells[i].requested_bytes <= view->cells[i].device_bytes);
    }
    LP_MUST(lp_view_granted_bytes(view) >= view->base_bytes);
}

static void
look(void)
{
    g_autoptr(GError) error = NULL;
    LpConn *conn = lp_driver_sim.open(uri, &error);
    g_autoptr(GPtrArray) list = NULL;

    if (conn == NULL) {
        LP_MUST(error != NULL && error->message[0] != '\0');
        return;
    }
    list = lp_driver_sim.list(conn, NULL);
    for (guint i = 0; list != NULL && i < MIN(list->len, LP_DOMAINS_LOOKED_AT); i++) {
        const LpView *listed = g_ptr_array_index(list, i);
        g_autoptr(LpView) view = lp_driver_sim.look(conn, listed->uuid, NULL);

        check_view(listed);
        if (view != NULL)
            check_view(view);
    }
    lp_driver_sim.close(conn);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *state = NULL, *one = NULL;
    g_autoptr(GError) error = NULL;
    char *text;

    if (size == 0)
        return 0;
    if (dir == NULL)
        start();
    state = g_strconcat(path, ".state", NULL);
    one = g_build_filename(state, "p0.json", NULL);
    text = lp_fuzz_text(data + 1, size - 1);
    LP_MUST(g_file_set_contents(path, data[0] == 't' || data[0] == 's' ? plain : text, -1, NULL));
    if (data[0] == 's')
        LP_MUST(g_mkdir(state, 0700) == 0 && g_file_set_contents(one, text, -1, NULL));
    look();
    if (data[0] == 't') {
        if (!lp_sim_tell(uri, "p0", text, &error))
            LP_MUST(error != NULL && error->message[0] != '\0');
        look();
    }
    lp_sim_forget(uri);
    remove_all(state);
    free(text);
    return 0;
}
