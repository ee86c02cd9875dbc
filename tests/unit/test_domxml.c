/* The domain XML code: reading, enabling, changing, the diff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hotplug/domxml.h"

#define MIB (UINT64_C(1) << 20)
#define FUZZ_ROUNDS 4000

/* As libvirt shows a running domain; the balloon holds 64 MiB. */
static const char live[] =
    "<domain type='qemu' id='3'>\n"
    "  <name>web1</name>\n"
    "  <uuid>da3089b9-0619-48f8-a3e2-dcc3f67bbe7a</uuid>\n"
    "  <metadata>\n"
    "    <other:thing xmlns:other=\"urn:other\" a=\"it's\">x &lt; y</other:thing>\n"
    "    <lpard:partition xmlns:lpard=\"https://lpard.org/xmlns/partition/1\" version=\"1\">\n"
    "      <lpard:cpu min=\"1\"/>\n"
    "    </lpard:partition>\n"
    "  </metadata>\n"
    "  <maxMemory slots='6' unit='KiB'>5767168</maxMemory>\n"
    "  <memory unit='KiB'>1703936</memory>\n"
    "  <currentMemory unit='KiB'>722944</currentMemory>\n"
    "  <vcpu placement='static' current='2'>4</vcpu>\n"
    "  <vcpus>\n"
    "    <vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>\n"
    "    <vcpu id='1' enabled='no' hotpluggable='yes'/>\n"
    "    <vcpu id='2' enabled='yes' hotpluggable='yes' order='2'/>\n"
    "    <vcpu id='3' enabled='no' hotpluggable='yes'/>\n"
    "  </vcpus>\n"
    "  <cputune>\n"
    "    <shares>512</shares>\n"
    "    <global_period>100000</global_period>\n"
    "    <global_quota>150000</global_quota>\n"
    "  </cputune>\n"
    "  <numatune>\n"
    "    <memnode cellid='1' mode='preferred' nodeset='5'/>\n"
    "  </numatune>\n"
    "  <os>\n"
    "    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>\n"
    "  </os>\n"
    "  <cpu mode='maximum'>\n"
    "    <numa>\n"
    "      <cell id='0' cpus='0-1' memory='262144' unit='KiB'/>\n"
    "      <cell id='1' cpus='2-3' memory='256' unit='MiB'/>\n"
    "    </numa>\n"
    "  </cpu>\n"
    "  <devices>\n"
    "    <controller type='pci' index='1' model='pcie-root-port'/>\n"
    "    <controller type='pci' index='2' model='pcie-root-port'/>\n"
    "    <controller type='pci' index='3' model='pcie-root-port'/>\n"
    "    <controller type='pci' index='0' model='pcie-root'/>\n"
    "    <channel type='unix'>\n"
    "      <source mode='bind' path='/run/agent.sock'/>\n"
    "      <target type='virtio' name='org.lpard.agent.0' state='connected'/>\n"
    "    </channel>\n"
    "    <memballoon model='virtio'><stats period='10'/></memballoon>\n"
    "    <memory model='dimm'>\n"
    "      <target>\n"
    "        <size unit='KiB'>131072</size>\n"
    "        <node>1</node>\n"
    "      </target>\n"
    "      <alias name='dimm0'/>\n"
    "    </memory>\n"
    "    <memory model='virtio-mem'>\n"
    "      <target>\n"
    "        <size unit='KiB'>524288</size>\n"
    "        <node>0</node>\n"
    "        <block unit='KiB'>2048</block>\n"
    "        <requested unit='KiB'>131072</requested>\n"
    "        <current unit='KiB'>133120</current>\n"
    "      </target>\n"
    "      <alias name='virtiomem0'/>\n"
    "      <address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>\n"
    "    </memory>\n"
    "    <memory model='virtio-mem'>\n"
    "      <target>\n"
    "        <size unit='KiB'>524288</size>\n"
    "        <node>1</node>\n"
    "        <block unit='KiB'>2048</block>\n"
    "        <requested unit='KiB'>0</requested>\n"
    "        <current unit='KiB'>0</current>\n"
    "      </target>\n"
    "      <alias name='virtiomem1'/>\n"
    "    </memory>\n"
    "  </devices>\n"
    "</domain>\n";

static const char profile[] = "<partition version=\"1\"><cpu min=\"1\"/></partition>";

static LpShape
shape_of_two(void)
{
    return (LpShape) {
        .vcpus = 2, .vcpus_max = 4, .n_cells = 2,
        .base_bytes = { 256 * MIB, 256 * MIB }, .device_bytes = { 512 * MIB, 512 * MIB },
        .requested_bytes = { 0, 64 * MIB }, .node = { 0, 1 }, .block_bytes = 2 * MIB,
        .spare_slots = 4, .metadata = profile,
    };
}

static LpView *
read_ok(const char *xml)
{
    LpView *view = lp_view_new();
    GError *error = NULL;

    if (!lp_domxml_read(xml, view, &error))
        fail_msg("%s", error->message);
    return view;
}

static char *
enable_ok(const char *xml, const LpShape *shape)
{
    GError *error = NULL;
    char *out = lp_domxml_enable(xml, shape, &error);

    if (!out)
        fail_msg("%s", error->message);
    return out;
}

static void
assert_refused(char *result, GError **error, int code)
{
    assert_null(result);
    assert_non_null(*error);
    assert_int_equal((*error)->code, code);
    assert_true(strlen((*error)->message) > 10);
    g_clear_error(error);
}

static char *
replace(const char *text, const char *from, const char *to)
{
    g_auto(GStrv) parts = g_strsplit(text, from, -1);

    assert_true(g_strv_length(parts) > 1);
    return g_strjoinv(to, parts);
}

