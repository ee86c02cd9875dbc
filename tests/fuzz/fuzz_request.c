/* What comes as JSON: bodies of requests, and what the journal gives back.
 *
 * The first byte picks the reader, the rest is the text.  What is taken is within its bounds, and
 * what is written of it is taken again and is the same. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lpard/define/profile-change.h"
#include "lpard/engine/operation.h"
#include "lpard/error.h"
#include "lpard/optimize/optimize-priv.h"
#include "lpard/optimize/work.h"

#define GIB (UINT64_C(1) << 30)

static LpPlacementHost *host;

/* Two nodes of four processors and 8 GiB. */
static void
make_host(void)
{
    LpTopology *topology;

    host = g_new0(LpPlacementHost, 1);
    topology = &host->topology;
    topology->n_nodes = topology->n_packages = 2;
    topology->n_cpus = topology->n_cores = 8;
    topology->distances_known = true;
    for (uint32_t i = 0; i < 2; i++) {
        topology->nodes[i] = (LpNode){ .id = 2 * i, .memory_bytes = 8 * GIB,
                                       .tier = LP_TIER_NORMAL, .package = i };
        for (unsigned cpu = 0; cpu < 4; cpu++)
            lp_cpumask_add(&topology->nodes[i].cpus, 4 * i + cpu);
        for (uint32_t k = 0; k < 2; k++)
            topology->distance[i][k] = i == k ? 10 : 21;
        host->use[i].free_bytes = host->later[i].free_bytes = 8 * GIB;
    }
}

/* An error is a sentence of lpard's, which may be told to anybody. */
static void
check_refused(GError **error, int code)
{
    LP_MUST(*error != NULL && (*error)->domain == LP_ERROR);
    LP_MUST(code < 0 || (*error)->code == code);
    LP_MUST((*error)->message[0] != '\0');
    g_clear_error(error);
}

static void
check_request_bounds(const LpRequest *request)
{
    LP_MUST(request->kind < LP_OP_KINDS && request->via <= LP_VIA_BALLOON);
    LP_MUST(request->cpu <= LP_MAX_CPUS && request->mem_bytes <= LP_MEM_MAX_BYTES);
    LP_MUST(request->from_cell < LP_MAX_CELLS && request->to_cell < LP_MAX_CELLS);
    LP_MUST((request->kind == LP_OP_MOVE) == (request->to != NULL));
    LP_MUST((request->kind == LP_OP_OPTIMIZE) == (request->partition == NULL));
    LP_MUST(request->weight <= LP_WEIGHT_MAX);
}

static void
try_request(json_t *json)
{
    GError *error = NULL;
    LpRequest *request = lp_request_from_json(json, &error), *second, *copy;
    json_t *text, *again;

    if (request == NULL) {
        check_refused(&error, LP_ERROR_USAGE);
        return;
    }
    check_request_bounds(request);
    text = lp_request_to_json(request);
    second = lp_request_from_json(text, &error);
    LP_MUST(second != NULL);
    copy = lp_request_copy(second);
    again = lp_request_to_json(copy);
    LP_MUST(json_equal(text, again));
    json_decref(text);
    json_decref(again);
    lp_request_free(request);
    lp_request_free(second);
    lp_request_free(copy);
}

static void
try_operation(json_t *json)
{
    GError *error = NULL;
    LpOperation *operation = lp_operation_from_json(json, &error), *second;
    json_t *text;

    if (operation == NULL) {
        check_refused(&error, -1);
        return;
    }
    LP_MUST(operation->id > 0 && operation->state < LP_OP_STATES);
    check_request_bounds(operation->request);
    for (guint i = 0; i < operation->legs->len; i++) {
        const LpLeg *leg = g_ptr_array_index(operation->legs, i);

        LP_MUST(leg->uuid != NULL && leg->name != NULL);
    }
    /* Recovery indexes both. */
    LP_MUST(operation->request->kind != LP_OP_MOVE || operation->legs->len == 0 ||
            operation->legs->len >= 2);
    text = lp_operation_to_json(operation);
    LP_MUST(text != NULL);
    second = lp_operation_from_json(text, &error);
    LP_MUST(second != NULL && second->id == operation->id);
    LP_MUST(second->legs->len == operation->legs->len);
    json_decref(text);
    lp_operation_free(operation);
    lp_operation_free(second);
}

