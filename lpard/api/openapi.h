/* openapi.json, as it was when lpard was built. */
#ifndef LP_LPARD_OPENAPI_H
#define LP_LPARD_OPENAPI_H

#include <stddef.h>

extern const char lp_openapi_text[];
extern const size_t lp_openapi_length;

#endif
