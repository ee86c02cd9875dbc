/* pools.conf in the state directory: any bytes.  What is taken makes sense and is written as it was
 * read. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lpard/pools/pool-file.h"

static void
check_taken(const GArray *pools)
{
    g_autofree char *text = lp_pool_file_text(pools);
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) second = lp_pool_file_parse(text, &error);

    LP_MUST(pools->len <= LP_POOLS_MAX);
    LP_MUST(second != NULL && second->len == pools->len);
    for (guint i = 0; i < pools->len; i++) {
        const LpPool *a = &g_array_index(pools, LpPool, i);
        const LpPool *b = &g_array_index(second, LpPool, i);

        LP_MUST(lp_pool_check(a, UINT32_MAX, NULL));
        LP_MUST(strcmp(a->name, b->name) == 0);
        LP_MUST(a->max_centi == b->max_centi && a->reserved_centi == b->reserved_centi);
        /* By name, each once. */
        LP_MUST(i == 0 || strcmp(g_array_index(pools, LpPool, i - 1).name, a->name) < 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) pools = lp_pool_file_read(lp_fuzz_file(data, size), &error);

    LP_MUST((pools == NULL) == (error != NULL));
    if (pools != NULL)
        check_taken(pools);
    else
        LP_MUST(error->message[0] != '\0');
    return 0;
}
