#include "lpard/definition-text.h"

#include <jansson.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/domxml.h"
#include "hotplug/plan.h"
#include "lpard/registry.h"

/* The kernel's own default, and libvirt's. */
#define PERIOD_USEC 100000

bool
lp_definition_limits(const LpView *view, const LpProfile *old, const LpProfile *profile,
                     uint32_t granted, bool any_folded, LpCapacityLimits *ret_limits)
{
    const LpCapacity *a = &old->capacity, *b = &profile->capacity;
    uint64_t period = view->global_period_usec ? view->global_period_usec : PERIOD_USEC;

    if (view->cgroup == LP_CGROUP_NONE ||
        (a->entitled_centi == b->entitled_centi && a->weight == b->weight &&
         a->capped == b->capped))
        return false;
    *ret_limits = (LpCapacityLimits){
        .shares = lp_capacity_shares(b, view->cgroup),
        .global_quota_usec = lp_plan_quota(granted, any_folded, b->entitled_centi, b->capped,
                                           period),
        .global_period_usec = period,
    };
    return true;
}

void
lp_definition_disable_words(LpDefinition *definition, const LpView *view)
{
    g_ptr_array_add(definition->now,
                    g_strdup_printf("%s is not a partition any more", definition->name));
    if (definition->running)
        g_ptr_array_add(definition->now,
                        g_strdup("what it has now it keeps: vCPUs taken offline, memory and "
                                 "limits stay as they are until it is restarted"));
    if (!view->persistent)
        return;
    if (definition->restores)
        g_ptr_array_add(definition->next_start,
                        g_strdup("the definition from before `enable` is back"));
    else
        g_ptr_array_add(definition->next_start,
                        g_strdup_printf("only the profile is removed, since %s: guest cells, "
                                        "memory devices, maximum of vCPUs and the agent's "
                                        "channel stay; edit the XML to remove them",
                                        definition->saved
                                            ? "the definition was edited after `enable`"
                                            : "no definition from before `enable` is known"));
}

char *
lp_definition_record(const char *before, const char *after)
{
    json_t *record = json_pack("{s:s, s:s?}", "before", before, "after", after);
    char *text = json_dumps(record, JSON_COMPACT);
    char *owned = g_strdup(text);

    free(text);
    json_decref(record);
    return owned;
}

/* What lpard itself writes while the partition runs, brought to one common value. */
static char *
common(const char *xml)
{
    LpCapacityLimits limits = {.shares = 1024, .global_quota_usec = PERIOD_USEC,
                               .global_period_usec = PERIOD_USEC};
    LpConfigChange change = {
        .vcpus = 1, .set_memory = true, .limits = &limits,
        .metadata = "<lpard:partition xmlns:lpard='" LP_METADATA_URI "'/>",
    };

    return lp_domxml_change(xml, &change, NULL);
}

bool
lp_definition_unchanged(const char *record, const char *xml, char **ret_before)
{
    json_t *saved = json_loads(record, 0, NULL);
    const char *before = NULL, *after = NULL;
    bool same = false;

    if (saved && json_unpack(saved, "{s:s, s?s}", "before", &before, "after", &after) == 0 &&
        after) {
        g_autofree char *then = common(after);
        g_autofree char *now = common(xml);

        same = then && now && strcmp(then, now) == 0;
        if (same)
            *ret_before = g_strdup(before);
    }
    json_decref(saved);
    return same;
}

static void
drop_element(xmlNode *metadata)
{
    xmlNode *next;

    for (xmlNode *node = metadata->children; node; node = next) {
        next = node->next;
        if (node->type == XML_ELEMENT_NODE && node->ns &&
            strcmp((const char *)node->ns->href, LP_METADATA_URI) == 0) {
            /* Its indentation goes with it. */
            if (node->prev && xmlIsBlankNode(node->prev)) {
                xmlNode *blank = node->prev;

                xmlUnlinkNode(blank);
                xmlFreeNode(blank);
            }
            xmlUnlinkNode(node);
            xmlFreeNode(node);
        }
    }
}

char *
lp_definition_strip(const char *xml)
{
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    xmlBuffer *buffer;
    char *owned;

    if (!root) {
        xmlFreeDoc(doc);
        return NULL;
    }
    for (xmlNode *node = root->children; node; node = node->next) {
        if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, "metadata") == 0)
            drop_element(node);
    }
    /* The element alone: the hypervisor's own text has no declaration either. */
    buffer = xmlBufferCreate();
    xmlNodeDump(buffer, doc, root, 0, 0);
    owned = g_strconcat((const char *)xmlBufferContent(buffer), "\n", NULL);
    xmlBufferFree(buffer);
    xmlFreeDoc(doc);
    return owned;
}
