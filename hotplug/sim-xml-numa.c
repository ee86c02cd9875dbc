/* What the XML of simulated domains says of nodes and processors. */
#include "hotplug/domxml-priv.h"
#include "hotplug/sim-host.h"

/* vCPUs of one cell are one range, as alike in size as they can be: as `enable` writes them. */
static uint32_t
end_of(const LpSimSpec *spec, uint32_t cell)
{
    return spec->vcpus_max * (cell + 1) / spec->n_cells;
}

static char *
all_nodes(const LpSimSpec *spec)
{
    GString *text = g_string_new(NULL);

    for (uint32_t i = 0; i < spec->n_cells; i++) {
        bool again = false;

        for (uint32_t before = 0; before < i; before++)
            again |= spec->cells[before].node == spec->cells[i].node;
        if (!again)
            g_string_append_printf(text, "%s%d", i ? "," : "", spec->cells[i].node);
    }
    return g_string_free(text, FALSE);
}

void
lp_sim_xml_build_numatune(GString *xml, const LpSimSpec *spec)
{
    g_autofree char *nodes = all_nodes(spec);

    if (spec->numatune == LP_NUMATUNE_NONE)
        return;
    g_string_append(xml, "  <numatune>\n");
    if (spec->numatune == LP_NUMATUNE_CELLS) {
        for (uint32_t i = 0; i < spec->n_cells; i++)
            g_string_append_printf(xml, "    <memnode cellid='%u' mode='preferred' "
                                   "nodeset='%d'/>\n", i, spec->cells[i].node);
    } else {
        g_string_append_printf(xml, "    <memory mode='%s' nodeset='%s'/>\n",
                               spec->numatune == LP_NUMATUNE_RESTRICTIVE ? "restrictive" : "strict",
                               nodes);
    }
    g_string_append(xml, "  </numatune>\n");
}

void
lp_sim_xml_build_pins(GString *xml, const LpSimSpec *spec)
{
    char text[LP_CPUMASK_TEXT];
    bool any = false;

    for (uint32_t cell = 0, vcpu = 0; cell < spec->n_cells; cell++) {
        const LpCpuMask *cpus = &spec->cells[cell].cpus;

        for (; vcpu < end_of(spec, cell); vcpu++) {
            if (lp_cpumask_count(cpus) == 0)
                continue;
            g_string_append_printf(xml, "%s    <vcpupin vcpu='%u' cpuset='%s'/>\n",
                                   any ? "" : "  <cputune>\n", vcpu,
                                   lp_cpumask_format(cpus, text, sizeof text));
            any = true;
        }
    }
    if (any)
        g_string_append(xml, "  </cputune>\n");
}

void
lp_sim_xml_pins(const char *xml, uint32_t vcpu_max, LpSimNuma *numa)
{
    g_autoptr(xmlDoc) doc = lp_xml_parse_domain(xml, NULL);
    xmlNode *tune = doc ? lp_xml_child(xmlDocGetRootElement(doc), "cputune") : NULL;
    g_autofree char *emulator = lp_xml_attr(lp_xml_child(tune, "emulatorpin"), "cpuset");

    for (xmlNode *pin = lp_xml_child(tune, "vcpupin"); pin; pin = lp_xml_next(pin, "vcpupin")) {
        g_autofree char *cpuset = lp_xml_attr(pin, "cpuset");
        uint64_t vcpu;

        if (!cpuset || vcpu_max == 0 || !lp_xml_attr_number(pin, "vcpu", vcpu_max - 1, &vcpu))
            continue;
        if (!numa->pins) {
            numa->pins = g_new0(LpCpuMask, vcpu_max);
            numa->n_pins = vcpu_max;
        }
        lp_cpumask_parse(cpuset, &numa->pins[vcpu]);
    }
    if (emulator)
        lp_cpumask_parse(emulator, &numa->emulator);
}

static void
live_pins(xmlNode *tune, const LpSimNuma *numa)
{
    char text[LP_CPUMASK_TEXT];

    lp_xml_remove_children(tune, "vcpupin");
    lp_xml_remove_children(tune, "emulatorpin");
    for (uint32_t i = 0; i < numa->n_pins; i++) {
        xmlNode *pin;

        if (lp_cpumask_count(&numa->pins[i]) == 0)
            continue;
        pin = lp_xml_add(tune, "vcpupin");
        lp_xml_set_attr_number(pin, "vcpu", i);
        lp_xml_set_attr(pin, "cpuset", lp_cpumask_format(&numa->pins[i], text, sizeof text));
    }
    if (lp_cpumask_count(&numa->emulator) > 0)
        lp_xml_set_attr(lp_xml_add(tune, "emulatorpin"), "cpuset",
                        lp_cpumask_format(&numa->emulator, text, sizeof text));
}

void
lp_sim_xml_live_numa(xmlNode *root, const LpSimDomain *domain)
{
    const LpSimNuma *numa = &domain->numa;
    xmlNode *memory = lp_xml_at(root, "numatune", "memory", NULL);

    if (numa->n_pins > 0 || lp_cpumask_count(&numa->emulator) > 0)
        live_pins(lp_xml_ensure(root, "cputune"), numa);
    if (numa->n_nodeset > 0 && memory) {
        GString *text = g_string_new(NULL);

        for (uint32_t i = 0; i < numa->n_nodeset; i++)
            g_string_append_printf(text, "%s%u", i ? "," : "", numa->nodeset[i]);
        lp_xml_set_attr(memory, "nodeset", text->str);
        g_string_free(text, TRUE);
    }
}