static char *
new_domain(void)
{
    LpNewDomain new = {
        .name = "a<b>&'c'", .emulated = true, .kernel = "/boot/k", .initrd = "/boot/i",
        .cmdline = "console=ttyS0 x=\"1\"", .disk = "/d.qcow2", .network = "default",
    };

    return lp_domxml_new(&new);
}

static void
test_read_live(void **state)
{
    g_autoptr(LpView) view = read_ok(live);
    char text[LP_CPUMASK_TEXT];

    (void)state;
    assert_string_equal(view->name, "web1");
    assert_string_equal(view->uuid, "da3089b9-0619-48f8-a3e2-dcc3f67bbe7a");
    assert_int_equal(view->accel, LP_ACCEL_TCG);
    assert_int_equal(view->vcpu_max, 4);
    assert_string_equal(lp_cpumask_format(&view->plugged, text, sizeof text), "0,2");
    assert_string_equal(lp_cpumask_format(&view->hotpluggable, text, sizeof text), "2");
    assert_int_equal(view->n_cells, 2);
    assert_int_equal(view->cells[0].node, -1);
    assert_int_equal(view->cells[1].node, 5);
    assert_int_equal(view->cells[1].base_bytes, 256 * MIB);
    assert_string_equal(lp_cpumask_format(&view->cells[1].vcpus, text, sizeof text), "2-3");
    assert_true(view->cells[0].has_device);
    assert_string_equal(view->cells[0].alias, "virtiomem0");
    assert_int_equal(view->cells[0].device_bytes, 512 * MIB);
    assert_int_equal(view->cells[0].requested_bytes, 128 * MIB);
    assert_int_equal(view->cells[0].current_bytes, 130 * MIB);
    assert_int_equal(view->cells[0].block_bytes, 2 * MIB);
    assert_int_equal(view->n_dimms, 1);
    assert_string_equal(view->dimms[0].alias, "dimm0");
    assert_int_equal(view->dimms[0].cell, 1);
    assert_int_equal(view->dimms[0].bytes, 128 * MIB);
    assert_int_equal(view->slots, 6);
    assert_int_equal(view->slots_used, 3);
    assert_int_equal(view->max_memory_bytes, 5632 * MIB);
    assert_int_equal(view->base_bytes, 512 * MIB);
    assert_true(view->has_balloon);
    /* 512 + 128 DIMM + 130 virtio-mem - 706 current. */
    assert_int_equal(view->balloon_bytes, 64 * MIB);
    assert_int_equal(view->stats_period_sec, 10);
    assert_int_equal(view->requested_config_bytes, 128 * MIB);
    assert_int_equal(view->cpu_shares, 512);
    assert_int_equal(view->global_quota_usec, 150000);
    assert_int_equal(view->global_period_usec, 100000);
    assert_true(view->has_channel);
    assert_string_equal(view->channel_path, "/run/agent.sock");
    assert_false(view->memory_locked);
    assert_int_equal(view->free_pci_ports, 2);
    assert_string_equal(view->metadata,
                        "<lpard:partition xmlns:lpard=\"https://lpard.org/xmlns/partition/1\" "
                        "version=\"1\"><lpard:cpu min=\"1\"/></lpard:partition>");
}

static void
test_read_plain(void **state)
{
    g_autoptr(LpView) view = read_ok(
        "<domain type='kvm'><name>p</name><memory unit='GiB'>1</memory>"
        "<vcpu current='2'>3</vcpu><memoryBacking><locked/></memoryBacking>"
        "<devices><memballoon model='none'/></devices></domain>");

    (void)state;
    assert_int_equal(view->accel, LP_ACCEL_KVM);
    assert_int_equal(lp_cpumask_count(&view->plugged), 2);
    assert_int_equal(lp_cpumask_count(&view->hotpluggable), 0);
    assert_int_equal(view->n_cells, 0);
    assert_int_equal(view->base_bytes, 1024 * MIB);
    assert_int_equal(view->balloon_bytes, 0);
    assert_int_equal(view->global_quota_usec, -1);
    assert_false(view->has_balloon);
    assert_false(view->has_channel);
    assert_true(view->memory_locked);
    assert_null(view->metadata);
    /* Without PCIe: the slots of a PCI bus, all but the bridge's. */
    assert_int_equal(view->free_pci_ports, 31);
}

static void
test_read_nonsense(void **state)
{
    static const char *const bad[] = {
        "", "x", "<domain>", "<network/>", "<domain><vcpu>0</vcpu></domain>",
        "<domain><vcpu>-1</vcpu></domain>", "<domain><vcpu>1025</vcpu></domain>",
        "<domain><memory unit='parsec'>1</memory></domain>",
        "<domain><memory unit='EiB'>17</memory></domain>",
        "<domain><memory>1x</memory></domain>",
        "<domain><vcpu>2</vcpu><vcpus><vcpu id='2' enabled='yes'/></vcpus></domain>",
        "<domain><cpu><numa><cell id='64' memory='1'/></numa></cpu></domain>",
        "<domain><cpu><numa><cell id='0' cpus='3-1' memory='1'/></numa></cpu></domain>",
        "<domain><devices><memory model='dimm'><target><size>1</size><node>99</node></target>"
        "</memory></devices></domain>",
        "<!DOCTYPE domain [<!ENTITY a 'b'>]><domain><name>&a;</name></domain>",
        "<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>",
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(LpView) view = lp_view_new();
        GError *error = NULL;

        if (lp_domxml_read(bad[i], view, &error))
            fail_msg("was read: %s", bad[i]);
        assert_int_equal(error->domain, LP_DRIVER_ERROR);
        assert_int_equal(error->code, LP_DRIVER_ERROR_INVALID);
        g_error_free(error);
    }
}

static void
test_parse_error_names_the_line(void **state)
{
    g_autoptr(LpView) view = lp_view_new();
    GError *error = NULL;

    (void)state;
    assert_false(lp_domxml_read("<domain>\n <name>x</name>\n <os>\n</domain>", view, &error));
    assert_non_null(strstr(error->message, "line 4"));
    g_error_free(error);
}

