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

static unsigned long moved, stayed;

static int targets[NODES_MAX], n_targets;

static bool
put(int pid, unsigned long from, unsigned long to)
{
    static void *pages[PAGES];
    static int nodes[PAGES], status[PAGES];
    unsigned long n = 0;

    for (unsigned long address = from; address < to; address += PAGE, n++) {
        pages[n] = (void *) address;
        nodes[n] = targets[address / PIECE % (unsigned long) n_targets];
    }
    if (syscall(SYS_move_pages, pid, n, pages, nodes, status, MOVE_MINE) < 0) {
        perror("move_pages");
        return false;
    }
    for (unsigned long i = 0; i < n; i++) {
        moved += status[i] == nodes[i];
        stayed += status[i] >= 0 && status[i] != nodes[i];
    }
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

            if (!put(pid, from, end))
                return 1;
            from = end;
        }
    }
    fclose(maps);
    printf("%lu MiB moved, %lu MiB stayed\n", moved * PAGE >> 20, stayed * PAGE >> 20);
    return 0;
}