static void
check_profile(const LpProfile *profile)
{
    LP_MUST(lp_profile_check(profile) == LP_PROFILE_OK);
    for (uint32_t i = 0; i < profile->n_cells; i++)
        LP_MUST(profile->cell_node[i] == -1 || profile->cell_node[i] == 0 ||
                profile->cell_node[i] == 2);
}

static void
try_profile(json_t *json)
{
    GError *error = NULL;
    LpProfileChange change;
    LpProfile first, second;

    if (!lp_profile_change_parse(json, &change, &error)) {
        check_refused(&error, LP_ERROR_USAGE);
        return;
    }
    if (!lp_profile_change_apply(&change, NULL, NULL, host, &first, &error)) {
        check_refused(&error, -1);
        return;
    }
    check_profile(&first);
    /* The same again changes nothing that the domain would see. */
    if (lp_profile_change_apply(&change, &first, NULL, host, &second, &error)) {
        check_profile(&second);
        LP_MUST(!lp_profile_shape_differs(&first, &second));
    } else {
        check_refused(&error, -1);
    }
}

static void
try_autoscale(json_t *json)
{
    GError *error = NULL;
    LpAutoscaleChange change, again;
    LpAutoscale autoscale, second;
    json_t *text;

    if (!lp_autoscale_change_parse(json, &change, &error)) {
        check_refused(&error, LP_ERROR_USAGE);
        return;
    }
    lp_autoscale_init(&autoscale);
    lp_autoscale_change_apply(&change, &autoscale);
    LP_MUST(autoscale.n_schedules <= LP_SCHEDULES_MAX);
    text = lp_autoscale_json(&autoscale);
    LP_MUST(lp_autoscale_change_parse(text, &again, &error));
    lp_autoscale_init(&second);
    lp_autoscale_change_apply(&again, &second);
    LP_MUST(lp_autoscale_equal(&autoscale, &second));
    json_decref(text);
}

static void
try_optimize(json_t *json)
{
    GError *error = NULL;
    LpOptimizeRequest *request = lp_optimize_request_from_json(json, &error), *second;
    json_t *text, *again;

    if (request == NULL) {
        check_refused(&error, LP_ERROR_USAGE);
        return;
    }
    text = lp_optimize_request_to_json(request);
    second = lp_optimize_request_from_json(text, &error);
    LP_MUST(second != NULL);
    again = lp_optimize_request_to_json(second);
    LP_MUST(json_equal(text, again));
    json_decref(text);
    json_decref(again);
    lp_optimize_request_free(request);
    lp_optimize_request_free(second);
}

/* What a restart goes on with. */
static void
try_work(json_t *json)
{
    LpWork *work = lp_work_from_json(json, &host->topology);
    json_t *text;

    if (work == NULL)
        return;
    text = lp_work_to_json(work, &host->topology);
    LP_MUST(text != NULL);
    json_decref(text);
    lp_work_free(work);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(json_t *) = {
        try_request, try_operation, try_profile, try_autoscale, try_optimize, try_work,
    };
    json_t *json;

    if (host == NULL)
        make_host();
    if (size == 0)
        return 0;
    /* The journal's own, as it reads them; bodies as the API does. */
    json = json_loadb((const char *)data + 1, size - 1,
                      data[0] % 2 == 1 ? JSON_DECODE_ANY | JSON_ALLOW_NUL : JSON_REJECT_DUPLICATES,
                      NULL);
    if (json == NULL)
        return 0;
    if (data[0] % 2 == 1 || json_is_object(json))
        readers[data[0] % G_N_ELEMENTS(readers)](json);
    json_decref(json);
    return 0;
}