static void
test_enable_new(void **state)
{
    LpShape shape = shape_of_two();
    g_autofree char *fresh = new_domain();
    g_autofree char *xml = enable_ok(fresh, &shape);
    g_autofree char *again = enable_ok(xml, &shape);
    g_autoptr(LpView) view = read_ok(xml);
    char text[LP_CPUMASK_TEXT];

    (void)state;
    assert_string_equal(again, xml);
    assert_string_equal(view->name, "a<b>&'c'");
    assert_int_equal(view->vcpu_max, 4);
    assert_string_equal(lp_cpumask_format(&view->plugged, text, sizeof text), "0-1");
    assert_string_equal(lp_cpumask_format(&view->hotpluggable, text, sizeof text), "1");
    assert_string_equal(lp_cpumask_format(&view->cells[0].vcpus, text, sizeof text), "0-1");
    assert_string_equal(lp_cpumask_format(&view->cells[1].vcpus, text, sizeof text), "2-3");
    assert_int_equal(view->cells[0].node, 0);
    assert_int_equal(view->cells[1].node, 1);
    assert_int_equal(view->cells[1].requested_bytes, 64 * MIB);
    assert_int_equal(view->cells[1].block_bytes, 2 * MIB);
    assert_int_equal(view->balloon_bytes, 0);
    assert_int_equal(view->stats_period_sec, 0);
    assert_int_equal(view->slots, 6);
    assert_int_equal(view->max_memory_bytes, (512 + 1024 + 4096) * MIB);
    assert_true(view->has_channel);
    /* Disk, network, two devices, balloon and serial take one each; two stay. */
    assert_int_equal(view->free_pci_ports, 8);
    assert_non_null(strstr(xml, "mode='preferred'"));
    assert_null(strstr(xml, "nodemask"));
    assert_non_null(strstr(xml, "autodeflate='off' freePageReporting='on'"));
    assert_non_null(strstr(xml, "<cpu mode='maximum'>"));
    assert_non_null(strstr(xml, "type='qcow2'"));
    assert_non_null(strstr(xml, "<memory unit='KiB'>1572864</memory>"));
    assert_non_null(strstr(xml, "<currentMemory unit='KiB'>524288</currentMemory>"));
}

static void
test_enable_keeps_what_is_not_its_own(void **state)
{
    LpShape shape = shape_of_two();
    g_autofree char *xml = NULL, *again = NULL, *odd = NULL;

    (void)state;
    odd = replace(live, "  <devices>\n",
                  "  <!-- mine -->\n  <cpu2 a='&lt;&amp;&apos;&quot;'>t &gt;</cpu2>\n"
                  "  <qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
                  "    <qemu:arg value='-foo'/>\n"
                  "  </qemu:commandline>\n  <devices>\n");
    xml = enable_ok(odd, &shape);
    again = enable_ok(xml, &shape);
    assert_string_equal(xml, again);
    assert_non_null(strstr(xml, "<!-- mine -->"));
    assert_non_null(strstr(xml, "<cpu2 a='&lt;&amp;&apos;&quot;'>t &gt;</cpu2>"));
    assert_non_null(strstr(xml, "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"));
    assert_non_null(strstr(xml, "<qemu:arg value='-foo'/>"));
    assert_non_null(strstr(xml, "<other:thing xmlns:other=\"urn:other\" a=\"it's\">x &lt; y<"));
    assert_non_null(strstr(xml, "<alias name='dimm0'/>"));
    assert_non_null(strstr(xml, "<source mode='bind' path='/run/agent.sock'/>"));
    /* The profile was the same: its layout stays. */
    assert_non_null(strstr(xml, "      <lpard:cpu min=\"1\"/>\n"));
}

static void
test_enable_same_shape_changes_nothing(void **state)
{
    LpShape shape = shape_of_two();
    g_autofree char *fresh = new_domain();
    g_autofree char *xml = enable_ok(fresh, &shape);
    g_autofree char *again = enable_ok(xml, &shape);
    g_autofree char *diff = lp_domxml_diff(xml, again);

    (void)state;
    assert_string_equal(diff, "");
}

static void
test_enable_reshapes(void **state)
{
    LpShape shape = shape_of_two();
    g_autofree char *text = replace(live, "<numa>",
                                    "<topology sockets='1' cores='4' threads='1'/><numa>");
    g_autofree char *kept = enable_ok(text, &shape);
    g_autofree char *xml = NULL;
    g_autoptr(LpView) view = NULL;

    (void)state;
    assert_non_null(strstr(kept, "<topology"));
    shape.n_cells = 1;
    shape.vcpus_max = 6;
    shape.vcpus = 6;
    shape.node[0] = -1;
    xml = enable_ok(text, &shape);
    view = read_ok(xml);
    assert_null(strstr(xml, "<topology"));
    assert_null(strstr(xml, "<numatune"));
    assert_null(strstr(xml, "current='"));
    assert_int_equal(view->n_cells, 1);
    assert_int_equal(lp_cpumask_count(&view->cells[0].vcpus), 6);
    assert_int_equal(lp_cpumask_count(&view->plugged), 6);
    assert_int_equal(view->slots_used, 2);    /* the DIMM and one device */
}

static void
test_enable_numatune(void **state)
{
    LpShape shape = shape_of_two();
    static const char memnode[] = "<memnode cellid='1' mode='preferred' nodeset='5'/>";
    g_autofree char *restrictive = replace(live, memnode,
                                           "<memory mode='restrictive' nodeset='0-1'/>");
    g_autofree char *strict = replace(live, memnode, "<memory mode='strict' nodeset='0-1'/>");
    g_autofree char *a = enable_ok(restrictive, &shape);
    g_autofree char *b = enable_ok(strict, &shape);

    (void)state;
    assert_non_null(strstr(a, "<memory mode='restrictive' nodeset='0-1'/>"));
    assert_null(strstr(a, "<memnode"));
    assert_null(strstr(b, "mode='strict'"));
    assert_non_null(strstr(b, "<memnode cellid='0' mode='preferred' nodeset='0'/>"));
    assert_non_null(strstr(b, "<memnode cellid='1' mode='preferred' nodeset='1'/>"));
}

