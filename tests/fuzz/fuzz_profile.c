/* The profile in a domain's metadata: anybody who may edit the domain writes it.
 *
 * What is taken is a profile that keeps every rule and is written as it was read; what is not is an
 * error with a sentence, and leaves no trace. */
#include "tests/fuzz/fuzz.h"

#include <glib.h>
#include <string.h>

#include "lpard/error.h"
#include "lpard/profile-xml.h"

static void
check_taken(const LpProfile *profile)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *xml = NULL;
    g_autofree char *again = NULL;
    LpProfile second;

    LP_MUST(lp_profile_check(profile) == LP_PROFILE_OK);
    LP_MUST(profile->version == lp_profile_version(profile));
    LP_MUST(profile->n_cells >= 1 && profile->n_cells <= LP_MAX_CELLS);
    LP_MUST(profile->cpu.min >= 1 && profile->cpu.max <= LP_MAX_CPUS);
    LP_MUST(profile->mem.max_bytes <= LP_MEM_MAX_BYTES);
    LP_MUST(profile->autoscale.n_schedules <= LP_SCHEDULES_MAX);
    xml = lp_profile_to_xml(profile);
    LP_MUST(lp_profile_from_xml(xml, &second, &error));
    again = lp_profile_to_xml(&second);
    LP_MUST(strcmp(xml, again) == 0);
    LP_MUST(second.generation == profile->generation);
    LP_MUST(lp_cpumask_equal(&second.folded, &profile->folded));
    LP_MUST(second.hold_until_sec == profile->hold_until_sec);
    LP_MUST(lp_autoscale_equal(&second.autoscale, &profile->autoscale));
    LP_MUST(lp_numa_rule_equal(&second.numa, &profile->numa));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    LpProfile profile, untouched;
    char *text = lp_fuzz_text(data, size);

    memset(&profile, 0x5a, sizeof profile);
    untouched = profile;
    if (lp_profile_from_xml(text, &profile, &error)) {
        LP_MUST(error == NULL);
        check_taken(&profile);
    } else {
        LP_MUST(error != NULL && error->domain == LP_ERROR);
        LP_MUST(error->code == LP_ERROR_BAD_PROFILE);
        LP_MUST(g_utf8_validate(error->message, -1, NULL) && error->message[0] != '\0');
        LP_MUST(memcmp(&profile, &untouched, sizeof profile) == 0);
    }
    free(text);
    return 0;
}
