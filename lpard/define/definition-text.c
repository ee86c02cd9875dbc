#include "lpard/define/definition-text.h"

#include <jansson.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/domxml.h"
#include "hotplug/plan.h"
#include "lpard/registry/registry.h"

/* The kernel's own default, and libvirt's. */
#define PERIOD_USEC 100000
#define SHARES_V1_USUAL 1024
#define WEIGHT_V2_USUAL 100

bool
lp_definition_limits(const LpView *view, uint32_t pool_centi, const LpProfile *profile,
                     uint32_t granted, bool any_folded, LpCapacityLimits *ret_limits)
{
    const LpCapacity *capacity = &profile->capacity;
    uint64_t period = view->global_period_usec ? view->global_period_usec : PERIOD_USEC;

    if (view->cgroup == LP_CGROUP_NONE)
        return false;
    *ret_limits = (LpCapacityLimits){
        .shares = lp_capacity_shares(capacity, view->cgroup),
        .global_quota_usec = lp_plan_quota_in_pool(
            lp_plan_quota(granted, any_folded, capacity->entitled_centi, capacity->capped, period),
            pool_centi, period),
        .global_period_usec = period,
    };
    return true;
}

static bool
has_limits(const LpView *view, const LpCapacityLimits *limits)
{
    return view->cpu_shares == limits->shares &&
           MAX(view->global_quota_usec, -1) == MAX(limits->global_quota_usec, -1);
}

bool
lp_definition_live_limits(const LpView *view, const LpProfile *profile,
                          LpCapacityLimits *ret_limits)
{
    const LpCpuMask *folded = &profile->folded;

    return lp_definition_limits(view, view->pool_centi, profile,
                                lp_plan_granted_vcpus(view, folded),
                                lp_cpumask_count(folded) > 0, ret_limits) &&
           !has_limits(view, ret_limits);
}

bool
lp_definition_limits_of(const char *xml, const LpView *view, LpCapacityLimits *ret_limits)
{
    g_autoptr(LpView) stated = lp_view_new();
    uint64_t usual = view->cgroup == LP_CGROUP_V2 ? WEIGHT_V2_USUAL : SHARES_V1_USUAL;

    if (view->cgroup == LP_CGROUP_NONE || !lp_domxml_read(xml, stated, NULL))
        return false;
    *ret_limits = (LpCapacityLimits){
        .shares = stated->cpu_shares ? stated->cpu_shares : usual,
        .global_quota_usec = stated->global_quota_usec > 0 ? stated->global_quota_usec : -1,
        .global_period_usec = stated->global_period_usec ? stated->global_period_usec
                                                         : PERIOD_USEC,
    };
    return !has_limits(view, ret_limits);
}

void
lp_definition_disable_words(LpDefinition *definition, const LpView *view)
{
    g_ptr_array_add(definition->now,
                    g_strdup_printf("%s is not a partition any more", definition->name));
    if (definition->running)
        g_ptr_array_add(definition->now,
                        g_strdup_printf("what it has now it keeps: vCPUs taken offline%s memory "
                                        "stay as they are until it is restarted%s",
                                        definition->restores ? " and" : ", limits and",
                                        definition->restores && view->cgroup != LP_CGROUP_NONE
                                            ? "; its processor limits are those from before "
                                              "`enable` again" : ""));
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

/* What of nodes and pins lpard may have written since: nothing where enable had written none. */
typedef struct {
    bool nodes, pins;
} Placed;

static Placed
placed(const char *then, const char *now)
{
    g_autoptr(LpView) a = lp_view_new(), b = lp_view_new();

    if (!lp_domxml_read(then, a, NULL) || !lp_domxml_read(now, b, NULL))
        return (Placed){false, false};
    return (Placed){
        .nodes = a->numatune == LP_NUMATUNE_CELLS && b->numatune == LP_NUMATUNE_CELLS,
        .pins = a->has_pins && b->has_pins,
    };
}

/* What lpard itself writes while the partition runs, brought to one common value. */
static char *
common(const char *xml, Placed place)
{
    g_autofree LpCpuMask *masks = g_new0(LpCpuMask, LP_MAX_CPUS);
    LpPins pins = {.n_vcpus = LP_MAX_CPUS, .vcpus = masks, .emulator = {{1}}};
    LpCapacityLimits limits = {.shares = 1024, .global_quota_usec = PERIOD_USEC,
                               .global_period_usec = PERIOD_USEC};
    LpConfigChange change = {
        .vcpus = 1, .set_memory = true, .limits = &limits,
        .metadata = "<lpard:partition xmlns:lpard='" LP_METADATA_URI "'/>",
        .set_nodes = place.nodes, .pins = place.pins ? &pins : NULL,
    };

    for (size_t i = 0; i < LP_MAX_CPUS; i++)
        masks[i].words[0] = 1;
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
        Placed place = placed(after, xml);
        g_autofree char *then = common(after, place);
        g_autofree char *now = common(xml, place);

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
