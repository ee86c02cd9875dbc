/* A fuzz target: run by libFuzzer (tests/fuzz/run), and by replay.c on the kept corpus. */
#ifndef LP_TESTS_FUZZ_FUZZ_H
#define LP_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a file in memory: its path, good until the next call.  Main thread only. */
const char *lp_fuzz_file(const uint8_t *data, size_t size);
/* The input as a text without NUL but at its end, of its own so that the sanitizer sees a read past
 * that.  Caller frees. */
char *lp_fuzz_text(const uint8_t *data, size_t size);

/* What is left of an input that is read as numbers; past its end all are 0. */
typedef struct {
    const uint8_t *at;
    size_t left;
} LpFuzzInput;

uint8_t lp_fuzz_byte(LpFuzzInput *input);
/* Little-endian, of 1 to 8 bytes. */
uint64_t lp_fuzz_number(LpFuzzInput *input, unsigned n_bytes);
/* Less than n, which is not 0. */
uint64_t lp_fuzz_below(LpFuzzInput *input, uint64_t n);

/* What must hold for every input. */
#define LP_MUST(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

#endif
