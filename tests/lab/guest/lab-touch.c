/* lab-touch ADDRESS MIB: a guest that does not keep to its grant.  Writes a word into each page
 * of physical memory from ADDRESS on, by /dev/mem, whatever is there; prints how many MiB it was
 * able to write. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MIB (1UL << 20)
#define PAGE 4096UL

int
main(int argc, char **argv)
{
    uint64_t address = argc == 3 ? strtoull(argv[1], NULL, 0) : 0;
    unsigned long done = 0, wanted = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);

    if (fd < 0 || !address) {
        perror("lab-touch: /dev/mem");
        return 1;
    }
    for (; done < wanted; done++) {
        volatile uint8_t *map = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                                     (off_t) (address + done * MIB));

        if (map == MAP_FAILED) {
            perror("lab-touch: mmap");
            break;
        }
        for (unsigned long at = 0; at < MIB; at += PAGE)
            map[at] = 1;
        munmap((void *) map, MIB);
    }
    printf("%lu\n", done);
    return done == wanted ? 0 : 1;
}
