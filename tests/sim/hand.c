/* What happens behind lpard's back, and what goes wrong around it. */
#include <string.h>

#include "tests/sim/clock.h"
#include "tests/sim/disk.h"
#include "tests/sim/everything.h"
#include "tests/sim/fibers.h"

#define YEARS_USEC(n) ((n) * 365LL * 86400 * G_USEC_PER_SEC)
/* The journal keeps a month, and purges its oldest days. */
#define KEPT_USEC (28LL * 86400 * G_USEC_PER_SEC)

static void
tell(const char *name, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
tell(const char *name, const char *format, ...)
{
    g_autofree char *json = NULL;
    g_autoptr(GError) error = NULL;
    va_list args;

    va_start(args, format);
    json = g_strdup_vprintf(format, args);
    va_end(args);
    say("%s: %s%s%s", name ? name : "host", json,
        lp_sim_tell(world.uri, name, json, &error) ? "" : ": ", error ? error->message : "");
}

/* ---- lpard and what it stands on ---- */

static void
kill_lpard(void)
{
    bool politely = one_in(4);

    if (!world.journal)
        return;
    count_fault(politely ? FAULT_RESTART : FAULT_KILL);
    lpard_stop(!politely);
    /* At once, or by somebody who has to see it first. */
    if (one_in(2))
        lpard_start();
}

static void
disk(void)
{
    static const DiskState states[] = {DISK_FULL, DISK_EIO, DISK_SYNC_EIO};
    DiskState state = states[draw(0, 2)];

    count_fault(state == DISK_FULL ? FAULT_DISK_FULL : FAULT_DISK_EIO);
    say("disk: %s", state == DISK_FULL ? "full" : state == DISK_EIO ? "fails" : "fails to sync");
    disk_set(state, draw(1, 100000));
}

static void
libvirt_goes(void)
{
    count_fault(FAULT_LIBVIRT_GONE);
    world.gone = true;
    world.back_usec = 0;
    tell(NULL, "{\"do\": \"disconnect\"}");
    /* Who waits for an answer is told that there will be none. */
    fiber_wake(&world.gone);
}

static void
libvirt_returns(void)
{
    world.gone = false;
    world.back_usec = clock_now_usec();
    tell(NULL, "{\"do\": \"connect\"}");
}

static void
calls(void)
{
    world.calls = (CallFaults){
        .usec = draw(100, one_in(4) ? 200000 : 5000),
        .slow = one_in(2) ? (uint32_t) draw(2, 20) : 0, .hung = one_in(3) ? (uint32_t) draw(10, 60) : 0,
        .cut_before = one_in(3) ? (uint32_t) draw(3, 20) : 0,
        .cut_after = one_in(3) ? (uint32_t) draw(3, 20) : 0,
        .refused = one_in(3) ? (uint32_t) draw(3, 20) : 0,
    };
    say("calls: slow %u, hung %u, cut %u/%u, refused %u", world.calls.slow, world.calls.hung,
        world.calls.cut_before, world.calls.cut_after, world.calls.refused);
}

static void
clocks(void)
{
    int64_t usec = one_in(2) ? draw(-YEARS_USEC(10), YEARS_USEC(10))
                             : draw(-600, 600) * G_USEC_PER_SEC;

    count_fault(FAULT_CLOCK);
    say("the wall clock jumps by %" PRId64 " s", usec / G_USEC_PER_SEC);
    clock_jump(usec);
    world.purged |= ABS(usec) >= KEPT_USEC;
}

/* Good again, each thing at its own time. */
static void
mend(void)
{
    if (!world.journal && one_in(2))
        lpard_start();
    if (world.gone && one_in(2))
        libvirt_returns();
    if (one_in(3))
        disk_set(DISK_GOOD, draw(100, 5000));
    if (one_in(5))
        world.calls = (CallFaults){.usec = draw(100, 5000)};
}

/* ---- guests ---- */

/* Where somebody starts what lpard has given away the room of, the host is overfull, and that is not
 * lpard's doing: such worlds are those that are meddled with. */
static void
run_state(LpSimDomain *domain)
{
    if (domain->run == LP_RUN_OFF) {
        judge_disturbed(domain->uuid, true);
        tell(domain->name, "{\"do\": \"start\"}");
    } else if (domain->run == LP_RUN_PAUSED) {
        tell(domain->name, "{\"do\": \"resume\"}");
    } else if (world.meddled && one_in(3)) {
        count_fault(FAULT_GUEST_STOPPED);
        judge_disturbed(domain->uuid, false);
        tell(domain->name, "{\"do\": \"%s\"}", one_in(2) ? "stop" : "crash");
    } else if (one_in(2)) {
        count_fault(FAULT_GUEST_PAUSED);
        tell(domain->name, "{\"do\": \"pause\"}");
    } else {
        count_fault(FAULT_GUEST_RESET);
        judge_disturbed(domain->uuid, false);
        tell(domain->name, "{\"do\": \"reset\"}");
    }
}

static void
unplugs(LpSimDomain *domain)
{
    static const char *const forms[] = {
        "{\"refuse_unplug\": true, \"late_unplug_msec\": 0}",
        "{\"refuse_unplug\": true, \"late_unplug_msec\": 2000}",
        "{\"refuse_unplug\": true, \"late_unplug_msec\": 40000}",
        "{\"stuck_cpus\": \"1-2\"}",
        "{\"stuck_cpus\": \"\", \"refuse_unplug\": false}",
    };

    count_fault(FAULT_UNPLUG);
    if (one_in(2))
        tell(domain->name, "%s", forms[draw(0, G_N_ELEMENTS(forms) - 1)]);
    else
        tell(domain->name, "{\"unmovable_bytes\": %" PRIu64 "}",
             (uint64_t) (draw(0, 48) * 128 * (int64_t) MIB));
}

static void
agents(LpSimDomain *domain)
{
    static const char *const forms[] = {
        "{\"agent\": false}", "{\"agent\": true, \"agent_silent\": false, \"agent_nonsense\": false}",
        "{\"agent_silent\": true}", "{\"agent_nonsense\": true}", "{\"no_answer\": true}",
        "{\"no_answer\": false, \"answer_msec\": 3000}", "{\"veto\": \"backup\"}",
        "{\"veto\": \"\", \"veto_pre\": \"\"}", "{\"veto_pre\": \"no\"}", "{\"post_fails\": \"hook\"}",
        "{\"leave\": \"1\"}", "{\"stop_at_bytes\": 1073741824, \"stop_back_bytes\": 134217728}",
        "{\"resident_bytes\": 70368744177664}", "{\"resident_bytes\": 0}",
        "{\"stats_total_bytes\": 1, \"stats_usable_bytes\": 1099511627776}",
        "{\"qga\": true, \"qga_msec\": 7000}", "{\"memory_waits\": true}",
        "{\"used_bytes\": 1099511627776}", "{\"psi_mem_centi\": 9000, \"refaults\": 1000000}",
        "{\"ask\": {\"id\": 1, \"mode\": \"add\", \"cpu\": 1, \"mem_bytes\": 1073741824, "
        "\"who\": \"etl\", \"why\": \"import\"}}",
        "{\"ask\": {\"id\": 2, \"mode\": \"set\", \"cpu\": 1000, \"mem_bytes\": 0, "
        "\"who\": \"x\", \"why\": \"more\"}}",
    };

    count_fault(FAULT_AGENT);
    tell(domain->name, "%s", forms[draw(0, G_N_ELEMENTS(forms) - 1)]);
}

static void
qemu_hangs(LpSimDomain *domain)
{
    count_fault(FAULT_QEMU_HUNG);
    tell(domain->name, "{\"hang_call_msec\": %d, \"hang_look\": %s}",
         one_in(2) ? 0 : (int) draw(100, 60000), one_in(2) ? "true" : "false");
}

static void
guest_load(LpSimDomain *domain)
{
    tell(domain->name, "{\"used_bytes\": %" PRIu64 ", \"busy_centi\": %d}",
         (uint64_t) (draw(1, 24) * 256 * (int64_t) MIB), (int) draw(0, 10000));
}

/* ---- virsh ---- */

typedef enum { EDIT_MEM, EDIT_VCPU, EDIT_DIMM, EDIT_METADATA, EDIT_NEW, EDIT_UNDEFINE, EDITS } Edit;

typedef struct {
    Edit what;
    uint64_t bytes;
    uint32_t vcpu;
    bool plugged;
    char *uuid, *name;
} Errand;

static char *
plain_xml(const char *name, uint64_t bytes)
{
    return g_strdup_printf(
        "<domain type='kvm'><name>%s</name><memory unit='b'>%" PRIu64 "</memory>"
        "<vcpu>1</vcpu><os><type>hvm</type></os></domain>",
        name, bytes);
}

static void
define_other(LpConn *conn, const Errand *errand)
{
    g_autofree char *xml = plain_xml(errand->name, errand->bytes), *uuid = NULL;

    if (lp_driver_sim.define(conn, xml, &uuid, NULL))
        (void) lp_driver_sim.start(conn, uuid, NULL);
}

/* Another process, which waits for libvirt as lpard does. */
static gpointer
run_errand(gpointer data)
{
    Errand *errand = data;
    LpConn *conn = lp_driver_sim.open(world.uri, NULL);
    bool ok = true;

    switch (errand->what) {
    case EDIT_MEM:
        ok = lp_driver_sim.set_requested(conn, errand->uuid, 0, errand->bytes, NULL);
        break;
    case EDIT_VCPU:
        ok = lp_driver_sim.set_vcpu(conn, errand->uuid, errand->vcpu, errand->plugged, NULL);
        break;
    case EDIT_DIMM:
        ok = lp_driver_sim.attach_dimm(conn, errand->uuid, 0, errand->bytes, NULL);
        break;
    case EDIT_METADATA:
        ok = lp_driver_sim.set_metadata(conn, errand->uuid, NULL, NULL);
        break;
    case EDIT_NEW:
        define_other(conn, errand);
        break;
    default:
        ok = lp_driver_sim.undefine(conn, errand->uuid, NULL);
        break;
    }
    judge_disturbed(errand->uuid, true);
    say("virsh %d of %s: %s", errand->what, errand->name, ok ? "ok" : "failed");
    lp_driver_sim.close(conn);
    g_free(errand->uuid);
    g_free(errand->name);
    g_free(errand);
    return NULL;
}

static void
edit(LpSimDomain *domain)
{
    Errand *errand = g_new0(Errand, 1);
    int64_t what = draw(0, 19);

    errand->what = what < 8 ? EDIT_MEM : what < 13 ? EDIT_VCPU : what < 15 ? EDIT_DIMM
                   : what < 16 ? EDIT_METADATA : what < 18 ? EDIT_NEW : EDIT_UNDEFINE;
    errand->uuid = g_strdup(domain->uuid);
    errand->name = errand->what == EDIT_NEW ? g_strdup_printf("other%u", world.n_others++)
                                            : g_strdup(domain->name);
    errand->bytes = (uint64_t) draw(0, 24) * 128 * MIB + 128 * MIB;
    errand->vcpu = (uint32_t) draw(1, 7);
    errand->plugged = one_in(2);
    count_fault(errand->what >= EDIT_NEW ? FAULT_DOMAINS : FAULT_EDITED);
    judge_disturbed(errand->uuid, true);
    g_thread_unref(g_thread_new("virsh", run_errand, errand));
}

/* ---- all of it ---- */

void
hand_step(void)
{
    LpSimDomain *domain = domain_at_random();
    int64_t what = draw(0, 99);

    mend();
    /* Nobody leaves a guest paused for long. */
    if (domain && domain->run == LP_RUN_PAUSED && one_in(2))
        tell(domain->name, "{\"do\": \"resume\"}");
    if (what < 10)
        kill_lpard();
    else if (what < 15)
        disk();
    else if (what < 20)
        world.gone ? libvirt_returns() : libvirt_goes();
    else if (what < 32)
        calls();
    else if (what < 38)
        clocks();
    else if (!domain)
        return;
    else if (what < 52)
        run_state(domain);
    else if (what < 62)
        unplugs(domain);
    else if (what < 78)
        agents(domain);
    else if (what < 84)
        qemu_hangs(domain);
    else if (what < 90)
        guest_load(domain);
    else if (world.meddled)
        edit(domain);
}

void
hand_rest(void)
{
    disk_set(DISK_GOOD, 1000);
    world.calls = (CallFaults){.usec = 1000};
    if (world.gone)
        libvirt_returns();
    for (guint i = 0; i < domains()->len; i++) {
        LpSimDomain *domain = g_ptr_array_index(domains(), i);

        tell(domain->name,
             "{\"agent\": true, \"agent_silent\": false, \"agent_nonsense\": false, "
             "\"no_answer\": false, \"answer_msec\": 0, \"veto\": \"\", \"veto_pre\": \"\", "
             "\"refuse_unplug\": false, \"late_unplug_msec\": 0, \"stuck_cpus\": \"\", "
             "\"hang_call_msec\": 0, \"hang_look\": false, \"resident_bytes\": 0, "
             "\"stop_at_bytes\": 0, \"qga_msec\": 0, \"psi_mem_centi\": 0, \"used_bytes\": 0%s}",
             domain->run == LP_RUN_PAUSED ? ", \"do\": \"resume\"" : "");
    }
    if (!world.journal)
        lpard_start();
    if (world.journal)
        lp_scaler_set(world.scaler, LP_MODE_OFF, false, NULL, NULL);
}
