/* The profile as the element that lives in the domain's metadata. */
#ifndef LP_LPARD_PROFILE_XML_H
#define LP_LPARD_PROFILE_XML_H

#include <glib.h>

#include "policy/profile.h"

/* Caller frees.  Attributes are plain numbers: bytes, hundredths, seconds.  Its version is
 * lp_profile_version(), whatever profile->version says. */
char *lp_profile_to_xml(const LpProfile *profile);

/* Anything that is not exactly a profile (an element, attribute or number that is missing,
 * unknown or out of range; an entity; over 64 KiB) is LP_ERROR_BAD_PROFILE, and the message
 * says which.  The rules of lp_profile_check() are applied too. */
bool lp_profile_from_xml(const char *xml, LpProfile *ret_profile, GError **error);

#endif
