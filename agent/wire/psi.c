#include "agent/wire/psi.h"

#include <string.h>

#define WHOLE_CENTI 10000

/* Without floating point. */
uint32_t
lp_psi_centi(const char *text)
{
    uint64_t centi = 0;
    int decimals = -1;

    for (; *text != '\0' && decimals < 2; text++) {
        if (*text == '.' && decimals < 0) {
            decimals = 0;
        } else if (*text >= '0' && *text <= '9' && centi < UINT32_MAX / 10) {
            centi = centi * 10 + (uint64_t)(*text - '0');
            if (decimals >= 0)
                decimals++;
        } else {
            break;
        }
    }
    for (int i = decimals < 0 ? 0 : decimals; i < 2; i++)
        centi *= 10;
    return centi > UINT32_MAX ? UINT32_MAX : (uint32_t)centi;
}

/* "some avg10=0.12 avg60=... \nfull avg10=...": the figure behind `key`. */
static uint32_t
average(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    uint32_t centi = at != NULL ? lp_psi_centi(at + strlen(key)) : 0;

    return centi > WHOLE_CENTI ? WHOLE_CENTI : centi;
}

LpPsi
lp_psi_parse(const char *text)
{
    return (LpPsi){ average(text, "some avg10="), average(text, "full avg10=") };
}
