#include "lpard/sandbox.h"

#include <cap-ng.h>
#include <string.h>
#include <unistd.h>

#include "lpard/error.h"
#include "lpard/sandbox-filter.h"

/* What root's lpard does that its being root alone does not permit.  Each was tried without. */
static const unsigned KEPT[] = {
    CAP_DAC_OVERRIDE,    /* the agents' sockets and the directories above them are QEMU's user's */
    CAP_SYS_PTRACE,      /* where the memory of a QEMU is, and moving it */
    CAP_SYS_NICE,        /* moving memory that a QEMU shares with others */
};
/* And where there is need: CAP_CHOWN, CAP_SYS_ADMIN. */
#define N_KEPT_MAX (G_N_ELEMENTS(KEPT) + 2)

/* There is such a file where the kernel can balance pages over nodes, which it may be told to do at
 * any time. */
#define NUMA_BALANCING "/proc/sys/kernel/numa_balancing"

#define CURE_OFF "; `sandbox = off` under [lpard] in lpard.conf starts lpard without"

static char *names[N_KEPT_MAX + 1];
static LpSandbox state = { .reason = "it has not been entered yet" };

const LpSandbox *
lp_sandbox(void)
{
    return &state;
}

bool
lp_sandbox_uri_runs_programs(const char *uri)
{
    g_autofree char *scheme = g_uri_parse_scheme(uri);
    g_autofree char *path = g_strndup(uri, strcspn(uri, "?#"));
    const char *transport = scheme ? strchr(scheme, '+') : NULL;

    if (g_str_has_suffix(path, "/session") || g_str_has_suffix(path, "/embed"))
        return true;
    return transport && (strcmp(transport, "+ssh") == 0 || strcmp(transport, "+ext") == 0);
}

/* valgrind and the sanitizers do work of their own inside the process, some of it by calls that
 * lpard never makes. */
static const char *
instrumented(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return "this build has a sanitizer in it";
#else
    const char *preload = g_getenv("LD_PRELOAD");

    return preload && strstr(preload, "vgpreload") ? "valgrind runs it" : NULL;
#endif
}

static const char *
why_not(const LpSettings *settings)
{
    if (settings->no_sandbox)
        return "lpard.conf says `sandbox = off`";
    if (lp_sandbox_uri_runs_programs(settings->uri))
        return "libvirt runs programs of its own for this connection";
    return instrumented();
}

static void
keep(unsigned capability)
{
    size_t n = 0;

    /* One that is not there, as in a container, cannot be had by asking. */
    if (!capng_have_capability(CAPNG_PERMITTED, capability))
        return;
    while (names[n])
        n++;
    names[n] = g_strdup(capng_capability_to_name(capability));
}

bool
lp_sandbox_hides_pages(uint32_t n_nodes)
{
    return n_nodes > 1 && access(NUMA_BALANCING, F_OK) == 0;
}

static bool
drop_capabilities(const LpSettings *settings, bool hides_pages)
{
    capng_select_t sets = CAPNG_SELECT_CAPS;

    if (capng_get_caps_process() != 0)
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(KEPT); i++)
        keep(KEPT[i]);
    /* To give the socket to its group. */
    if (settings->socket_group)
        keep(CAP_CHOWN);
    /* A page that balancing has hidden is found by its frame's number, which is an administrator's to
     * know; idle guests are hidden wholly after a while.  What else this one permits (mounts, namespaces,
     * quotas, devices) takes system calls that the filter refuses. */
    if (hides_pages)
        keep(CAP_SYS_ADMIN);
    /* Of no use to a process that runs no program, but there need not be more in it either. */
    if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
        sets = CAPNG_SELECT_ALL;
    capng_clear(CAPNG_SELECT_ALL);
    for (char **name = names; *name; name++)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
                     (unsigned) capng_name_to_capability(*name));
    return capng_apply(sets) == 0;
}

bool
lp_sandbox_enter(const LpSettings *settings, bool hides_pages, GError **error)
{
    int code;

    state = (LpSandbox) { .reason = why_not(settings) };
    if (state.reason)
        return true;
    if (!drop_capabilities(settings, hides_pages)) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL,
                    "lpard's capabilities cannot be reduced to those that it needs" CURE_OFF);
        return false;
    }
    code = lp_sandbox_filter_load();
    if (code != 0) {
        g_set_error(error, LP_ERROR, LP_ERROR_INTERNAL,
                    "the kernel does not take lpard's filter of system calls: %s" CURE_OFF,
                    g_strerror(-code));
        return false;
    }
    state = (LpSandbox) { .on = true, .capabilities = names };
    return true;
}
