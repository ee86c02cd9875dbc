/* lpard.conf: any bytes.  What is taken is within its bounds; what is not is named with file and
 * cure. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lpard/error.h"
#include "lpard/settings.h"

static void
check_list(char *const *list)
{
    LP_MUST(list != NULL);
    for (; *list != NULL; list++)
        LP_MUST(**list != '\0' && strpbrk(*list, ", \t") == NULL);
}

static void
check_taken(const LpSettings *settings)
{
    LP_MUST(settings->uri != NULL && settings->uri[0] != '\0');
    LP_MUST(settings->socket != NULL && settings->socket[0] == '/');
    LP_MUST(settings->state_dir != NULL && settings->state_dir[0] == '/');
    LP_MUST(settings->topology == NULL || settings->topology[0] != '\0');
    /* Their sum with what a host has must not pass 2^64. */
    LP_MUST(settings->reserve_bytes <= UINT64_C(64) << 40);
    LP_MUST(settings->overhead_bytes <= UINT64_C(64) << 40);
    LP_MUST(settings->timeout_sec >= 1 && settings->timeout_sec <= 86400);
    LP_MUST(settings->keep_days >= 1 && settings->keep_days <= 3653);
    LP_MUST(settings->policy_mode >= LP_MODE_OFF && settings->policy_mode <= LP_MODE_AUTO);
    LP_MUST(settings->policy_idle_tax_permyriad < 10000);
    LP_MUST(settings->policy_moving >= 1);
    LP_MUST(settings->policy_history_bytes >= UINT64_C(16) << 20);
    LP_MUST(settings->optimize_threshold <= 100 && settings->optimize_delta <= 100);
    LP_MUST(settings->move_rate_bytes >= UINT64_C(1) << 20);
    LP_MUST(settings->move_pressure_centi <= 10000);
    check_list(settings->viewers);
    check_list(settings->operators);
    check_list(settings->admins);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = lp_fuzz_file(data, size);

    for (int session = 0; session < 2; session++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(LpSettings) settings = lp_settings_load(path, true, session == 1, &error);

        LP_MUST((settings == NULL) == (error != NULL));
        if (settings != NULL) {
            check_taken(settings);
        } else {
            LP_MUST(error->domain == LP_ERROR && error->code == LP_ERROR_USAGE);
            LP_MUST(g_str_has_prefix(error->message, path));
            LP_MUST(g_utf8_validate(error->message, -1, NULL));
        }
    }
    return 0;
}