/* --- where memory and vCPUs are bound --- */

static char *
with_numatune(const char *text)
{
    return replace(live, "<memnode cellid='1' mode='preferred' nodeset='5'/>", text);
}

static void
test_read_numatune(void **state)
{
    static const struct {
        const char *text;
        LpNumatune kind;
        int32_t node[2];
    } CASES[] = {
        { "", LP_NUMATUNE_NONE, { -1, -1 } },
        { "<memnode cellid='0' mode='preferred' nodeset='33'/>", LP_NUMATUNE_CELLS, { 33, -1 } },
        { "<memnode cellid='0' mode='preferred' nodeset='0'/>"
          "<memnode cellid='1' mode='preferred' nodeset='1'/>", LP_NUMATUNE_CELLS, { 0, 1 } },
        { "<memnode cellid='0' mode='preferred' nodeset='0-1'/>", LP_NUMATUNE_OTHER, { -1, -1 } },
        { "<memnode cellid='0' mode='strict' nodeset='2'/>", LP_NUMATUNE_OTHER, { 2, -1 } },
        { "<memory mode='strict' nodeset='1'/>", LP_NUMATUNE_OTHER, { 1, 1 } },
        { "<memory mode='preferred' nodeset='1'/>", LP_NUMATUNE_OTHER, { 1, 1 } },
        { "<memory mode='interleave' nodeset='0-1'/>", LP_NUMATUNE_OTHER, { -1, -1 } },
        { "<memory placement='auto'/>", LP_NUMATUNE_OTHER, { -1, -1 } },
        { "<memory mode='restrictive' nodeset='0-1'/>", LP_NUMATUNE_RESTRICTIVE, { -1, -1 } },
        { "<memory mode='restrictive' nodeset='0-1'/>"
          "<memnode cellid='1' mode='restrictive' nodeset='1'/>", LP_NUMATUNE_RESTRICTIVE,
          { -1, 1 } },
        { "<memnode cellid='99' mode='preferred' nodeset='99999999999'/>", LP_NUMATUNE_OTHER,
          { -1, -1 } },
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autofree char *xml = with_numatune(CASES[i].text);
        g_autoptr(LpView) view = read_ok(xml);

        if (view->numatune != CASES[i].kind)
            fail_msg("%s: kind %d", CASES[i].text, view->numatune);
        for (int cell = 0; cell < 2; cell++) {
            assert_int_equal(view->cells[cell].node, CASES[i].node[cell]);
            assert_int_equal(view->cells[cell].home, CASES[i].node[cell]);
        }
    }
}

static void
test_read_pins(void **state)
{
    g_autofree char *pinned = replace(live, "<shares>512</shares>",
                                      "<vcpupin vcpu='1' cpuset='0-3,^2'/>");
    g_autofree char *emulator = replace(live, "<shares>512</shares>", "<emulatorpin cpuset='0'/>");
    g_autofree char *cpuset = replace(live, "placement='static'", "cpuset='0-3'");
    g_autofree char *automatic = replace(live, "placement='static'", "placement='auto'");
    g_autoptr(LpView) a = read_ok(live);
    g_autoptr(LpView) b = read_ok(pinned);
    g_autoptr(LpView) c = read_ok(cpuset);
    g_autoptr(LpView) d = read_ok(automatic);
    g_autoptr(LpView) e = read_ok(emulator);

    (void)state;
    assert_false(a->has_pins);
    assert_true(b->has_pins);
    assert_true(c->has_pins);
    assert_true(d->has_pins);
    assert_false(e->has_pins);
}

/* In the order in which QEMU makes them. */
static void
test_backends(void **state)
{
    static const LpBackend EXPECTED[] = {
        { 0, 256 * MIB }, { 1, 256 * MIB }, { 1, 128 * MIB }, { 0, 512 * MIB }, { 1, 512 * MIB },
    };
    g_autofree char *nvdimm = replace(live, "model='dimm'", "model='nvdimm'");
    LpBackend backends[8];
    GError *error = NULL;

    (void)state;
    assert_int_equal(lp_domxml_backends(live, backends, 8, &error), 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(backends[i].cell, EXPECTED[i].cell);
        assert_int_equal(backends[i].bytes, EXPECTED[i].bytes);
    }
    assert_int_equal(lp_domxml_backends(nvdimm, backends, 8, &error), 4);
    assert_int_equal(lp_domxml_backends(live, backends, 1, &error), 1);
    assert_int_equal(lp_domxml_backends(live, backends, 3, &error), 3);
    assert_int_equal(lp_domxml_backends("<domain/>", backends, 8, &error), 0);
    assert_int_equal(lp_domxml_backends("<network/>", backends, 8, &error), -1);
    assert_int_equal(error->code, LP_DRIVER_ERROR_INVALID);
    g_clear_error(&error);
}

static char *
change_ok(const char *xml, const LpConfigChange *change)
{
    GError *error = NULL;
    char *out = lp_domxml_change(xml, change, &error);

    if (!out)
        fail_msg("%s", error->message);
    return out;
}

