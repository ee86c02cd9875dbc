/* The profile's form in the domain's metadata.
 *
 * Written by lpard, but editable by anybody who may edit the domain: so every attribute is
 * written, every one is required, and nothing else is taken.
 *
 * Version 2 has <autoscale> beside what version 1 has, with a <schedule> for each; version 3 has
 * <numa> beside that.  What says nothing but defaults is left out, and the version is the least
 * that has the rest, so that an older lpard can read it. */
#include "lpard/profile-xml.h"

#include <inttypes.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include "hotplug/domxml.h"
#include "lpard/error.h"
#include "lpard/words.h"

/* Sixty-four cells take less than 4 KiB; what is larger was not written by lpard. */
#define MAX_XML_BYTES (64 * 1024)
/* As much of a foreign text as a message quotes. */
#define MAX_QUOTE 40

#define MAX_ATTRIBUTES 6

/* Whether vCPUs have processors of their own. */
#define CORES_OWN "own"
#define CORES_SHARED "shared"

typedef struct Element Element;
struct Element {
    const char *name;
    const char *attributes[MAX_ATTRIBUTES];   /* all required; ends with NULL */
    gboolean (*read)(xmlNode *node, LpProfile *profile, GError **error);
    gboolean many;
    uint32_t since;               /* the first version that has it; above 1: it may be left out */
    const Element *child;         /* what it may hold; NULL: nothing */
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlParserCtxt, xmlFreeParserCtxt)

G_GNUC_PRINTF(2, 3) static gboolean
refuse(GError **error, const char *format, ...)
{
    g_autofree char *what = NULL;
    va_list args;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, LP_ERROR, LP_ERROR_BAD_PROFILE,
                "the profile in the domain's metadata cannot be used: %s; write a good one back "
                "with `lparctl profile restore`",
                what);
    return FALSE;
}

static char *
quote(const char *text)
{
    if (g_utf8_strlen(text, -1) <= MAX_QUOTE)
        return g_strdup(text);
    return g_utf8_substring(text, 0, MAX_QUOTE);
}

static char *
get_attribute(xmlNode *node, const char *name)
{
    xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *) name);
    char *copy = g_strdup(value ? (const char *) value : "");

    xmlFree(value);
    return copy;
}

static gboolean
read_number(xmlNode *node, const char *name, uint64_t least, uint64_t most, uint64_t *ret_number,
            GError **error)
{
    g_autofree char *text = get_attribute(node, name);
    g_autofree char *quoted = quote(text);
    guint64 number;

    /* One way to write each number: "+1", " 1" and "01" were not written by lpard. */
    if (!g_ascii_isdigit(text[0]) || (text[0] == '0' && text[1] != '\0') ||
        !g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &number, NULL))
        return refuse(error, "'%s' of <%s> is '%s', not a whole number", name,
                      (const char *) node->name, quoted);
    if (number < least || number > most)
        return refuse(error,
                      "'%s' of <%s> is %s, outside of %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                      name, (const char *) node->name, quoted, least, most);
    *ret_number = number;
    return TRUE;
}

static gboolean
read_u32(xmlNode *node, const char *name, uint32_t *ret_number, GError **error)
{
    uint64_t number;

    if (!read_number(node, name, 0, G_MAXUINT32, &number, error))
        return FALSE;
    *ret_number = (uint32_t) number;
    return TRUE;
}

static gboolean
read_cpu(xmlNode *node, LpProfile *profile, GError **error)
{
    g_autofree char *folded = get_attribute(node, "folded");

    if (!lp_cpumask_parse(folded, &profile->folded)) {
        g_autofree char *quoted = quote(folded);

        return refuse(error, "'folded' of <cpu> is '%s', not a list of vCPUs like '2-3,5'", quoted);
    }
    return read_u32(node, "min", &profile->cpu.min, error) &&
           read_u32(node, "desired", &profile->cpu.desired, error) &&
           read_u32(node, "max", &profile->cpu.max, error);
}

static gboolean
read_memory(xmlNode *node, LpProfile *profile, GError **error)
{
    LpMemRange *mem = &profile->mem;

    return read_number(node, "min", 0, G_MAXUINT64, &mem->min_bytes, error) &&
           read_number(node, "desired", 0, G_MAXUINT64, &mem->desired_bytes, error) &&
           read_number(node, "max", 0, G_MAXUINT64, &mem->max_bytes, error);
}

