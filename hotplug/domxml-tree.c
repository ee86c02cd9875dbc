/* The XML tree under domxml: parsing with limits, small queries, edits that keep the layout. */
#include "hotplug/domxml-priv.h"

#include <stdarg.h>
#include <string.h>

#define INDENT 2    /* libvirt's own indentation */

static const xmlChar *
X(const char *text)
{
    return (const xmlChar *)text;
}

static void
set_parse_error(xmlParserCtxt *context, const char *what, GError **error)
{
    const xmlError *last = xmlCtxtGetLastError(context);
    g_autofree char *message = g_strdup(last && last->message ? last->message : "not XML");

    g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                "the XML of the %s cannot be read: line %d: %s", what, last ? last->line : 0,
                g_strstrip(message));
}

xmlDoc *
lp_xml_parse(const char *text, const char *what, GError **error)
{
    size_t length = strlen(text);
    xmlParserCtxt *context;
    g_autoptr(xmlDoc) doc = NULL;

    if (length > LP_XML_MAX_BYTES) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "the XML of the %s has %zu bytes, more than the %u that are read", what,
                    length, LP_XML_MAX_BYTES);
        return NULL;
    }
    xmlInitParser();
    context = xmlNewParserCtxt();
    if (!context)
        g_error("out of memory");
    doc = xmlCtxtReadMemory(context, text, (int)length, NULL, "UTF-8",
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (!doc || !xmlDocGetRootElement(doc))
        set_parse_error(context, what, error);
    xmlFreeParserCtxt(context);
    if (!doc || !xmlDocGetRootElement(doc))
        return NULL;
    /* Entities need a document type, so without one there are none to expand. */
    if (doc->intSubset) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "the XML of the %s declares a document type, which libvirt's XML never does; "
                    "remove the <!DOCTYPE>", what);
        return NULL;
    }
    return g_steal_pointer(&doc);
}

xmlDoc *
lp_xml_parse_domain(const char *text, GError **error)
{
    g_autoptr(xmlDoc) doc = lp_xml_parse(text, "domain", error);

    if (!doc)
        return NULL;
    if (!lp_xml_is(xmlDocGetRootElement(doc), "domain")) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "the XML describes a <%s>, not a <domain>",
                    (const char *)xmlDocGetRootElement(doc)->name);
        return NULL;
    }
    return g_steal_pointer(&doc);
}

bool
lp_xml_is(const xmlNode *node, const char *name)
{
    return node && node->type == XML_ELEMENT_NODE && !node->ns && xmlStrEqual(node->name, X(name));
}

static xmlNode *
first_from(xmlNode *node, const char *name)
{
    for (; node; node = node->next) {
        if (name ? lp_xml_is(node, name) : node->type == XML_ELEMENT_NODE)
            return node;
    }
    return NULL;
}

xmlNode *
lp_xml_child(const xmlNode *node, const char *name)
{
    return node ? first_from(node->children, name) : NULL;
}

xmlNode *
lp_xml_next(const xmlNode *node, const char *name)
{
    return node ? first_from(node->next, name) : NULL;
}

xmlNode *
lp_xml_at(xmlNode *node, ...)
{
    va_list args;
    const char *name;

    va_start(args, node);
    while (node && (name = va_arg(args, const char *)))
        node = lp_xml_child(node, name);
    va_end(args);
    return node;
}

static char *
take(xmlChar *text)
{
    char *copy = text ? g_strdup((const char *)text) : NULL;

    if (text)
        xmlFree(text);
    return copy;
}

char *
lp_xml_attr(const xmlNode *node, const char *name)
{
    return node ? take(xmlGetNoNsProp(node, X(name))) : NULL;
}

bool
lp_xml_attr_is(const xmlNode *node, const char *name, const char *value)
{
    g_autofree char *text = lp_xml_attr(node, name);

    return text && strcmp(text, value) == 0;
}

char *
lp_xml_content(const xmlNode *node)
{
    return node ? g_strstrip(take(xmlNodeGetContent(node))) : NULL;
}

bool
lp_xml_parse_number(const char *text, uint64_t max, uint64_t *ret_number)
{
    guint64 number;

    if (!text || !g_ascii_string_to_unsigned(text, 10, 0, max, &number, NULL))
        return false;
    *ret_number = number;
    return true;
}

bool
lp_xml_attr_number(const xmlNode *node, const char *name, uint64_t max, uint64_t *ret_number)
{
    g_autofree char *text = lp_xml_attr(node, name);

    return lp_xml_parse_number(text, max, ret_number);
}

/* The units of libvirt's XML: powers of 1024 with "i" or a lone letter, of 1000 with "B". */
static bool
unit_factor(const char *unit, uint64_t *ret_factor)
{
    static const char letters[] = "kmgtpe";
    const char *letter;
    uint64_t base, factor = 1;

    if (!unit) {
        *ret_factor = LP_KIB;
        return true;
    }
    if (g_ascii_strcasecmp(unit, "b") == 0 || g_ascii_strcasecmp(unit, "bytes") == 0) {
        *ret_factor = 1;
        return true;
    }
    letter = *unit ? strchr(letters, g_ascii_tolower(*unit)) : NULL;
    if (!letter)
        return false;
    if (!unit[1] || g_ascii_strcasecmp(unit + 1, "ib") == 0)
        base = 1024;
    else if (g_ascii_strcasecmp(unit + 1, "b") == 0)
        base = 1000;
    else
        return false;
    for (const char *p = letters; p <= letter; p++)
        factor *= base;
    *ret_factor = factor;
    return true;
}

