/* qemu-guest-agent, through libvirt.
 *
 * By the raw command and not by virDomainSetGuestVcpus() and its kin: those wait without end for
 * an agent that is connected and dead, unless the timeout of the whole domain is changed, which
 * is its operator's.  libvirt marks the domain as tainted by it ("custom-ga-command", one line
 * in its log).  The agent's job in libvirt is apart from the domain's own, so effects go on. */
#include <libvirt/libvirt-qemu.h>

#include "hotplug/libvirt-priv.h"
#include "hotplug/qga.h"

/* Rounds of "set, look again": each does one batch of memory blocks, or what the vCPUs' round
 * before has left.  1024 blocks of 128 MiB are 128 GiB; whoever brings more asks again. */
#define ROUNDS_MAX 64

/* One call of lpard's.  Its commands share the time, since a guest may be just not late enough
 * with each of them. */
typedef struct {
    LpConn *conn;
    virDomainPtr domain;
    int64_t until_usec;
} Talk;

static Talk
talk_of(LpConn *conn, virDomainPtr domain)
{
    return (Talk){ conn, domain, g_get_monotonic_time() + LP_QGA_CALL_SEC * G_USEC_PER_SEC };
}

static bool
is_late(const Talk *talk)
{
    return g_get_monotonic_time() >= talk->until_usec;
}

static bool
fail(const Talk *talk, GError **error)
{
    bool silent = virGetLastErrorCode() == VIR_ERR_AGENT_UNRESPONSIVE;
    GError *inner = NULL;

    lp_libvirt_fail_effect(talk->conn, talk->domain, "qemu-guest-agent", &inner);
    if (silent && inner->code == LP_DRIVER_ERROR_FAILED)
        inner->code = LP_DRIVER_ERROR_TIMEOUT;
    g_propagate_error(error, inner);
    return false;
}

/* What the guest answers (caller decrefs), or NULL. */
static json_t *
ask(const Talk *talk, const char *command, GError **error)
{
    json_t *answer;
    char *text;

    if (is_late(talk)) {
        g_set_error_literal(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_TIMEOUT,
                            "qemu-guest-agent takes too long to answer");
        return NULL;
    }
    text = virDomainQemuAgentCommand(talk->domain, command, LP_QGA_TIMEOUT_SEC, 0);
    if (!text) {
        fail(talk, error);
        return NULL;
    }
    answer = lp_qga_answer(text, error);
    free(text);
    return answer;
}

static bool
get_cpus(const Talk *talk, LpQgaCpus *ret_cpus, GError **error)
{
    json_t *answer = ask(talk, "{\"execute\":\"guest-get-vcpus\"}", error);
    bool ok = answer && lp_qga_read_cpus(answer, ret_cpus, error);

    json_decref(answer);
    return ok;
}

static bool
ids_are_known(virDomainPtr domain, const LpQgaCpus *cpus)
{
    g_autofree char *xml = virDomainGetXMLDesc(domain, 0);
    g_autoptr(LpView) view = lp_view_new();

    return xml && lp_domxml_read(xml, view, NULL) && lp_qga_ids_are_known(cpus, view);
}

static bool
get_blocks(const Talk *talk, uint64_t from, LpQgaBlocks *ret_blocks,
           GError **error)
{
    json_t *answer = ask(talk, "{\"execute\":\"guest-get-memory-blocks\"}", error);
    bool ok = answer && lp_qga_read_blocks(answer, from, ret_blocks, error);

    json_decref(answer);
    return ok;
}

/* A guest's agent may be forbidden to tell of memory blocks, or its kernel has none: only then
 * is that no error. */
static bool
look_blocks(const Talk *talk, LpQgaState *state, GError **error)
{
    g_autoptr(GError) inner = NULL;
    LpQgaBlocks blocks;
    json_t *answer;

    answer = ask(talk, "{\"execute\":\"guest-get-memory-block-info\"}", &inner);
    state->has_blocks = answer && lp_qga_read_block_size(answer, &state->block_bytes, &inner) &&
                        get_blocks(talk, 0, &blocks, &inner);
    json_decref(answer);
    if (state->has_blocks) {
        state->online_bytes = blocks.n_online * state->block_bytes;
        state->offline_bytes = blocks.n_offline * state->block_bytes;
    } else if (!g_error_matches(inner, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED) &&
               !g_error_matches(inner, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED)) {
        g_propagate_error(error, g_steal_pointer(&inner));
        return false;
    }
    return true;
}