static void
test_change_nodes(void **state)
{
    LpConfigChange change = { .set_nodes = true, .node = { 33, 5, 7 } };    /* there is no cell 2 */
    LpConfigChange none = { .set_nodes = true, .node = { -1, -1 } };
    GError *error = NULL;
    g_autofree char *xml = change_ok(live, &change);
    g_autofree char *again = change_ok(xml, &change);
    g_autofree char *unbound = change_ok(xml, &none);
    g_autofree char *bound = change_ok(unbound, &change);
    g_autofree char *restrictive =
        with_numatune("<memory mode='restrictive' nodeset='0-1'/>");
    g_autofree char *by_cell = with_numatune("<memory mode='restrictive' nodeset='0-1'/>"
                                             "<memnode cellid='1' mode='restrictive' nodeset='1'/>");
    g_autofree char *strict = with_numatune("<memory mode='strict' nodeset='0'/>");
    g_autofree char *moved = change_ok(restrictive, &change);
    g_autofree char *kept = change_ok(restrictive, &none);

    (void)state;
    assert_non_null(strstr(xml, "<memnode cellid='1' mode='preferred' nodeset='5'/>\n"
                                "    <memnode cellid='0' mode='preferred' nodeset='33'/>\n"));
    assert_null(strstr(xml, "nodeset='7'"));
    assert_string_equal(again, xml);
    assert_null(strstr(unbound, "numatune"));
    assert_non_null(strstr(bound, "<memnode cellid='0' mode='preferred' nodeset='33'/>"));
    assert_non_null(strstr(moved, "<memory mode='restrictive' nodeset='5,33'/>"));
    assert_null(strstr(moved, "memnode"));
    assert_string_equal(kept, restrictive);
    assert_refused(lp_domxml_change(by_cell, &change, &error), &error, LP_DRIVER_ERROR_UNSUPPORTED);
    assert_refused(lp_domxml_change(strict, &change, &error), &error, LP_DRIVER_ERROR_UNSUPPORTED);
}

static void
test_change_pins(void **state)
{
    LpCpuMask cpus[6] = { 0 };
    LpPins pins = { .n_vcpus = 6, .vcpus = cpus };
    LpConfigChange change = { .pins = &pins };
    g_autofree char *old = replace(live, "<shares>512</shares>",
                                   "<shares>512</shares><vcpupin vcpu='1' cpuset='2,3'/>"
                                   "<vcpupin vcpu='2' cpuset='9'/><emulatorpin cpuset='9'/>");
    g_autofree char *plain = replace(live, "<cputune>", "<cputune-not>");
    g_autofree char *closed = replace(plain, "</cputune>", "</cputune-not>");
    g_autofree char *xml = NULL, *again = NULL, *new = NULL, *kept = change_ok(old, &change);

    (void)state;
    assert_string_equal(kept, old);    /* nothing is named */
    lp_cpumask_parse("0-1,1023", &cpus[0]);
    lp_cpumask_parse("2-3", &cpus[1]);
    lp_cpumask_parse("4", &cpus[3]);
    lp_cpumask_parse("5", &cpus[5]);    /* the definition has vCPUs 0 to 3 */
    lp_cpumask_parse("0-3", &pins.emulator);
    xml = change_ok(old, &change);
    again = change_ok(xml, &change);
    assert_string_equal(again, xml);
    assert_non_null(strstr(xml, "<vcpupin vcpu='0' cpuset='0-1,1023'/>"));
    assert_non_null(strstr(xml, "<vcpupin vcpu='1' cpuset='2,3'/>"));
    assert_non_null(strstr(xml, "<vcpupin vcpu='2' cpuset='9'/>"));
    assert_non_null(strstr(xml, "<vcpupin vcpu='3' cpuset='4'/>"));
    assert_null(strstr(xml, "vcpu='5'"));
    assert_non_null(strstr(xml, "<emulatorpin cpuset='0-3'/>"));
    assert_non_null(strstr(xml, "<shares>512</shares>"));
    new = change_ok(closed, &change);
    assert_non_null(strstr(new, "<cputune>"));
    assert_non_null(strstr(new, "<vcpupin vcpu='3' cpuset='4'/>"));
}

static void
test_enable_i440fx(void **state)
{
    LpShape shape = shape_of_two();
    g_autofree char *text = replace(live, "pc-q35-7.2", "pc-i440fx-7.2");
    g_autofree char *plain = replace(text, "pcie-root-port", "pci-bridge");
    g_autofree char *xml = enable_ok(plain, &shape);

    (void)state;
    assert_null(strstr(xml, "pcie-root-port"));
}

static void
test_enable_refuses(void **state)
{
    LpShape shape = shape_of_two();
    GError *error = NULL;
    g_autofree char *microvm = replace(live, "pc-q35-7.2", "microvm");
    g_autofree char *arm = replace(live, "x86_64", "aarch64");
    g_autofree char *spice = replace(live, "<channel type='unix'>", "<channel type='spicevmc'>");

    (void)state;
    assert_refused(lp_domxml_enable(microvm, &shape, &error), &error, LP_DRIVER_ERROR_UNSUPPORTED);
    assert_refused(lp_domxml_enable(arm, &shape, &error), &error, LP_DRIVER_ERROR_UNSUPPORTED);
    assert_refused(lp_domxml_enable(spice, &shape, &error), &error, LP_DRIVER_ERROR_UNSUPPORTED);
    assert_refused(lp_domxml_enable("<domain/>", &shape, &error), &error, LP_DRIVER_ERROR_INVALID);
    shape.vcpus = 5;
    assert_refused(lp_domxml_enable(live, &shape, &error), &error, LP_DRIVER_ERROR_INVALID);
    shape = shape_of_two();
    shape.n_cells = 5;
    assert_refused(lp_domxml_enable(live, &shape, &error), &error, LP_DRIVER_ERROR_INVALID);
    shape = shape_of_two();
    shape.requested_bytes[1] = 1 * MIB;
    assert_refused(lp_domxml_enable(live, &shape, &error), &error, LP_DRIVER_ERROR_INVALID);
    shape = shape_of_two();
    shape.base_bytes[1] = 0;
    assert_refused(lp_domxml_enable(live, &shape, &error), &error, LP_DRIVER_ERROR_INVALID);
    shape = shape_of_two();
    shape.device_bytes[0] = UINT64_MAX - 2 * MIB + 1;
    assert_refused(lp_domxml_enable(live, &shape, &error), &error, LP_DRIVER_ERROR_INVALID);
    shape = shape_of_two();
    shape.metadata = "<partition xmlns='urn:somebody-else'/>";
    assert_refused(lp_domxml_enable(live, &shape, &error), &error, LP_DRIVER_ERROR_INVALID);
}

