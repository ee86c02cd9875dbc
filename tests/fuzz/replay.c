/* Runs a fuzz target on every file of its corpus.  TAP.
 *
 * usage: fuzz_TARGET [FILE | DIRECTORY]...      without: its own corpus */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static unsigned n_run;

static bool
replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t size = 0, room = 1 << 16;
    uint8_t *data = malloc(room), *exact;

    if (file == NULL) {
        printf("# %s: %s\n", path, strerror(errno));
        free(data);
        return false;
    }
    while ((size += fread(data + size, 1, room - size, file)) == room)
        data = realloc(data, room *= 2);
    fclose(file);
    /* The sanitizer then sees a read past the end. */
    exact = malloc(size > 0 ? size : 1);
    memcpy(exact, data, size);
    free(data);
    /* The last line before an abort() names its cause. */
    printf("# %s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    n_run++;
    return true;
}

static bool
replay(const char *path)
{
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    bool good = true;

    if (n < 0 && errno == ENOTDIR)
        return replay_file(path);
    if (n < 0) {
        printf("# %s: %s\n", path, strerror(errno));
        return false;
    }
    for (int i = 0; i < n; i++) {
        char *file = NULL;

        if (names[i]->d_name[0] != '.' && asprintf(&file, "%s/%s", path, names[i]->d_name) > 0)
            good = replay_file(file) && good;
        free(file);
        free(names[i]);
    }
    free(names);
    return good;
}

int
main(int argc, char **argv)
{
    const char *srcdir = getenv("srcdir"), *slash = strrchr(argv[0], '/');
    const char *name = slash != NULL ? slash + 1 : argv[0];
    bool good = true;

    /* An input that never ends is a failure too. */
    alarm(600);
    printf("1..1\n");
    for (int i = 1; i < argc; i++)
        good = replay(argv[i]) && good;
    if (argc < 2) {
        char *corpus = NULL;

        if (asprintf(&corpus, "%s/tests/fuzz/corpus/%s", srcdir != NULL ? srcdir : ".", name) < 0)
            return 1;
        good = replay(corpus);
        free(corpus);
    }
    /* Nothing to run is nothing held. */
    good = good && n_run > 0;
    printf("%s 1 - %s: %u inputs\n", good ? "ok" : "not ok", name, n_run);
    return good ? 0 : 1;
}
