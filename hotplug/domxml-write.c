/* Writing a tree back as libvirt writes it.
 *
 * libxml2's own writer quotes attributes with ", libvirt with ': every line would differ in the
 * diff that people are shown before `enable`.  Under <metadata> libvirt keeps libxml2's style. */
#include "hotplug/domxml-priv.h"

#include <string.h>

static void write_node(GString *out, const xmlNode *node, bool foreign);

static void
write_escaped(GString *out, const char *text, bool foreign, bool attribute)
{
    for (const char *p = text; p && *p; p++) {
        if (*p == '&')
            g_string_append(out, "&amp;");
        else if (*p == '<')
            g_string_append(out, "&lt;");
        else if (*p == '>')
            g_string_append(out, "&gt;");
        else if (*p == '"' && (attribute || !foreign))
            g_string_append(out, "&quot;");
        else if (*p == '\'' && !foreign)
            g_string_append(out, "&apos;");
        else if (*p == '\r' || (attribute && (*p == '\n' || *p == '\t')))
            g_string_append_printf(out, "&#%d;", *p);
        else
            g_string_append_c(out, *p);
    }
}

static void
write_name(GString *out, const xmlNs *ns, const xmlChar *name)
{
    if (ns && ns->prefix)
        g_string_append_printf(out, "%s:", (const char *)ns->prefix);
    g_string_append(out, (const char *)name);
}

/* While entities are not expanded, libxml2 keeps the & of a namespace's name as a reference. */
static void
write_namespace(GString *out, const xmlNs *ns, bool foreign)
{
    g_auto(GStrv) parts = g_strsplit((const char *)ns->href, "&#38;", -1);
    g_autofree char *href = g_strjoinv("&", parts);

    write_escaped(out, href, foreign, true);
}

static void
write_attributes(GString *out, const xmlNode *node, bool foreign)
{
    char quote = foreign ? '"' : '\'';

    for (const xmlNs *ns = node->nsDef; ns; ns = ns->next) {
        g_string_append(out, " xmlns");
        if (ns->prefix)
            g_string_append_printf(out, ":%s", (const char *)ns->prefix);
        g_string_append_printf(out, "=%c", quote);
        write_namespace(out, ns, foreign);
        g_string_append_c(out, quote);
    }
    for (xmlAttr *attr = node->properties; attr; attr = attr->next) {
        xmlChar *value = xmlNodeListGetString(node->doc, attr->children, 1);

        g_string_append_c(out, ' ');
        write_name(out, attr->ns, attr->name);
        g_string_append_printf(out, "=%c", quote);
        write_escaped(out, (const char *)value, foreign, true);
        g_string_append_c(out, quote);
        if (value)
            xmlFree(value);
    }
}

static void
write_element(GString *out, const xmlNode *node, bool foreign)
{
    bool inside = foreign || (lp_xml_is(node, "metadata") && lp_xml_is(node->parent, "domain"));

    g_string_append_c(out, '<');
    write_name(out, node->ns, node->name);
    write_attributes(out, node, foreign);
    if (!node->children) {
        g_string_append(out, "/>");
        return;
    }
    g_string_append_c(out, '>');
    for (const xmlNode *child = node->children; child; child = child->next)
        write_node(out, child, inside);
    g_string_append(out, "</");
    write_name(out, node->ns, node->name);
    g_string_append_c(out, '>');
}

/* Recursion is bounded: libxml2 refuses to parse beyond 256 levels. */
static void
write_node(GString *out, const xmlNode *node, bool foreign)
{
    const char *content = (const char *)node->content;

    switch (node->type) {
    case XML_ELEMENT_NODE:
        write_element(out, node, foreign);
        break;
    case XML_TEXT_NODE:
        write_escaped(out, content, foreign, false);
        break;
    case XML_CDATA_SECTION_NODE:
        g_string_append_printf(out, "<![CDATA[%s]]>", content ? content : "");
        break;
    case XML_COMMENT_NODE:
        g_string_append_printf(out, "<!--%s-->", content ? content : "");
        break;
    case XML_PI_NODE:
        g_string_append_printf(out, content ? "<?%s %s?>" : "<?%s?>", (const char *)node->name,
                               content);
        break;
    default:
        break;
    }
}

char *
lp_xml_to_text(xmlDoc *doc)
{
    GString *out = g_string_new(NULL);

    for (const xmlNode *node = doc->children; node; node = node->next) {
        write_node(out, node, false);
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}

/* Layout depends on where the element stood; without it equal elements are equal texts. */
static void
drop_blanks(xmlNode *node)
{
    xmlNode *next;

    for (xmlNode *child = node->children; child; child = next) {
        next = child->next;
        if (child->type == XML_ELEMENT_NODE) {
            drop_blanks(child);
        } else if (child->type == XML_TEXT_NODE && xmlIsBlankNode(child) &&
                   (child->prev || child->next)) {
            xmlUnlinkNode(child);
            xmlFreeNode(child);
        }
    }
}

char *
lp_xml_node_to_text(xmlNode *node)
{
    g_autoptr(xmlDoc) doc = xmlNewDoc((const xmlChar *)"1.0");
    GString *out = g_string_new(NULL);
    /* The copy brings along the namespaces that were declared further out. */
    xmlNode *copy = xmlDocCopyNode(node, doc, 1);

    xmlDocSetRootElement(doc, copy);
    xmlReconciliateNs(doc, copy);
    drop_blanks(copy);
    write_element(out, copy, node->ns != NULL);
    return g_string_free(out, FALSE);
}