static gboolean
read_capacity(xmlNode *node, LpProfile *profile, GError **error)
{
    g_autofree char *capped = get_attribute(node, "capped");

    if (strcmp(capped, "yes") != 0 && strcmp(capped, "no") != 0) {
        g_autofree char *quoted = quote(capped);

        return refuse(error, "'capped' of <capacity> is '%s', neither 'yes' nor 'no'", quoted);
    }
    profile->capacity.capped = capped[0] == 'y';
    return read_u32(node, "entitled", &profile->capacity.entitled_centi, error) &&
           read_u32(node, "weight", &profile->capacity.weight, error);
}

static gboolean
read_cell(xmlNode *node, LpProfile *profile, GError **error)
{
    g_autofree char *text = get_attribute(node, "node");
    uint64_t id, host_node;

    if (profile->n_cells == LP_MAX_CELLS)
        return refuse(error, "it has more than %d <cell> elements", LP_MAX_CELLS);
    if (!read_number(node, "id", 0, LP_MAX_CELLS - 1, &id, error))
        return FALSE;
    if (id != profile->n_cells)
        return refuse(error, "'id' of <cell> number %u is %u; cells are numbered from 0 in order",
                      profile->n_cells, (unsigned) id);
    if (strcmp(text, "-1") == 0) {
        profile->cell_node[profile->n_cells++] = -1;      /* not bound to a node */
        return TRUE;
    }
    if (!read_number(node, "node", 0, G_MAXINT32, &host_node, error))
        return FALSE;
    profile->cell_node[profile->n_cells++] = (int32_t) host_node;
    return TRUE;
}

static gboolean
read_hold(xmlNode *node, LpProfile *profile, GError **error)
{
    uint64_t until;

    if (!read_number(node, "until", 0, G_MAXINT64, &until, error))
        return FALSE;
    profile->hold_until_sec = (int64_t) until;
    return TRUE;
}

/* The place of a word in a list of names; -1: it is none of them. */
static int
read_name(xmlNode *node, const char *name, const char *const *names, int n, GError **error)
{
    g_autofree char *text = get_attribute(node, name);
    g_autofree char *quoted = quote(text);

    for (int i = 0; i < n; i++) {
        if (strcmp(text, names[i]) == 0)
            return i;
    }
    refuse(error, "'%s' of <%s> is '%s', which is no %s", name, (const char *) node->name, quoted,
           name);
    return -1;
}

static gboolean
read_autoscale(xmlNode *node, LpProfile *profile, GError **error)
{
    LpAutoscale *autoscale = &profile->autoscale;
    int mode = read_name(node, "mode", lp_mode_names, LP_MODES, error);
    int goal = mode < 0 ? -1 : read_name(node, "goal", lp_goal_names, LP_GOALS, error);

    if (goal < 0)
        return FALSE;
    autoscale->mode = (LpMode) mode;
    autoscale->goal = (LpGoal) goal;
    return read_u32(node, "priority", &autoscale->priority, error) &&
           read_number(node, "entitled", 0, G_MAXUINT64, &autoscale->entitled_bytes, error) &&
           read_u32(node, "release", &autoscale->release_sec, error);
}

/* One way to write each schedule, too. */
static gboolean
read_schedule(xmlNode *node, LpProfile *profile, GError **error)
{
    LpAutoscale *autoscale = &profile->autoscale;
    g_autofree char *text = get_attribute(node, "when");
    char message[LP_SCHEDULE_MESSAGE] = "", form[LP_SCHEDULE_TEXT];
    LpSchedule schedule;

    if (autoscale->n_schedules == LP_SCHEDULES_MAX)
        return refuse(error, "<autoscale> has more than %d <schedule> elements", LP_SCHEDULES_MAX);
    if (!lp_schedule_parse(text, &schedule, message, sizeof(message)))
        return refuse(error, "'when' of <schedule> is no schedule: %s", message);
    lp_schedule_format(&schedule, form, sizeof(form));
    if (strcmp(text, form) != 0)
        return refuse(error, "'when' of <schedule> is '%s' in another form", form);
    autoscale->schedules[autoscale->n_schedules++] = schedule;
    return TRUE;
}