static void
test_change(void **state)
{
    LpCapacityLimits limits = { .shares = 300, .global_quota_usec = -1,
                                .global_period_usec = 50000 };
    LpConfigChange change = {
        .vcpus = 3, .set_memory = true, .requested_bytes = { 2 * MIB, 4 * MIB },
        .metadata = "<x:partition xmlns:x='https://lpard.org/xmlns/partition/1' x:v='9'><x:a/>"
                    "</x:partition>",
        .limits = &limits,
    };
    GError *error = NULL;
    g_autofree char *xml = lp_domxml_change(live, &change, &error);
    g_autofree char *again = NULL;
    g_autoptr(LpView) view = NULL;
    char text[LP_CPUMASK_TEXT];

    (void)state;
    assert_non_null(xml);
    again = lp_domxml_change(xml, &change, &error);
    assert_string_equal(xml, again);
    view = read_ok(xml);
    assert_string_equal(lp_cpumask_format(&view->plugged, text, sizeof text), "0-2");
    assert_int_equal(view->cells[0].requested_bytes, 2 * MIB);
    assert_int_equal(view->cells[1].requested_bytes, 4 * MIB);
    assert_string_equal(view->metadata,
                        "<lpard:partition xmlns:lpard=\"https://lpard.org/xmlns/partition/1\" "
                        "v=\"9\"><lpard:a/></lpard:partition>");
    assert_int_equal(view->cpu_shares, 300);
    assert_int_equal(view->global_quota_usec, -1);
    assert_int_equal(view->global_period_usec, 50000);
    assert_null(strstr(xml, "order="));
    assert_non_null(strstr(xml, "<other:thing"));
}

static void
test_change_removes_vcpus_from_the_top(void **state)
{
    LpConfigChange change = { .vcpus = 1 };
    GError *error = NULL;
    g_autofree char *xml = lp_domxml_change(live, &change, &error);
    g_autoptr(LpView) view = read_ok(xml);

    (void)state;
    assert_int_equal(lp_cpumask_count(&view->plugged), 1);
    assert_true(lp_cpumask_has(&view->plugged, 0));
    change.vcpus = 4;
    g_free(xml);
    xml = lp_domxml_change(live, &change, &error);
    assert_null(strstr(xml, "current='2'"));
}

static void
test_change_refuses(void **state)
{
    LpConfigChange change = { .vcpus = 5 };
    GError *error = NULL;

    (void)state;
    assert_refused(lp_domxml_change(live, &change, &error), &error, LP_DRIVER_ERROR_INVALID);
    change = (LpConfigChange) { .set_memory = true, .requested_bytes = { 513 * MIB } };
    assert_refused(lp_domxml_change(live, &change, &error), &error, LP_DRIVER_ERROR_INVALID);
    change = (LpConfigChange) { .set_memory = true, .requested_bytes = { 0, 0, 2 * MIB } };
    assert_refused(lp_domxml_change(live, &change, &error), &error, LP_DRIVER_ERROR_INVALID);
    change = (LpConfigChange) { .metadata = "<partition>" };
    assert_refused(lp_domxml_change(live, &change, &error), &error, LP_DRIVER_ERROR_INVALID);
    assert_refused(lp_domxml_metadata_bare("<!DOCTYPE a><a/>", &error), &error,
                   LP_DRIVER_ERROR_INVALID);
}

/* The running domain may have other cells than its definition: the total counts there. */
static void
test_change_spreads_a_total(void **state)
{
    LpShape shape = shape_of_two();
    LpConfigChange change = { .set_memory = true, .requested_bytes = { 128 * MIB, 64 * MIB },
                              .memory_bytes = 704 * MIB };
    GError *error = NULL;
    g_autofree char *xml = enable_ok(live, &shape);
    g_autofree char *fits = lp_domxml_change(xml, &change, &error);
    g_autofree char *spread = NULL, *wide = NULL;
    g_autoptr(LpView) view = read_ok(fits);

    (void)state;
    /* These are the definition's own cells: kept as they are asked for. */
    assert_int_equal(view->cells[0].requested_bytes, 128 * MIB);
    assert_int_equal(view->cells[1].requested_bytes, 64 * MIB);
    /* One cell runs, two are defined. */
    memset(change.requested_bytes, 0, sizeof change.requested_bytes);
    change.requested_bytes[0] = 700 * MIB;
    change.memory_bytes = 1212 * MIB;
    spread = lp_domxml_change(xml, &change, &error);
    lp_view_free(view);
    view = read_ok(spread);
    /* Both vCPUs that it starts with are the first cell's, whose device holds so much. */
    assert_int_equal(view->cells[0].requested_bytes, 512 * MIB);
    assert_int_equal(view->cells[1].requested_bytes, 188 * MIB);
    change.vcpus = 4;
    g_free(spread);
    spread = lp_domxml_change(xml, &change, &error);
    lp_view_free(view);
    view = read_ok(spread);
    assert_in_range(view->cells[0].requested_bytes, 340 * MIB, 360 * MIB);
    assert_int_equal(view->cells[0].requested_bytes + view->cells[1].requested_bytes, 700 * MIB);
    /* Three run; and what fits but comes to another total is no hint either. */
    change = (LpConfigChange) { .set_memory = true, .memory_bytes = 516 * MIB,
                                .requested_bytes = { 0, 2 * MIB, 2 * MIB } };
    wide = lp_domxml_change(xml, &change, &error);
    lp_view_free(view);
    view = read_ok(wide);
    assert_int_equal(view->cells[0].requested_bytes, 4 * MIB);
    assert_int_equal(view->cells[1].requested_bytes, 0);
    /* More than the devices hold: a DIMM has the rest, until the domain stops. */
    change.memory_bytes = 2048 * MIB;
    g_free(wide);
    wide = lp_domxml_change(xml, &change, &error);
    lp_view_free(view);
    view = read_ok(wide);
    assert_int_equal(view->requested_config_bytes, 1024 * MIB);
    /* Less than it boots with anyway: nothing is asked of the devices. */
    change.memory_bytes = 2 * MIB;
    g_free(wide);
    wide = lp_domxml_change(xml, &change, &error);
    lp_view_free(view);
    view = read_ok(wide);
    assert_int_equal(view->cells[0].requested_bytes + view->cells[1].requested_bytes, 0);
}

