/* Parts of the picture of a host, shared by its files only. */
#ifndef LP_CTL_PICTURE_PRIV_H
#define LP_CTL_PICTURE_PRIV_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#include "lpard/ctl/picture.h"
#include "lpard/svg.h"

/* What one partition, or plain domain, has on one node.  Texts belong to the JSON. */
typedef struct {
    const char *name, *colour;
    double bytes, vcpus;
    bool measured;                /* else by its definition */
} LpPicturePart;

typedef struct {
    gint64 id, package;
    const char *tier, *cpus;
    double n_cpus, memory, free, reserve;
    GArray *parts;                /* of LpPicturePart, the largest first */
} LpPictureNode;

typedef struct {
    guint n_nodes;
    LpPictureNode nodes[LP_CTL_PICTURE_NODES];
    GHashTable *colours;          /* by name; those that are not in it share one */
    double card_width;
    guint rows;                   /* names in a card; all others are one */
} LpPicture;

/* What the node with most in it needs. */
double lp_picture_card_height(const LpPicture *picture);
void lp_picture_card(LpSvg *svg, const LpPicture *picture, const LpPictureNode *node, double x,
                     double y, double height);
/* Draws the matrix of distances; returns its height. */
double lp_picture_distances(LpSvg *svg, const LpPicture *picture, const json_t *host, double y);

#endif