bool
lp_libvirt_qga_look(LpConn *conn, const char *uuid, LpQgaState *ret_state, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    const Talk talk = talk_of(conn, domain);
    LpQgaCpus cpus;

    *ret_state = (LpQgaState){ 0 };
    if (!domain || !get_cpus(&talk, &cpus, error))
        return false;
    ret_state->ids_known = ids_are_known(domain, &cpus);
    ret_state->online = cpus.online;
    ret_state->offlinable = cpus.offlinable;
    return look_blocks(&talk, ret_state, error);
}

/* Those of the present that are not as wanted and can be. */
static unsigned
to_change(const LpQgaCpus *cpus, const LpCpuMask *want, bool online, LpCpuMask *ret_change)
{
    lp_cpumask_clear(ret_change);
    for (int c = lp_cpumask_next(&cpus->present, 1); c >= 0;
         c = lp_cpumask_next(&cpus->present, c + 1u)) {
        if (lp_cpumask_has(want, (unsigned)c) == online &&
            lp_cpumask_has(&cpus->online, (unsigned)c) != online &&
            (online || lp_cpumask_has(&cpus->offlinable, (unsigned)c)))
            lp_cpumask_add(ret_change, (unsigned)c);
    }
    return lp_cpumask_count(ret_change);
}

/* One command, of which the guest may do a part. */
static bool
set_cpus(const Talk *talk, const LpCpuMask *change, bool online, GError **error)
{
    g_autofree char *command = lp_qga_set_cpus_command(change, online);
    json_t *answer = ask(talk, command, error);
    bool ok = answer != NULL;

    /* 0 of them, and no error: it would go on so for ever. */
    if (ok && json_integer_value(answer) <= 0) {
        g_set_error(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED,
                    "qemu-guest-agent: it brings no vCPU %s", online ? "online" : "offline");
        ok = false;
    }
    json_decref(answer);
    return ok;
}

bool
lp_libvirt_qga_set_vcpus(LpConn *conn, const char *uuid, const LpCpuMask *want, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    const Talk talk = talk_of(conn, domain);

    if (!domain)
        return false;
    /* It stops at the first that it cannot change, having changed those before. */
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        LpQgaCpus cpus;
        LpCpuMask change;
        bool online = true;

        /* Whoever asked looks, and asks again. */
        if (round > 0 && is_late(&talk))
            return true;
        if (!get_cpus(&talk, &cpus, error))
            return false;
        if (!ids_are_known(domain, &cpus)) {
            g_set_error_literal(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_UNSUPPORTED,
                                "the guest's processor numbers cannot be matched with vCPU ids");
            return false;
        }
        if (to_change(&cpus, want, online, &change) == 0)
            online = false;
        if (!online && to_change(&cpus, want, online, &change) == 0)
            return true;
        if (!set_cpus(&talk, &change, online, error))
            return false;
    }
    g_set_error_literal(error, LP_DRIVER_ERROR, LP_DRIVER_ERROR_FAILED,
                        "qemu-guest-agent: the guest's vCPUs do not stay as they are set");
    return false;
}

bool
lp_libvirt_qga_online_memory(LpConn *conn, const char *uuid, GError **error)
{
    g_autoptr(LpVirDomain) domain = lp_libvirt_find_running(conn, uuid, error);
    const Talk talk = talk_of(conn, domain);
    GError *first = NULL;
    uint64_t from = 0;

    if (!domain)
        return false;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        g_autofree char *command = NULL;
        LpQgaBlocks blocks;
        json_t *answer;

        if (round > 0 && is_late(&talk))
            break;
        if (!get_blocks(&talk, from, &blocks, first ? NULL : &first))
            break;
        if (blocks.n_listed == 0)
            break;
        command = lp_qga_online_blocks_command(&blocks);
        answer = ask(&talk, command, first ? NULL : &first);
        if (!answer)
            break;
        /* One that fails does not keep the others offline. */
        if (!lp_qga_read_block_results(answer, first ? NULL : &first))
            from = blocks.offline[blocks.n_listed - 1] + 1;
        json_decref(answer);
    }
    if (!first)
        return true;
    g_propagate_error(error, first);
    return false;
}
