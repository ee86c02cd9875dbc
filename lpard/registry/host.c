/* What the machine can do: hardware virtualization, and whether it can be used. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lpard/registry/registry.h"

static bool
has_flag(const char *flags, const char *flag)
{
    size_t length = strlen(flag);

    for (const char *at = strstr(flags, flag); at; at = strstr(at + 1, flag))
        if (at[-1] == ' ' && (at[length] == ' ' || at[length] == '\n' || at[length] == '\0'))
            return true;
    return false;
}

static void
read_cpu_flags(LpHost *host)
{
    g_autofree char *text = NULL;
    char *flags, *end;

    if (!g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL))
        return;
    flags = strstr(text, "\nflags");
    if (!flags)
        return;
    end = strchr(flags + 1, '\n');
    if (end)
        end[1] = '\0';
    host->has_vmx = has_flag(flags, "vmx");
    host->has_svm = has_flag(flags, "svm");
    host->has_nested_paging = has_flag(flags, "ept") || has_flag(flags, "npt");
}

/* A machine whose own memory was hotplugged may show only its boot memory in its node's file. */
static void
correct_memory(LpTopology *topology)
{
    g_autofree char *text = NULL;
    unsigned long long kib = 0;

    if (topology->n_nodes == 1 && g_file_get_contents("/proc/meminfo", &text, NULL, NULL)
        && sscanf(text, "MemTotal: %llu kB", &kib) == 1)
        topology->nodes[0].memory_bytes = MAX(topology->nodes[0].memory_bytes, kib * 1024);
}

void
lp_host_read(LpHost *ret_host, const LpTopology *topology, bool described)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int saved_errno = errno;

    memset(ret_host, 0, sizeof *ret_host);
    ret_host->topology = *topology;
    if (!described)
        correct_memory(&ret_host->topology);
    read_cpu_flags(ret_host);
    ret_host->kvm_device = fd >= 0;
    if (fd >= 0)
        close(fd);
    ret_host->kvm_usable = ret_host->kvm_device && (ret_host->has_vmx || ret_host->has_svm);
    if (ret_host->kvm_usable)
        return;
    if (ret_host->kvm_device)
        g_snprintf(ret_host->kvm_reason, sizeof ret_host->kvm_reason,
                   "/dev/kvm is there, but the processor shows neither vmx nor svm: not "
                   "VT-x/AMD-V, so guests are emulated");
    else
        g_snprintf(ret_host->kvm_reason, sizeof ret_host->kvm_reason, "/dev/kvm: %s%s",
                   g_strerror(saved_errno),
                   ret_host->has_vmx || ret_host->has_svm
                       ? "; load kvm_intel or kvm_amd, or join the group kvm"
                       : "; the processor shows neither vmx nor svm (switched off in the "
                         "firmware, or a virtual machine without nesting)");
}