static void
test_device_requested(void **state)
{
    GError *error = NULL;
    g_autofree char *xml = lp_domxml_device_requested(live, 0, 256 * MIB, &error);

    (void)state;
    assert_non_null(xml);
    assert_true(g_str_has_prefix(xml, "<memory model='virtio-mem'>"));
    assert_non_null(strstr(xml, "<requested unit='KiB'>262144</requested>"));
    assert_non_null(strstr(xml, "<alias name='virtiomem0'/>"));
    assert_non_null(strstr(xml, "bus='0x02'"));
    assert_refused(lp_domxml_device_requested(live, 0, MIB, &error), &error,
                   LP_DRIVER_ERROR_INVALID);
    assert_refused(lp_domxml_device_requested(live, 0, 514 * MIB, &error), &error,
                   LP_DRIVER_ERROR_INVALID);
    assert_refused(lp_domxml_device_requested(live, 2, 0, &error), &error,
                   LP_DRIVER_ERROR_UNSUPPORTED);
}

static void
test_metadata_bare(void **state)
{
    GError *error = NULL;
    g_autofree char *bare = lp_domxml_metadata_bare(
        "<p:a xmlns:p='https://lpard.org/xmlns/partition/1' p:x='1'>\n  <p:b/>\n</p:a>", &error);

    (void)state;
    assert_string_equal(bare, "<a x='1'><b/></a>");
}

static void
test_diff(void **state)
{
    g_autofree char *same = lp_domxml_diff("a\nb\n", "a\nb\n");
    g_autofree char *one = lp_domxml_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n",
                                          "1\n2\n3\n4\nX\n6\n7\n8\n9\n");
    g_autofree char *two = lp_domxml_diff("a\n1\n2\n3\n4\n5\n6\n7\n8\nb\n",
                                          "1\n2\n3\n4\n5\n6\n7\n8\nc\n");
    g_autofree char *from_nothing = lp_domxml_diff("", "a\n");
    g_autofree char *to_nothing = lp_domxml_diff("a\n", "");

    (void)state;
    assert_string_equal(same, "");
    assert_string_equal(one, "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+X\n 6\n 7\n 8\n");
    assert_string_equal(two, "@@ -1,4 +1,3 @@\n-a\n 1\n 2\n 3\n"
                             "@@ -7,4 +6,4 @@\n 6\n 7\n 8\n-b\n+c\n");
    assert_string_equal(from_nothing, "@@ -0,0 +1,1 @@\n+a\n");
    assert_string_equal(to_nothing, "@@ -1,1 +0,0 @@\n-a\n");
}

/* Applies a diff by its line numbers; the result must be the second text. */
static char *
apply(const char *before, const char *diff)
{
    g_auto(GStrv) lines = g_strsplit(before, "\n", -1);
    g_auto(GStrv) edits = g_strsplit(diff, "\n", -1);
    GString *out = g_string_new(NULL);
    guint next = 0, n = *before ? g_strv_length(lines) - 1 : 0;

    for (char **edit = edits; *edit && **edit; edit++) {
        guint from, count;

        if (**edit == '@') {
            assert_int_equal(sscanf(*edit, "@@ -%u,%u", &from, &count), 2);
            for (guint end = from - (count > 0); next < end; next++)
                g_string_append_printf(out, "%s\n", lines[next]);
            continue;
        }
        if (**edit != '+')
            assert_string_equal(*edit + 1, lines[next++]);
        if (**edit != '-')
            g_string_append_printf(out, "%s\n", *edit + 1);
    }
    for (; next < n; next++)
        g_string_append_printf(out, "%s\n", lines[next]);
    return g_string_free(out, FALSE);
}

static char *
random_lines(GRand *rand)
{
    GString *text = g_string_new(NULL);

    for (int n = g_rand_int_range(rand, 0, 40); n > 0; n--)
        g_string_append_printf(text, "%c\n", g_rand_int_range(rand, 'a', 'e'));
    return g_string_free(text, FALSE);
}

static GRand *
seeded(const char *what)
{
    const char *given = getenv("LP_TEST_SEED");
    guint32 seed = given ? (guint32)strtoul(given, NULL, 10) : g_random_int();

    print_message("# %s: LP_TEST_SEED=%u\n", what, seed);
    return g_rand_new_with_seed(seed);
}

static void
test_diff_masks_passwords(void **state)
{
    g_autofree char *diff =
        lp_domxml_diff("<a>\n<graphics type='vnc' passwd='hunter&apos;2' port='1'/>\n",
                       "<b passwd='x'/><c passwd=\"y'z\"/>\n"
                       "<graphics type='vnc' passwd='hunter&apos;2' port='1'/>\n<d passwd=''/>"
                       "<e passwd='open\n");

    (void)state;
    assert_null(strstr(diff, "hunter"));
    assert_null(strstr(diff, "y'z"));
    assert_non_null(strstr(diff, " <graphics type='vnc' passwd='***' port='1'/>\n"));
    assert_non_null(strstr(diff, "+<b passwd='***'/><c passwd=\"***\"/>\n"));
    assert_non_null(strstr(diff, "+<d passwd='***'/><e passwd='open\n"));
}