/* One way to write each rule, as well. */
static gboolean
read_numa(xmlNode *node, LpProfile *profile, GError **error)
{
    g_autofree char *mode = get_attribute(node, "mode"), *nodes = get_attribute(node, "nodes");
    g_autofree char *cores = get_attribute(node, "cores");
    g_autofree char *text = g_strconcat(mode, *nodes ? ":" : "", nodes,
                                        strcmp(cores, CORES_OWN) == 0 ? "+cores" : "", NULL);
    char message[LP_NUMA_RULE_TEXT] = "", form[LP_NUMA_RULE_TEXT];
    LpNumaRule *rule = &profile->numa;
    int action;

    if (strcmp(cores, CORES_OWN) != 0 && strcmp(cores, CORES_SHARED) != 0)
        return refuse(error, "'cores' of <numa> is neither '" CORES_OWN "' nor '" CORES_SHARED "'");
    if (!lp_numa_rule_parse(text, rule, message, sizeof message))
        return refuse(error, "'mode' and 'nodes' of <numa> are no rule: %s", message);
    if (strcmp(text, lp_numa_rule_format(rule, form, sizeof form)) != 0)
        return refuse(error, "'mode' and 'nodes' of <numa> say '%s' in another form", form);
    action = read_name(node, "floor-action", lp_floor_names, LP_FLOORS, error);
    if (action < 0)
        return FALSE;
    rule->floor_action = (LpFloor) action;
    return read_u32(node, "floor", &rule->floor, error);
}

static const Element SCHEDULE = { .name = "schedule", .attributes = { "when" },
                                  .read = read_schedule };

static const Element ELEMENTS[] = {
    { "cpu", { "min", "desired", "max", "folded" }, read_cpu, FALSE, 1, NULL },
    { "memory", { "min", "desired", "max" }, read_memory, FALSE, 1, NULL },
    { "capacity", { "entitled", "weight", "capped" }, read_capacity, FALSE, 1, NULL },
    { "cell", { "id", "node" }, read_cell, TRUE, 1, NULL },
    { "hold", { "until" }, read_hold, FALSE, 1, NULL },
    { "autoscale", { "mode", "goal", "priority", "entitled", "release" }, read_autoscale, FALSE, 2,
      &SCHEDULE },
    { "numa", { "mode", "nodes", "cores", "floor", "floor-action" }, read_numa, FALSE, 3, NULL },
};
static const Element ROOT = { .name = "partition", .attributes = { "version", "generation" } };

/* Whether the element has all of its attributes and no others. */
static gboolean
check_attributes(xmlNode *node, const Element *element, GError **error)
{
    for (const xmlAttr *attribute = node->properties; attribute; attribute = attribute->next) {
        if (attribute->ns ||
            !g_strv_contains(element->attributes, (const char *) attribute->name)) {
            g_autofree char *quoted = quote((const char *) attribute->name);

            return refuse(error, "<%s> has an unknown attribute '%s'", element->name, quoted);
        }
    }
    for (const char *const *name = element->attributes; *name; name++) {
        if (!xmlHasNsProp(node, (const xmlChar *) *name, NULL))
            return refuse(error, "<%s> lacks its attribute '%s'", element->name, *name);
    }
    return TRUE;
}

/* Whitespace between elements comes from libvirt's indentation; text of any other kind, or an
 * element where none belongs, does not come from lpard. */
static gboolean
is_ignorable(const xmlNode *node)
{
    return node->type == XML_COMMENT_NODE || xmlIsBlankNode(node);
}

static gboolean
is_element(const xmlNode *node, const xmlNode *parent, const char *name)
{
    const char *uri = node->ns ? (const char *) node->ns->href : NULL;
    const char *parent_uri = parent->ns ? (const char *) parent->ns->href : NULL;

    return node->type == XML_ELEMENT_NODE && strcmp((const char *) node->name, name) == 0 &&
           g_strcmp0(uri, parent_uri) == 0;
}

