#include "agent/psi.h"

#include "agent/files.h"

LpPsi
lp_psi_read(const char *procfs, const char *resource)
{
    char text[256];

    if (lp_file_read(text, sizeof(text), "%s/pressure/%s", procfs, resource) <= 0)
        return (LpPsi){ 0, 0 };
    return lp_psi_parse(text);
}
