#include "agent/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/wire/words.h"

#define LP_CONF_FILE_MAX 65536
#define LP_CONF_LINE_MAX 512
#define LP_CONF_PRESSURE_LIMIT_CENTI 2000
#define LP_CONF_MOVABLE_RATIO 301      /* Linux's own default for auto_movable_ratio */
#define LP_CONF_HOOK_TIMEOUT_MSEC 5000

/* NULL, or what is wrong. */
typedef const char *LpConfTake(LpConf *conf, const char *value);

static void
set_text(char *to, const char *from)
{
    snprintf(to, LP_CONF_TEXT_MAX, "%s", from);
}

void
lp_conf_init(LpConf *conf)
{
    memset(conf, 0, sizeof(*conf));
    conf->pressure_limit_centi = LP_CONF_PRESSURE_LIMIT_CENTI;
    conf->movable_ratio_percent = LP_CONF_MOVABLE_RATIO;
    conf->hook_timeout_msec = LP_CONF_HOOK_TIMEOUT_MSEC;
    set_text(conf->hooks_dir, LP_CONF_HOOKS_DIR);
    set_text(conf->classes_file, LP_CONF_CLASSES_FILE);
    set_text(conf->classes_helper, LP_CONF_CLASSES_HELPER);
    set_text(conf->socket, LP_CONF_SOCKET);
}

/* A number of at most `decimals` digits after the point, as that many digits: "1.5" with 2 is
 * 150.  *ret_end is behind it.  False if there is none or it is more than `most`. */
static bool
read_number(const char *text, unsigned decimals, uint64_t most, uint64_t *ret_value,
            const char **ret_end)
{
    uint64_t value = 0;
    unsigned seen = 0;
    bool point = false;

    if (*text < '0' || *text > '9')
        return false;
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && decimals > 0 && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        if (point && ++seen > decimals)
            return false;
        if (value > (UINT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    if (point && seen == 0)
        return false;
    for (; seen < decimals; seen++) {
        if (value > UINT64_MAX / 10)
            return false;
        value *= 10;
    }
    *ret_value = value;
    *ret_end = text;
    return value <= most;
}

static const char *
take_forbid(LpConf *conf, const char *value)
{
    const char *problem = NULL;

    /* What can be understood is forbidden, whatever else the line says. */
    for (;;) {
        size_t length;
        bool known = false;

        value += strspn(value, " \t,");
        length = strcspn(value, " \t,");
        if (length == 0)
            return problem;
        for (unsigned i = 0; i < LP_WIRE_ACTS && !known; i++) {
            known = strlen(lp_wire_act_names[i]) == length &&
                    memcmp(lp_wire_act_names[i], value, length) == 0;
            if (known)
                conf->forbid |= 1u << i;
        }
        if (!known)
            problem = "there is an action in it that is unknown here";
        value += length;
    }
}

static const char *
take_floor_memory(LpConf *conf, const char *value)
{
    static const char suffixes[] = "KMGT";
    const char *end, *suffix;
    unsigned shift = 0;
    uint64_t bytes;

    if (!read_number(value, 0, UINT64_MAX, &bytes, &end))
        return "a size is a whole number and K, M, G or T";
    suffix = *end != '\0' ? strchr(suffixes, *end) : NULL;
    if (suffix != NULL) {
        shift = 10 * (unsigned)(suffix - suffixes + 1);
        end++;
    }
    if (*end != '\0' || bytes > (LP_WIRE_INTEGER_MAX >> shift))
        return "a size is a whole number and K, M, G or T";
    conf->floor_bytes = bytes << shift;
    return NULL;
}

static const char *
take_floor_cpus(LpConf *conf, const char *value)
{
    const char *end;
    uint64_t cpus;

    if (!read_number(value, 0, LP_MAX_CPUS, &cpus, &end) || *end != '\0')
        return "it must be a whole number, at most 1024";
    conf->floor_cpus = (uint32_t)cpus;
    return NULL;
}

static const char *
take_pressure_limit(LpConf *conf, const char *value)
{
    const char *end;
    uint64_t centi;

    if (!read_number(value, 2, LP_WIRE_PERCENT_MAX, &centi, &end) || centi < 100 ||
        strcmp(end + (*end == '%'), "") != 0)
        return "it must be a percentage from 1 to 100";
    conf->pressure_limit_centi = (uint32_t)centi;
    return NULL;
}

static const char *
take_movable_ratio(LpConf *conf, const char *value)
{
    const char *end;
    uint64_t percent;

    if (!read_number(value, 0, 10000, &percent, &end) || strcmp(end + (*end == '%'), "") != 0)
        return "it must be a whole percentage from 0 to 10000";
    conf->movable_ratio_percent = (uint32_t)percent;
    return NULL;
}

static const char *
take_hook_timeout(LpConf *conf, const char *value)
{
    const char *end;
    uint64_t seconds;

    if (!read_number(value, 0, 600, &seconds, &end) || seconds < 1 || *end != '\0')
        return "it must be a whole number of seconds from 1 to 600";
    conf->hook_timeout_msec = (uint32_t)seconds * 1000;
    return NULL;
}

static const char *
take_path(char *to, const char *value)
{
    if (value[0] != '/')
        return "it must be an absolute path";
    if (strlen(value) >= LP_CONF_TEXT_MAX)
        return "the path is too long";
    set_text(to, value);
    return NULL;
}

static const char *
take_hooks(LpConf *conf, const char *value)
{
    return take_path(conf->hooks_dir, value);
}

static const char *
take_classes(LpConf *conf, const char *value)
{
    return take_path(conf->classes_file, value);
}

static const char *
take_classes_helper(LpConf *conf, const char *value)
{
    return take_path(conf->classes_helper, value);
}

static const char *
take_socket(LpConf *conf, const char *value)
{
    if (strcmp(value, "none") != 0)
        return take_path(conf->socket, value);
    conf->socket[0] = '\0';
    return NULL;
}

static const char *
take_socket_group(LpConf *conf, const char *value)
{
    if (value[0] == '\0' || strpbrk(value, ": \t") != NULL)
        return "it must be the name or number of one group";
    if (strlen(value) >= sizeof(conf->socket_group))
        return "the name is too long";
    strcpy(conf->socket_group, value);
    return NULL;
}

static const struct {
    const char *key;
    LpConfTake *take;
} keys[] = {
    { "forbid", take_forbid },
    { "floor-memory", take_floor_memory },
    { "floor-cpus", take_floor_cpus },
    { "pressure-limit", take_pressure_limit },
    { "movable-ratio", take_movable_ratio },
    { "hook-timeout", take_hook_timeout },
    { "hooks", take_hooks },
    { "classes", take_classes },
    { "classes-helper", take_classes_helper },
    { "socket", take_socket },
    { "socket-group", take_socket_group },
};

/* Without blanks at both ends. */
static char *
trim(char *text)
{
    char *end;

    text += strspn(text, " \t\r");
    end = text + strlen(text);
    while (end > text && strchr(" \t\r", end[-1]) != NULL)
        end--;
    *end = '\0';
    return text;
}

/* NULL, or what is wrong with the line. */
static const char *
take_line(LpConf *conf, const char *bytes, size_t length)
{
    char line[LP_CONF_LINE_MAX + 1], *key, *value;

    if (memchr(bytes, '\0', length) != NULL)
        return "there is a NUL in it";
    if (length > LP_CONF_LINE_MAX)
        return "it is too long";
    memcpy(line, bytes, length);
    line[length] = '\0';
    key = trim(line);
    if (*key == '\0' || *key == '#')
        return NULL;
    value = strchr(key, '=');
    if (value == NULL)
        return "it is not \"key = value\"";
    *value++ = '\0';
    key = trim(key);
    value = trim(value);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i].key, key) == 0)
            return keys[i].take(conf, value);
    }
    return "there is no such key";
}

