/* Files of hwloc 3 for hwloc 2, which refuses them by their number alone. */
#include "numa/topology-priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The biggest description of a machine in the field is under 2 MiB. */
#define MAX_BYTES (16L << 20)
/* The root element comes right after the declarations. */
#define ROOT_WITHIN 1024

static char *
read_file(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    long length;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) > 0 && length <= MAX_BYTES &&
        fseek(file, 0, SEEK_SET) == 0 && (text = calloc(1, (size_t) length + 1)) &&
        fread(text, 1, (size_t) length, file) != (size_t) length) {
        free(text);
        text = NULL;
    }
    fclose(file);
    if (text)
        *ret_length = (size_t) length;
    return text;
}

bool
lp_topology_set_newer_xml(hwloc_topology_t hw, const char *path)
{
    static const char root[] = "<topology version=\"3.";
    size_t length = 0;
    char *text = read_file(path, &length), *at;
    bool ok = false;

    if (!text)
        return false;
    at = strstr(text, root);
    if (at && at - text < ROOT_WITHIN) {
        at[sizeof(root) - 3] = '2';
        /* hwloc counts the end of the text, too, and keeps a copy of its own. */
        ok = hwloc_topology_set_xmlbuffer(hw, text, (int) length + 1) == 0;
    }
    free(text);
    return ok;
}