static bool
size_in_bytes(const xmlNode *node, const char *number, uint64_t *ret_bytes, GError **error)
{
    g_autofree char *unit = lp_xml_attr(node, "unit");
    uint64_t factor, value;

    if (!unit_factor(unit, &factor) || !lp_xml_parse_number(number, UINT64_MAX / factor, &value)) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_INVALID,
                    "the domain's XML, line %ld: \"%s\" %s is no size in <%s>",
                    xmlGetLineNo(node), number ? number : "", unit ? unit : "KiB",
                    (const char *)node->name);
        return false;
    }
    *ret_bytes = value * factor;
    return true;
}

bool
lp_xml_bytes(const xmlNode *node, uint64_t *ret_bytes, GError **error)
{
    g_autofree char *number = lp_xml_content(node);

    *ret_bytes = 0;
    return !node || size_in_bytes(node, number, ret_bytes, error);
}

bool
lp_xml_attr_bytes(const xmlNode *node, const char *name, uint64_t *ret_bytes, GError **error)
{
    g_autofree char *number = lp_xml_attr(node, name);

    *ret_bytes = 0;
    return !number || size_in_bytes(node, number, ret_bytes, error);
}

static unsigned
depth_of(const xmlNode *node)
{
    unsigned depth = 0;

    while ((node = node->parent) && node->type == XML_ELEMENT_NODE)
        depth++;
    return depth;
}

static xmlNode *
line_break(unsigned depth)
{
    g_autofree char *text = g_strdup_printf("\n%*s", (int)(depth * INDENT), "");

    return xmlNewText(X(text));
}

static bool
is_blank(xmlNode *node)
{
    return node && xmlIsBlankNode(node);
}

xmlNode *
lp_xml_add(xmlNode *parent, const char *name)
{
    xmlNode *node = xmlNewNode(NULL, X(name));
    unsigned depth = depth_of(parent) + 1;

    if (is_blank(parent->last)) {
        xmlNode *blank = parent->last;

        xmlUnlinkNode(blank);
        xmlFreeNode(blank);
    }
    xmlAddChild(parent, line_break(depth));
    xmlAddChild(parent, node);
    xmlAddChild(parent, line_break(depth - 1));
    return node;
}

xmlNode *
lp_xml_add_after(xmlNode *sibling, const char *name)
{
    xmlNode *node = xmlNewNode(NULL, X(name));

    xmlAddNextSibling(sibling, node);
    xmlAddNextSibling(sibling, line_break(depth_of(sibling)));
    return node;
}

xmlNode *
lp_xml_ensure(xmlNode *parent, const char *name)
{
    xmlNode *node = lp_xml_child(parent, name);

    return node ? node : lp_xml_add(parent, name);
}

xmlNode *
lp_xml_ensure_near(xmlNode *parent, const char *name, const char *sibling)
{
    xmlNode *node = lp_xml_child(parent, name);
    xmlNode *near = lp_xml_child(parent, sibling);

    if (node)
        return node;
    return near ? lp_xml_add_after(near, name) : lp_xml_add(parent, name);
}

void
lp_xml_remove(xmlNode *node)
{
    xmlNode *parent;

    if (!node)
        return;
    parent = node->parent;
    if (is_blank(node->prev)) {
        xmlNode *blank = node->prev;

        xmlUnlinkNode(blank);
        xmlFreeNode(blank);
    }
    xmlUnlinkNode(node);
    xmlFreeNode(node);
    /* The last one leaves an empty element, written as libvirt does: <a/>. */
    if (parent && parent->children && !parent->children->next && is_blank(parent->children)) {
        xmlNode *blank = parent->children;

        xmlUnlinkNode(blank);
        xmlFreeNode(blank);
    }
}

void
lp_xml_remove_children(xmlNode *parent, const char *name)
{
    xmlNode *node;

    while ((node = lp_xml_child(parent, name)))
        lp_xml_remove(node);
}

void
lp_xml_set_attr(xmlNode *node, const char *name, const char *value)
{
    if (!lp_xml_attr_is(node, name, value))
        xmlSetProp(node, X(name), X(value));
}

void
lp_xml_set_attr_number(xmlNode *node, const char *name, uint64_t number)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);

    lp_xml_set_attr(node, name, text);
}

void
lp_xml_unset_attr(xmlNode *node, const char *name)
{
    xmlUnsetProp(node, X(name));
}

static void
set_content(xmlNode *node, const char *text)
{
    g_autofree char *now = lp_xml_content(node);

    if (strcmp(now, text) != 0)
        xmlNodeSetContent(node, X(text));
}

void
lp_xml_set_number(xmlNode *node, int64_t number)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, number);

    set_content(node, text);
}

void
lp_xml_set_bytes(xmlNode *node, uint64_t bytes)
{
    uint64_t now;

    if (node->children && lp_xml_bytes(node, &now, NULL) && now == bytes)
        return;
    lp_xml_set_attr(node, "unit", "KiB");
    lp_xml_set_number(node, (int64_t)(bytes / LP_KIB));
}

void
lp_xml_set_attr_bytes(xmlNode *node, const char *name, uint64_t bytes)
{
    uint64_t now;

    if (lp_xml_attr_bytes(node, name, &now, NULL) && now == bytes)
        return;
    lp_xml_set_attr_number(node, name, bytes / LP_KIB);
    lp_xml_set_attr(node, "unit", "KiB");
}
