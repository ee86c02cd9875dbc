/* The host's nodes as a picture: whose memory and vCPUs are in each, and how far they are apart. */
#ifndef LP_CTL_PICTURE_H
#define LP_CTL_PICTURE_H

#include <glib.h>
#include <jansson.h>

/* More nodes are not drawn: LP_MAX_NODES, as far as this side of the API knows. */
#define LP_CTL_PICTURE_NODES 64

/* An SVG document of GET /v1/host?contents=1's answer, well-formed and of bounded size whatever
 * that says.  Caller frees. */
char *lp_ctl_picture(const json_t *host);

#endif
