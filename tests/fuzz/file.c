#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

const char *
lp_fuzz_file(const uint8_t *data, size_t size)
{
    static char path[64];
    static int fd = -1;
    size_t written = 0;

    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    LP_MUST(fd >= 0 && ftruncate(fd, 0) == 0);
    while (written < size) {
        ssize_t n = pwrite(fd, data + written, size - written, (off_t)written);

        LP_MUST(n > 0 || (n < 0 && errno == EINTR));
        written += n > 0 ? (size_t)n : 0;
    }
    return path;
}

char *
lp_fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    LP_MUST(text != NULL);
    for (size_t i = 0; i < size; i++)
        text[i] = data[i] != '\0' ? (char)data[i] : ' ';
    text[size] = '\0';
    return text;
}

uint8_t
lp_fuzz_byte(LpFuzzInput *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

uint64_t
lp_fuzz_number(LpFuzzInput *input, unsigned n_bytes)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < n_bytes; i++)
        number |= (uint64_t)lp_fuzz_byte(input) << (8 * i);
    return number;
}

uint64_t
lp_fuzz_below(LpFuzzInput *input, uint64_t n)
{
    unsigned n_bytes = n <= 1 << 8 ? 1 : n <= 1 << 16 ? 2 : n <= UINT64_C(1) << 32 ? 4 : 8;

    return lp_fuzz_number(input, n_bytes) % n;
}