static gboolean
read_element(xmlNode *node, const Element *element, LpProfile *profile, GError **error)
{
    const Element *child = element->child;

    if (!check_attributes(node, element, error) || !element->read(node, profile, error))
        return FALSE;
    for (xmlNode *inner = node->children; inner; inner = inner->next) {
        if (is_ignorable(inner))
            continue;
        if (!child || !is_element(inner, node, child->name))
            return refuse(error, "<%s> is not empty%s", element->name,
                          child ? " but for what belongs there" : "");
        if (!read_element(inner, child, profile, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
read_child(xmlNode *root, xmlNode *node, LpProfile *profile, gboolean *seen, GError **error)
{
    if (node->type != XML_ELEMENT_NODE)
        return refuse(error, "<%s> holds text where only elements belong", ROOT.name);
    for (size_t i = 0; i < G_N_ELEMENTS(ELEMENTS); i++) {
        const Element *element = &ELEMENTS[i];

        if (!is_element(node, root, element->name) || profile->version < element->since)
            continue;
        if (seen[i] && !element->many)
            return refuse(error, "<%s> is there twice", element->name);
        seen[i] = TRUE;
        return read_element(node, element, profile, error);
    }

    g_autofree char *quoted = quote((const char *) node->name);

    return refuse(error, "the element <%s> is unknown", quoted);
}

static gboolean
read_root(xmlNode *root, LpProfile *profile, GError **error)
{
    gboolean seen[G_N_ELEMENTS(ELEMENTS)] = { FALSE };

    /* virDomainGetMetadata() gives the element without its namespace, the domain's XML has it. */
    if (!root || strcmp((const char *) root->name, ROOT.name) != 0 ||
        (root->ns && strcmp((const char *) root->ns->href, LP_METADATA_URI) != 0))
        return refuse(error, "it is not a <%s> of %s", ROOT.name, LP_METADATA_URI);
    /* A newer schema may differ in all else, so its version is looked at first. */
    if (xmlHasNsProp(root, (const xmlChar *) "version", NULL)) {
        uint64_t version;

        if (!read_number(root, "version", 1, G_MAXUINT32, &version, error))
            return FALSE;
        profile->version = (uint32_t) version;
        if (version > LP_PROFILE_VERSION)
            return TRUE;
    }
    if (!check_attributes(root, &ROOT, error) ||
        !read_number(root, "generation", 0, G_MAXUINT64, &profile->generation, error))
        return FALSE;
    for (xmlNode *node = root->children; node; node = node->next) {
        if (!is_ignorable(node) && !read_child(root, node, profile, seen, error))
            return FALSE;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(ELEMENTS); i++) {
        if (!seen[i] && ELEMENTS[i].since == LP_PROFILE_VERSION_PLAIN)
            return refuse(error, "the element <%s> is missing", ELEMENTS[i].name);
    }
    /* As it would be written. */
    profile->version = lp_profile_version(profile);
    return TRUE;
}

static gboolean
check_rules(const LpProfile *profile, GError **error)
{
    LpProfileVerdict verdict = lp_profile_check(profile);

    if (verdict != LP_PROFILE_OK) {
        g_autofree char *sentence = lp_words_profile(verdict, profile);

        g_set_error(error, LP_ERROR, LP_ERROR_BAD_PROFILE,
                    "the profile in the domain's metadata cannot be used: %s", sentence);
        return FALSE;
    }
    if (lp_cpumask_last(&profile->folded) >= (int) profile->cpu.max)
        return refuse(error, "'folded' of <cpu> names vCPU %d, but 'max' allows 0 to %u",
                      lp_cpumask_last(&profile->folded), profile->cpu.max - 1);
    return TRUE;
}

bool
lp_profile_from_xml(const char *xml, LpProfile *ret_profile, GError **error)
{
    size_t size = strnlen(xml, MAX_XML_BYTES + 1);
    g_autoptr(xmlParserCtxt) parser = NULL;
    g_autoptr(xmlDoc) doc = NULL;
    LpProfile profile = { 0 };

    lp_autoscale_init(&profile.autoscale);
    if (size > MAX_XML_BYTES)
        return refuse(error, "it is longer than %d KiB", MAX_XML_BYTES / 1024);
    /* Entities are declared only there; without one nothing can expand or point elsewhere. */
    if (strstr(xml, "<!DOCTYPE"))
        return refuse(error, "it holds a document type, which a profile has no use for");
    parser = xmlNewParserCtxt();
    if (!parser)
        return refuse(error, "there was no memory to read it");
    doc = xmlCtxtReadMemory(parser, xml, (int) size, NULL, NULL,
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (!doc) {
        const xmlError *last = xmlCtxtGetLastError(parser);
        g_autofree char *why = g_utf8_make_valid(last && last->message ? last->message : "", -1);

        return refuse(error, "it is not well-formed XML (%s)", g_strstrip(why));
    }
    if (!read_root(xmlDocGetRootElement(doc), &profile, error) || !check_rules(&profile, error))
        return false;
    *ret_profile = profile;
    return true;
}

static void
append_autoscale(GString *xml, const LpAutoscale *autoscale)
{
    char text[LP_SCHEDULE_TEXT];

    if (lp_autoscale_is_default(autoscale))
        return;
    g_string_append_printf(xml,
                           "<" LP_METADATA_PREFIX ":autoscale mode=\"%s\" goal=\"%s\""
                           " priority=\"%u\" entitled=\"%" PRIu64 "\" release=\"%u\"",
                           lp_mode_names[autoscale->mode], lp_goal_names[autoscale->goal],
                           autoscale->priority, autoscale->entitled_bytes, autoscale->release_sec);
    if (autoscale->n_schedules == 0) {
        g_string_append(xml, "/>");
        return;
    }
    g_string_append_c(xml, '>');
    /* A schedule's text has nothing that XML would take for its own. */
    for (uint32_t i = 0; i < autoscale->n_schedules && i < LP_SCHEDULES_MAX; i++)
        g_string_append_printf(xml, "<" LP_METADATA_PREFIX ":schedule when=\"%s\"/>",
                               lp_schedule_format(&autoscale->schedules[i], text, sizeof(text)));
    g_string_append(xml, "</" LP_METADATA_PREFIX ":autoscale>");
}

static void
append_numa(GString *xml, const LpNumaRule *rule)
{
    char text[LP_NUMA_RULE_TEXT];
    LpNumaRule place = *rule;
    const char *nodes;

    if (lp_numa_rule_is_default(rule))
        return;
    place.own_cores = false;
    nodes = strchr(lp_numa_rule_format(&place, text, sizeof text), ':');
    g_string_append_printf(xml,
                           "<" LP_METADATA_PREFIX ":numa mode=\"%s\" nodes=\"%s\" cores=\"%s\""
                           " floor=\"%u\" floor-action=\"%s\"/>",
                           lp_numa_mode_names[rule->mode], nodes ? nodes + 1 : "",
                           rule->own_cores ? CORES_OWN : CORES_SHARED, rule->floor,
                           lp_floor_names[rule->floor_action]);
}

char *
lp_profile_to_xml(const LpProfile *profile)
{
    char folded[LP_CPUMASK_TEXT];
    GString *xml = g_string_new(NULL);

    g_string_append_printf(xml,
                           "<" LP_METADATA_PREFIX ":partition xmlns:" LP_METADATA_PREFIX
                           "=\"" LP_METADATA_URI "\" version=\"%u\" generation=\"%" PRIu64 "\">",
                           lp_profile_version(profile), profile->generation);
    g_string_append_printf(xml,
                           "<" LP_METADATA_PREFIX
                           ":cpu min=\"%u\" desired=\"%u\" max=\"%u\" folded=\"%s\"/>",
                           profile->cpu.min, profile->cpu.desired, profile->cpu.max,
                           lp_cpumask_format(&profile->folded, folded, sizeof(folded)));
    g_string_append_printf(xml,
                           "<" LP_METADATA_PREFIX ":memory min=\"%" PRIu64 "\" desired=\"%" PRIu64
                           "\" max=\"%" PRIu64 "\"/>",
                           profile->mem.min_bytes, profile->mem.desired_bytes,
                           profile->mem.max_bytes);
    g_string_append_printf(xml,
                           "<" LP_METADATA_PREFIX
                           ":capacity entitled=\"%u\" weight=\"%u\" capped=\"%s\"/>",
                           profile->capacity.entitled_centi, profile->capacity.weight,
                           profile->capacity.capped ? "yes" : "no");
    for (uint32_t i = 0; i < profile->n_cells && i < LP_MAX_CELLS; i++)
        g_string_append_printf(xml, "<" LP_METADATA_PREFIX ":cell id=\"%u\" node=\"%d\"/>", i,
                               profile->cell_node[i]);
    g_string_append_printf(xml, "<" LP_METADATA_PREFIX ":hold until=\"%" PRId64 "\"/>",
                           profile->hold_until_sec);
    append_autoscale(xml, &profile->autoscale);
    append_numa(xml, &profile->numa);
    g_string_append(xml, "</" LP_METADATA_PREFIX ":partition>");
    return g_string_free(xml, FALSE);
}
