/* lab-pin MIB: a guest's program that holds on to its pages.  It takes MIB of memory and gives it
 * back but for one page in each 512 KiB, which it keeps in pipes: such a page cannot be moved, so
 * the memory around it cannot be unplugged, although nearly all of it is free.  Stays in the
 * background; prints how many pages it holds. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096UL
#define STRIDE (512UL << 10)
/* What a pipe holds by default. */
#define PIPE_PAGES 16

int
main(int argc, char **argv)
{
    size_t bytes = argc == 2 ? strtoul(argv[1], NULL, 10) << 20 : 0;
    unsigned long held = 0;
    int ends[2] = {-1, -1};
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED || madvise(memory, bytes, MADV_NOHUGEPAGE) < 0) {
        perror("lab-pin: mmap");
        return 1;
    }
    memset(memory, 1, bytes);
    for (size_t at = 0; at < bytes; at += STRIDE, held++) {
        struct iovec page = {memory + at, PAGE};

        if (held % PIPE_PAGES == 0 && pipe(ends) < 0) {
            perror("lab-pin: pipe");
            return 1;
        }
        if (vmsplice(ends[1], &page, 1, SPLICE_F_NONBLOCK) != (ssize_t) PAGE) {
            perror("lab-pin: vmsplice");
            return 1;
        }
    }
    madvise(memory, bytes, MADV_DONTNEED);
    printf("%lu\n", held);
    fflush(stdout);
    if (fork() == 0) {
        close(1);
        for (;;)
            pause();
    }
    return 0;
}