static void
test_diff_applies(void **state)
{
    g_autoptr(GRand) rand = seeded("diff");

    (void)state;
    for (int i = 0; i < 1000; i++) {
        g_autofree char *a = random_lines(rand), *b = random_lines(rand);
        g_autofree char *diff = lp_domxml_diff(a, b);
        g_autofree char *c = apply(a, diff);

        assert_string_equal(c, b);
    }
}

static void
test_diff_of_huge_texts_is_bounded(void **state)
{
    GString *a = g_string_new(NULL), *b = g_string_new(NULL);
    g_autofree char *diff = NULL, *c = NULL;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        g_string_append_printf(a, "a%d\n", i);
        g_string_append_printf(b, "b%d\n", i);
    }
    diff = lp_domxml_diff(a->str, b->str);
    c = apply(a->str, diff);
    assert_string_equal(c, b->str);
    g_string_free(a, TRUE);
    g_string_free(b, TRUE);
}

/* Random damage: an error or a result, never a crash; and what is made can be read again. */
static void
test_fuzz(void **state)
{
    static const char *const bits[] = { "<", ">", "'", "</", "-1", "0", "99999999999999999999",
                                        "&amp;", "&x;", "<cell/>", "<vcpu/>", "\xff", "" };
    g_autoptr(GRand) rand = seeded("fuzz");
    LpShape shape = shape_of_two();
    LpConfigChange change = { .vcpus = 2, .set_memory = true, .metadata = profile };
    unsigned n_enabled = 0;

    (void)state;
    for (int i = 0; i < FUZZ_ROUNDS; i++) {
        g_autoptr(GString) text = g_string_new(live);
        g_autoptr(LpView) view = lp_view_new();
        g_autofree char *enabled = NULL, *changed = NULL, *device = NULL;

        for (int n = g_rand_int_range(rand, 1, 4); n > 0; n--) {
            gssize at = g_rand_int_range(rand, 0, (gint32)text->len);
            gssize length = g_rand_int_range(rand, 0, 30);

            g_string_erase(text, at, MIN(length, (gssize)text->len - at));
            g_string_insert(text, at, bits[g_rand_int_range(rand, 0, G_N_ELEMENTS(bits))]);
        }
        lp_domxml_read(text->str, view, NULL);
        changed = lp_domxml_change(text->str, &change, NULL);
        device = lp_domxml_device_requested(text->str, 0, 2 * MIB, NULL);
        enabled = lp_domxml_enable(text->str, &shape, NULL);
        if (enabled) {
            g_autofree char *again = enable_ok(enabled, &shape);

            assert_string_equal(enabled, again);
            n_enabled++;
        }
    }
    /* The loop is worth nothing if every text was refused at the door. */
    assert_true(n_enabled > FUZZ_ROUNDS / 50);
}

/* `what` of the running domain's XML by `with`.  Caller frees. */
static char *
replaced(const char *what, const char *with)
{
    const char *at = strstr(live, what);

    assert_non_null(at);
    return g_strdup_printf("%.*s%s%s", (int)(at - live), live, with, at + strlen(what));
}

/* What libvirt never writes, but a hand might. */
static void
test_twice_and_missing(void **state)
{
    char *vcpus = replaced("<vcpu id='1'", "<vcpu id='2'");
    char *cells = replaced("<cell id='1'", "<cell id='0'");
    char *block = replaced("<block unit='KiB'>2048</block>", "");
    LpView *view = lp_view_new();
    GError *error = NULL;

    (void)state;
    assert_false(lp_domxml_read(vcpus, view, &error));
    assert_int_equal(error->code, LP_DRIVER_ERROR_INVALID);
    g_clear_error(&error);
    lp_view_free(view);
    view = lp_view_new();
    assert_false(lp_domxml_read(cells, view, &error));
    assert_int_equal(error->code, LP_DRIVER_ERROR_INVALID);
    g_clear_error(&error);
    lp_view_free(view);
    view = read_ok(block);
    assert_true(view->cells[0].block_bytes == 2 * MIB);
    lp_view_free(view);
    g_free(vcpus);
    g_free(cells);
    g_free(block);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twice_and_missing),
        cmocka_unit_test(test_read_live),
        cmocka_unit_test(test_read_plain),
        cmocka_unit_test(test_read_nonsense),
        cmocka_unit_test(test_parse_error_names_the_line),
        cmocka_unit_test(test_enable_new),
        cmocka_unit_test(test_enable_keeps_what_is_not_its_own),
        cmocka_unit_test(test_enable_same_shape_changes_nothing),
        cmocka_unit_test(test_enable_reshapes),
        cmocka_unit_test(test_enable_numatune),
        cmocka_unit_test(test_read_numatune),
        cmocka_unit_test(test_read_pins),
        cmocka_unit_test(test_backends),
        cmocka_unit_test(test_change_nodes),
        cmocka_unit_test(test_change_pins),
        cmocka_unit_test(test_enable_i440fx),
        cmocka_unit_test(test_enable_refuses),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_change_removes_vcpus_from_the_top),
        cmocka_unit_test(test_change_refuses),
        cmocka_unit_test(test_change_spreads_a_total),
        cmocka_unit_test(test_device_requested),
        cmocka_unit_test(test_metadata_bare),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_diff_masks_passwords),
        cmocka_unit_test(test_diff_applies),
        cmocka_unit_test(test_diff_of_huge_texts_is_bounded),
        cmocka_unit_test(test_fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
