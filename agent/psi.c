#include "agent/psi.h"

#include <string.h>

#include "agent/facts.h"
#include "agent/files.h"

/* "some avg10=0.12 avg60=... \nfull avg10=...": the figure behind `key`. */
static uint32_t
average(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    return at != NULL ? lp_facts_percent(at + strlen(key)) : 0;
}

LpPsi
lp_psi_read(const char *procfs, const char *resource)
{
    LpPsi psi = { 0, 0 };
    char text[256];

    if (lp_file_read(text, sizeof(text), "%s/pressure/%s", procfs, resource) > 0) {
        psi.some_centi = average(text, "some avg10=");
        psi.full_centi = average(text, "full avg10=");
    }
    return psi;
}
