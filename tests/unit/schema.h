/* Holds JSON against a schema of openapi.json: the part of JSON Schema that it uses. */
#ifndef LP_TESTS_SCHEMA_H
#define LP_TESTS_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

/* False: what is wrong and where has been printed. */
bool schema_holds(const json_t *document, const char *name, const json_t *value);

#endif
