/* Reading a request's JSON strictly: whatever is not known is refused by its name. */
#ifndef LP_LPARD_BODY_H
#define LP_LPARD_BODY_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* All: LP_ERROR_USAGE naming the field.  `where` is put before the field's name ("cpu."). */
bool lp_body_known(const json_t *object, const char *where, const char *const *known,
                   GError **error);
/* Absent: true, *ret_has false, *ret untouched.  ret_has NULL: it must be there. */
bool lp_body_integer(const json_t *object, const char *where, const char *field, uint64_t max,
                     bool *ret_has, uint64_t *ret, GError **error);
bool lp_body_bool(const json_t *object, const char *where, const char *field, bool *ret_has,
                  bool *ret, GError **error);
/* The text belongs to the object. */
bool lp_body_text(const json_t *object, const char *where, const char *field, bool *ret_has,
                  const char **ret, GError **error);

#endif
