/* The filter of system calls (seccomp), as tables.
 *
 * What is in none of them fails with EPERM, and the kernel logs it: a daemon that dies of a call
 * which a new version of some library makes would be the worse of the two, since the call fails in
 * either case.  A call by another architecture's numbers is nobody's mistake and ends the process. */
#include "lpard/sandbox-filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <linux/sockios.h>
#include <unistd.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Memory, without mmap() and mprotect(): see WITH_ARGUMENTS. */
static const int MEMORY[] = {
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mincore),
};

/* Threads of GLib, of libvirt's client and of lpard's workers; affinity is read for the topology
 * and for what a vCPU's thread may use, and GLib gives its pool's threads the first one's
 * scheduling. */
static const int THREADS[] = {
    SCMP_SYS(futex), SCMP_SYS(futex_waitv), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address), SCMP_SYS(gettid), SCMP_SYS(exit), SCMP_SYS(exit_group),
    SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getattr),
    SCMP_SYS(sched_setattr), SCMP_SYS(getcpu), SCMP_SYS(membarrier),
};

/* Signals to itself (WITH_ARGUMENTS has the sending), and waiting. */
static const int SIGNALS[] = {
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(eventfd2),
    SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
};

/* Reading clocks, never setting them. */
static const int TIME[] = {
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(nanosleep), SCMP_SYS(time),
};

/* The state directory, /proc, /sys, cgroup files (libcgroup), certificates; libraries that are
 * opened late (name services, TLS). */
static const int FILES[] = {
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(read), SCMP_SYS(write),
    SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(lseek),
    SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
    SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
    SCMP_SYS(getcwd), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(fcntl),
    SCMP_SYS(fadvise64),
    /* SQLite's locks, log and rollback; lpard's reserve for a full disk. */
    SCMP_SYS(flock), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir),
    /* The socket's and new files' modes and owners; SQLite gives its log those of its file. */
    SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(fchown),
    SCMP_SYS(fchownat), SCMP_SYS(lchown), SCMP_SYS(umask), SCMP_SYS(utimensat),
};

/* The API, libvirt, agents' channels, name look-ups.  WITH_ARGUMENTS has socket(). */
static const int SOCKETS[] = {
    SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept),
    SCMP_SYS(accept4), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(shutdown),
};

/* Who and where it is; what it may use. */
static const int FACTS[] = {
    SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
    SCMP_SYS(getegid), SCMP_SYS(getresuid), SCMP_SYS(getresgid), SCMP_SYS(getgroups),
    SCMP_SYS(getpgrp), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage), SCMP_SYS(times), SCMP_SYS(getrandom), SCMP_SYS(capget),
};

/* Where a guest's pages are, and moving them; reading one byte of a page that NUMA balancing hides. */
static const int PAGES[] = {
    SCMP_SYS(get_mempolicy), SCMP_SYS(move_pages), SCMP_SYS(process_vm_readv),
};

static const struct {
    const int *calls;
    size_t n;
} GROUPS[] = {
    { MEMORY, N(MEMORY) }, { THREADS, N(THREADS) }, { SIGNALS, N(SIGNALS) }, { TIME, N(TIME) },
    { FILES, N(FILES) }, { SOCKETS, N(SOCKETS) }, { FACTS, N(FACTS) }, { PAGES, N(PAGES) },
};

/* A newer call that takes its arguments in memory, where a filter cannot see them, or that nobody
 * needs: libraries go on to the older one at "there is no such call", and at nothing else. */
static const int ABSENT[] = {
    SCMP_SYS(clone3), SCMP_SYS(openat2), SCMP_SYS(close_range), SCMP_SYS(io_uring_setup),
    SCMP_SYS(copy_file_range), SCMP_SYS(memfd_create), SCMP_SYS(epoll_pwait2),
};

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
                    CLONE_NEWPID | CLONE_NEWNET)
/* The kernel looks at no more of an argument that is an int. */
#define INT UINT32_MAX
#define SELF UINT64_MAX           /* stands for this process's id */

/* Calls that are allowed only if (argument & mask) == value; a call more than once: in either case. */
static const struct {
    int call;
    unsigned argument;
    uint64_t mask, value;
} WITH_ARGUMENTS[] = {
    /* A thread, not a process. */
    { SCMP_SYS(clone), 0, CLONE_THREAD | NAMESPACES, CLONE_THREAD },
    /* Memory that was written is not executed. */
    { SCMP_SYS(mmap), 2, PROT_WRITE | PROT_EXEC, 0 },
    { SCMP_SYS(mmap), 2, PROT_WRITE | PROT_EXEC, PROT_WRITE },
    { SCMP_SYS(mmap), 2, PROT_WRITE | PROT_EXEC, PROT_EXEC },
    { SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
    /* abort(), and an end that is asked for by a signal. */
    { SCMP_SYS(kill), 0, INT, SELF },
    { SCMP_SYS(tgkill), 0, INT, SELF },
    { SCMP_SYS(prctl), 0, INT, PR_SET_NAME },
    { SCMP_SYS(prctl), 0, INT, PR_GET_NAME },
    /* Reading limits: no new one is given. */
    { SCMP_SYS(prlimit64), 2, UINT64_MAX, 0 },
    /* No packets, no virtual machines' sockets, no keys, no audit. */
    { SCMP_SYS(socket), 0, INT, AF_UNIX },
    { SCMP_SYS(socket), 0, INT, AF_INET },
    { SCMP_SYS(socket), 0, INT, AF_INET6 },
    /* What addresses this host has, which name look-ups ask. */
    { SCMP_SYS(socket), 0, INT, AF_NETLINK },
    /* How much is in a socket's queues, and whether a file is a terminal: none that makes one type. */
    { SCMP_SYS(ioctl), 1, INT, FIONREAD },
    { SCMP_SYS(ioctl), 1, INT, SIOCOUTQ },
    { SCMP_SYS(ioctl), 1, INT, FIONBIO },
    { SCMP_SYS(ioctl), 1, INT, TCGETS },
};

static int
add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
    int code = 0;

    for (size_t i = 0; i < n && code == 0; i++)
        code = seccomp_rule_add(filter, action, calls[i], 0);
    return code;
}

static int
add_rules(scmp_filter_ctx filter)
{
    int code = add_all(filter, SCMP_ACT_ERRNO(ENOSYS), ABSENT, N(ABSENT));

    for (size_t i = 0; i < N(GROUPS) && code == 0; i++)
        code = add_all(filter, SCMP_ACT_ALLOW, GROUPS[i].calls, GROUPS[i].n);
    for (size_t i = 0; i < N(WITH_ARGUMENTS) && code == 0; i++) {
        uint64_t value = WITH_ARGUMENTS[i].value == SELF ? (uint64_t) getpid()
                                                         : WITH_ARGUMENTS[i].value;

        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, WITH_ARGUMENTS[i].call, 1,
                                SCMP_CMP(WITH_ARGUMENTS[i].argument, SCMP_CMP_MASKED_EQ,
                                         WITH_ARGUMENTS[i].mask, value));
    }
    return code;
}

int
lp_sandbox_filter_load(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int code = filter ? 0 : -ENOMEM;

    if (code == 0)
        code = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (code == 0)
        code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1);
    if (code == 0)
        code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* A search tree instead of a list: a request makes a few dozen calls. */
    if (code == 0)
        code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (code == 0)
        code = add_rules(filter);
    /* Kernels from 4.14 on have a log of what was refused; none is no reason to do without a filter. */
    if (code == 0)
        (void) seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
    if (code == 0)
        code = seccomp_load(filter);
    seccomp_release(filter);
    return code;
}
