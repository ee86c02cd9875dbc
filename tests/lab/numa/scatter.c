/* scatter PID NODE...: moves a process's own pages onto these nodes in turn, 2 MiB to each.  How the
 * lab puts a partition down wrongly; by the bare system call, so that nothing of lpard has a hand in it. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096UL
#define PIECE (2UL << 20)
/* Looked through in one call: the kernel makes all processors flush their lists for each. */
#define BATCH (64UL << 20)
#define PAGES (BATCH / PAGE)
#define NODES_MAX 16
#define MOVE_MINE 2 /* MPOL_MF_MOVE: only pages that nobody else maps */

static unsigned long stray_pages;
static int targets[NODES_MAX], n_targets;

static int
target_of(unsigned long address)
{
    return targets[address / PIECE % (unsigned long) n_targets];
}

/* Those of [from, to) that are a `step` apart; `strays`: only where they are not where they should be. */
static bool
put(int pid, unsigned long from, unsigned long to, unsigned long step, bool strays)
{
    static void *pages[PAGES];
    static int nodes[PAGES], status[PAGES];
    unsigned long n = 0, kept = 0;

    for (unsigned long address = from; address < to; address += step)
        pages[n++] = (void *) address;
    if (strays) {
        if (syscall(SYS_move_pages, pid, n, pages, NULL, status, 0) < 0)
            return false;
        for (unsigned long i = 0; i < n; i++)
            if (status[i] >= 0 && status[i] != target_of((unsigned long) pages[i]))
                pages[kept++] = pages[i];
        n = kept;
    }
    for (unsigned long i = 0; i < n; i++)
        nodes[i] = target_of((unsigned long) pages[i]);
    if (n && syscall(SYS_move_pages, pid, n, pages, nodes, status, MOVE_MINE) < 0)
        return false;
    for (unsigned long i = 0; strays && i < n; i++)
        stray_pages += status[i] != nodes[i];
    return true;
}

int
main(int argc, char **argv)
{
    char line[4096], path[64], mode[8];
    unsigned long from, to;
    FILE *maps;
    int pid;

    n_targets = argc - 2;
    if (n_targets < 1 || n_targets > NODES_MAX) {
        fprintf(stderr, "usage: scatter PID NODE...\n");
        return 2;
    }
    for (int i = 0; i < n_targets; i++)
        targets[i] = atoi(argv[2 + i]);
    pid = atoi(argv[1]);
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    maps = fopen(path, "r");
    if (!maps) {
        perror(path);
        return 1;
    }
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w')
            continue;
        while (from < to) {
            unsigned long end = to - from > BATCH ? from + BATCH : to;

            /* A huge page goes whole, by any page of it: then there is little left. */
            if (!put(pid, from, end, PIECE, false) || !put(pid, from, end, PAGE, true)) {
                perror("move_pages");
                return 1;
            }
            from = end;
        }
    }
    fclose(maps);
    printf("%lu MiB could not be moved\n", stray_pages * PAGE >> 20);
    return 0;
}