bool
lp_conf_parse(LpConf *conf, const char *text, size_t length, const char *name)
{
    const char *end = text + length;
    bool fine = true;

    for (unsigned number = 1; text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t used = (size_t)((newline != NULL ? newline : end) - text);
        const char *problem = take_line(conf, text, used);

        if (problem != NULL) {
            lp_log_warn("%s:%u: %s: ignored", name, number, problem);
            fine = false;
        }
        text += used + (newline != NULL);
    }
    return fine;
}

/* All of the file, or of its first LP_CONF_FILE_MAX bytes the lines that are whole. */
static ssize_t
read_all(int fd, char *text, bool *ret_cut)
{
    size_t used = 0;
    ssize_t n;

    while ((n = read(fd, text + used, LP_CONF_FILE_MAX + 1 - used)) != 0) {
        if (n < 0 && errno != EINTR)
            return -1;
        used += n > 0 ? (size_t)n : 0;
    }
    *ret_cut = used > LP_CONF_FILE_MAX;
    while (*ret_cut && used > 0 && text[used - 1] != '\n')
        used--;
    return (ssize_t)used;
}

bool
lp_conf_read(LpConf *conf, const char *path)
{
    /* A pipe by this name must not hold up the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = NULL;
    ssize_t length = -1;
    bool fine = false, cut = false;

    /* Nobody must have the usual one; another was asked for by name. */
    if (fd < 0 && errno == ENOENT && strcmp(path, LP_CONF_PATH) == 0)
        return true;
    if (fd >= 0 && (text = malloc(LP_CONF_FILE_MAX + 1)) != NULL)
        length = read_all(fd, text, &cut);
    if (length < 0)
        lp_log_warn("%s cannot be read: %s", path, strerror(errno));
    else
        fine = lp_conf_parse(conf, text, (size_t)length, path) && !cut;
    if (cut)
        lp_log_warn("%s: it is longer than %d bytes: the rest is ignored", path, LP_CONF_FILE_MAX);
    free(text);
    if (fd >= 0)
        close(fd);
    return fine;
}
