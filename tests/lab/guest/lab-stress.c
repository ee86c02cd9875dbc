/* lab-stress MIB SECONDS: a load that checks its memory.  It fills MIB of memory with a pattern
 * that is different in each word and each round, and verifies all of it before it writes the
 * next; for so many seconds, or with 0 until it is killed.  The number of rounds verified is kept
 * in /run/lab-stress.count.  A word that differs: it says "lost" and where, and ends with 1. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define COUNT_FILE "/run/lab-stress.count"
#define PAGE_WORDS (4096 / sizeof(uint64_t))

/* Words that no other page and no other round has: one page lost, exchanged or left over from
 * the round before shows at once. */
static uint64_t
word(size_t at, uint64_t round)
{
    return (at + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ round * UINT64_C(0xbf58476d1ce4e5b9);
}

static void
fill(volatile uint64_t *memory, size_t n_words, uint64_t round)
{
    for (size_t at = 0; at < n_words; at++)
        memory[at] = word(at, round);
}

static int
verify(const volatile uint64_t *memory, size_t n_words, uint64_t round)
{
    for (size_t at = 0; at < n_words; at++) {
        if (memory[at] == word(at, round))
            continue;
        printf("lost: page %zu, word %zu, round %llu\n", at / PAGE_WORDS, at % PAGE_WORDS,
               (unsigned long long) round);
        return 0;
    }
    return 1;
}

static void
count(uint64_t rounds)
{
    char text[24];
    int length = snprintf(text, sizeof(text), "%llu\n", (unsigned long long) rounds);
    int fd = open(COUNT_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    /* It only grows, so what is written over is never longer; and the file is never empty to
     * somebody who looks. */
    if (fd < 0 || write(fd, text, (size_t) length) != length)
        perror("lab-stress: " COUNT_FILE);
    if (fd >= 0)
        close(fd);
}

int
main(int argc, char **argv)
{
    size_t n_words = argc == 3 ? strtoul(argv[1], NULL, 10) * (1UL << 20) / sizeof(uint64_t) : 0;
    time_t seconds = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    struct timespec from, now;
    uint64_t *memory = mmap(NULL, n_words * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (n_words == 0 || memory == MAP_FAILED) {
        perror("lab-stress: mmap");
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (uint64_t round = 1;; round++) {
        fill(memory, n_words, round);
        if (!verify(memory, n_words, round)) {
            fflush(stdout);
            return 1;
        }
        if (seconds == 0)
            count(round);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (seconds > 0 && now.tv_sec - from.tv_sec >= seconds)
            return 0;
    }
}
