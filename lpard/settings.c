/* lpard.conf(5): read once, checked wholly, nothing ignored. */
#include "lpard/settings.h"

#include <string.h>

#include "lpard/error.h"
#include "policy/units.h"

#define DEFAULT_RESERVE_BYTES (512ULL << 20)
#define DEFAULT_RESERVE_CENTI 10
/* What QEMU itself takes beside its guest's memory: an idle emulated guest of 512 MiB was
 * measured at 301 MiB. */
#define DEFAULT_OVERHEAD_BYTES (320ULL << 20)
#define DEFAULT_TIMEOUT_SEC 60
#define DEFAULT_KEEP_DAYS 30
/* ESX's: an idle page costs four times what a used one does (Waldspurger, OSDI'02). */
#define DEFAULT_IDLE_TAX_PERMYRIAD 7500
/* Each resize takes a part of the host's memory bandwidth from all guests. */
#define DEFAULT_MOVING 4
#define DEFAULT_HISTORY_BYTES (256ULL << 20)
/* PowerVM's scheduled optimizer has both, and leaves them to the administrator; a host above four fifths
 * is hardly worth the memory bandwidth that moving takes from all guests, nor is a small gain. */
#define DEFAULT_THRESHOLD 80
#define DEFAULT_DELTA 10
/* A tenth or less of what the memory of one node gives. */
#define DEFAULT_MOVE_RATE_BYTES (512ULL << 20)
/* Above a tenth of the time, tasks wait for memory so long that people notice. */
#define DEFAULT_MOVE_PRESSURE_CENTI 1000

/* A day: what takes longer hangs. */
#define MAX_TIMEOUT_SEC 86400
/* Ten years of history. */
#define MAX_KEEP_DAYS 3653
/* More memory than any host has is a slip of the pen. */
#define MAX_RESERVE_BYTES (64ULL << 40)
/* As many processors as lpard handles. */
#define MAX_RESERVE_CENTI (1024 * 100)
/* At the whole of it an idle page would be worth nothing at all, and prices not be finite. */
#define MAX_IDLE_TAX_PERCENT 99
/* As many as may hang before lpard begins nothing new are far fewer. */
#define MAX_MOVING 64
/* A few snapshots of a full host must fit; and a history is no archive. */
#define MIN_HISTORY_BYTES (16ULL << 20)
#define MAX_HISTORY_BYTES (64ULL << 30)

/* A client has one connection, or two; many hundreds of them are a program that forgets to
 * close, and each costs a descriptor and some 10 KiB. */
#define DEFAULT_CONNECTIONS 1024
/* So that whoever goes mad leaves as much to all others. */
#define DEFAULT_CONNECTIONS_PEER 512
/* A terminal asks once a second; lpard answers some thousands. */
#define DEFAULT_RATE 1000
/* As many operations awaited at once are a script's that resizes all partitions of a host. */
#define DEFAULT_POLLS 256
/* The descriptors that a service may have are a few ten thousand. */
#define MAX_CONNECTIONS 65536
#define MAX_RATE 1000000

/* A score's. */
#define MAX_POINTS 100
/* A page a second moves nothing; and no memory is faster. */
#define MIN_MOVE_RATE_BYTES (1ULL << 20)
#define MAX_MOVE_RATE_BYTES (1ULL << 40)

#define PERMYRIAD_PER_PERCENT 100

typedef enum { KIND_TEXT, KIND_PATH, KIND_BYTES, KIND_CENTI, KIND_COUNT, KIND_PERCENT,
               KIND_LIST, KIND_ENFORCE, KIND_REQUESTS, KIND_MODE, KIND_LEFTOVERS,
               KIND_OPTIMIZE, KIND_SANDBOX } Kind;

typedef struct {
    const char *group, *key;
    Kind kind;
    size_t offset;                /* of the field in LpSettings */
    uint64_t least, most;
} Key;

#define FIELD(name) G_STRUCT_OFFSET(LpSettings, name)

static const Key KEYS[] = {
    { "lpard", "connect", KIND_TEXT, FIELD(uri), 0, 0 },
    { "lpard", "socket", KIND_PATH, FIELD(socket), 0, 0 },
    { "lpard", "state", KIND_PATH, FIELD(state_dir), 0, 0 },
    { "lpard", "socket-group", KIND_TEXT, FIELD(socket_group), 0, 0 },
    { "lpard", "sandbox", KIND_SANDBOX, FIELD(no_sandbox), 0, 0 },
    { "host", "topology", KIND_TEXT, FIELD(topology), 0, 0 },
    { "host", "memory-reserve", KIND_BYTES, FIELD(reserve_bytes), 0, MAX_RESERVE_BYTES },
    { "host", "cpu-reserve", KIND_CENTI, FIELD(reserve_centi), 0, MAX_RESERVE_CENTI },
    { "host", "guest-overhead", KIND_BYTES, FIELD(overhead_bytes), 0, MAX_RESERVE_BYTES },
    { "host", "enforce", KIND_ENFORCE, FIELD(enforce_hard), 0, 0 },
    { "operations", "timeout", KIND_COUNT, FIELD(timeout_sec), 1, MAX_TIMEOUT_SEC },
    { "operations", "keep-days", KIND_COUNT, FIELD(keep_days), 1, MAX_KEEP_DAYS },
    { "guests", "requests", KIND_REQUESTS, FIELD(refuse_requests), 0, 0 },
    { "policy", "mode", KIND_MODE, FIELD(policy_mode), 0, 0 },
    { "policy", "leftovers", KIND_LEFTOVERS, FIELD(policy_burst), 0, 0 },
    { "policy", "idle-tax", KIND_PERCENT, FIELD(policy_idle_tax_permyriad), 0,
      MAX_IDLE_TAX_PERCENT },
    { "policy", "moving", KIND_COUNT, FIELD(policy_moving), 1, MAX_MOVING },
    { "policy", "history-size", KIND_BYTES, FIELD(policy_history_bytes), MIN_HISTORY_BYTES,
      MAX_HISTORY_BYTES },
    { "numa", "optimize", KIND_OPTIMIZE, FIELD(optimize_auto), 0, 0 },
    { "numa", "threshold", KIND_COUNT, FIELD(optimize_threshold), 0, MAX_POINTS },
    { "numa", "delta", KIND_COUNT, FIELD(optimize_delta), 1, MAX_POINTS },
    { "numa", "move-rate", KIND_BYTES, FIELD(move_rate_bytes), MIN_MOVE_RATE_BYTES,
      MAX_MOVE_RATE_BYTES },
    { "numa", "move-pressure", KIND_PERCENT, FIELD(move_pressure_centi), 0, 100 },
    { "access", "viewers", KIND_LIST, FIELD(viewers), 0, 0 },
    { "access", "operators", KIND_LIST, FIELD(operators), 0, 0 },
    { "access", "admins", KIND_LIST, FIELD(admins), 0, 0 },
    { "tls", "listen", KIND_TEXT, FIELD(tls_listen), 0, 0 },
    { "tls", "certificate", KIND_PATH, FIELD(tls_certificate), 0, 0 },
    { "tls", "key", KIND_PATH, FIELD(tls_key), 0, 0 },
    { "tls", "ca", KIND_PATH, FIELD(tls_ca), 0, 0 },
    { "limits", "connections", KIND_COUNT, FIELD(max_connections), 1, MAX_CONNECTIONS },
    { "limits", "connections-per-peer", KIND_COUNT, FIELD(max_connections_peer), 1,
      MAX_CONNECTIONS },
    { "limits", "rate", KIND_COUNT, FIELD(max_rate), 1, MAX_RATE },
    { "limits", "long-polls", KIND_COUNT, FIELD(max_polls), 1, MAX_CONNECTIONS },
};

static LpSettings *
settings_new(bool session)
{
    LpSettings *settings = g_new0(LpSettings, 1);

    if (session) {
        settings->uri = g_strdup("qemu:///session");
        settings->socket = g_build_filename(g_get_user_runtime_dir(), "lpard", "lpard.sock", NULL);
        settings->state_dir = g_build_filename(g_get_user_state_dir(), "lpard", NULL);
    } else {
        settings->uri = g_strdup("qemu:///system");
        settings->socket = g_strdup("/run/lpard/lpard.sock");
        settings->state_dir = g_strdup("/var/lib/lpard");
    }
    settings->reserve_bytes = DEFAULT_RESERVE_BYTES;
    settings->reserve_centi = DEFAULT_RESERVE_CENTI;
    settings->overhead_bytes = DEFAULT_OVERHEAD_BYTES;
    settings->timeout_sec = DEFAULT_TIMEOUT_SEC;
    settings->keep_days = DEFAULT_KEEP_DAYS;
    settings->policy_mode = LP_MODE_AUTO;
    settings->policy_burst = true;
    settings->policy_idle_tax_permyriad = DEFAULT_IDLE_TAX_PERMYRIAD;
    settings->policy_moving = DEFAULT_MOVING;
    settings->policy_history_bytes = DEFAULT_HISTORY_BYTES;
    settings->optimize_threshold = DEFAULT_THRESHOLD;
    settings->optimize_delta = DEFAULT_DELTA;
    settings->move_rate_bytes = DEFAULT_MOVE_RATE_BYTES;
    settings->move_pressure_centi = DEFAULT_MOVE_PRESSURE_CENTI;
    settings->viewers = g_new0(char *, 1);
    settings->operators = g_new0(char *, 1);
    settings->admins = g_new0(char *, 1);
    settings->owners = g_ptr_array_new_with_free_func((GDestroyNotify) lp_owner_free);
    settings->max_connections = DEFAULT_CONNECTIONS;
    settings->max_connections_peer = DEFAULT_CONNECTIONS_PEER;
    settings->max_rate = DEFAULT_RATE;
    settings->max_polls = DEFAULT_POLLS;
    return settings;
}

void
lp_settings_free(LpSettings *settings)
{
    if (!settings)
        return;
    g_free(settings->uri);
    g_free(settings->socket);
    g_free(settings->state_dir);
    g_free(settings->topology);
    g_free(settings->socket_group);
    g_strfreev(settings->viewers);
    g_strfreev(settings->operators);
    g_strfreev(settings->admins);
    g_clear_pointer(&settings->owners, g_ptr_array_unref);
    g_free(settings->tls_listen);
    g_free(settings->tls_certificate);
    g_free(settings->tls_key);
    g_free(settings->tls_ca);
    g_free(settings);
}

static void
set_number(LpSettings *settings, const Key *key, uint64_t number)
{
    if (key->kind == KIND_BYTES)
        G_STRUCT_MEMBER(uint64_t, settings, key->offset) = number;
    else if (key->kind == KIND_PERCENT)
        G_STRUCT_MEMBER(uint32_t, settings, key->offset) =
            (uint32_t) number * PERMYRIAD_PER_PERCENT;
    else
        G_STRUCT_MEMBER(uint32_t, settings, key->offset) = (uint32_t) number;
}

/* A number in its unit: NULL, or what is wrong with the text. */
static const char *
read_number(LpSettings *settings, const Key *key, const char *text)
{
    LpUnitsVerdict verdict;
    uint64_t number = 0;
    uint32_t small = 0;

    if (key->kind == KIND_BYTES) {
        verdict = lp_units_parse_bytes(text, &number);
    } else {
        verdict = key->kind == KIND_CENTI ? lp_units_parse_centi(text, &small)
                                          : lp_units_parse_count(text, G_MAXUINT32, &small);
        number = small;
    }
    if (verdict != LP_UNITS_OK)
        return lp_units_hint(verdict);
    if (number < key->least)
        return "the number is too small; write a larger one";
    if (number > key->most)
        return lp_units_hint(LP_UNITS_OVERFLOW);
    set_number(settings, key, number);
    return NULL;
}

/* Group names, separated by commas or blanks. */
static const char *
read_list(LpSettings *settings, const Key *key, const char *text)
{
    char ***field = &G_STRUCT_MEMBER(char **, settings, key->offset);

    g_strfreev(*field);
    *field = lp_settings_words(text);
    return NULL;
}

/* Mode "host" is a partition's: the host itself has one of the others. */
static const char *
read_mode(LpSettings *settings, const Key *key, const char *text)
{
    for (LpMode mode = LP_MODE_OFF; mode <= LP_MODE_AUTO; mode++) {
        if (strcmp(text, lp_mode_names[mode]) == 0) {
            G_STRUCT_MEMBER(LpMode, settings, key->offset) = mode;
            return NULL;
        }
    }
    return "there are three modes; write off, advise or auto";
}

/* What a number may be, behind what is wrong with it. */
static char *
range_text(const Key *key)
{
    char least[LP_UNITS_TEXT], most[LP_UNITS_TEXT];

    switch (key->kind) {
    case KIND_BYTES:
        lp_units_format_bytes(key->least, least, sizeof least);
        lp_units_format_bytes(key->most, most, sizeof most);
        return g_strdup_printf(" (%s to %s)", least, most);
    case KIND_CENTI:
        lp_units_format_centi((uint32_t) key->least, least, sizeof least);
        lp_units_format_centi((uint32_t) key->most, most, sizeof most);
        return g_strdup_printf(" (%s to %s)", least, most);
    case KIND_COUNT:
    case KIND_PERCENT:
        return g_strdup_printf(" (%u to %u, whole)", (unsigned) key->least, (unsigned) key->most);
    default:
        return g_strdup("");
    }
}

static const char *
read_value(LpSettings *settings, const Key *key, const char *text)
{
    switch (key->kind) {
    case KIND_BYTES:
    case KIND_CENTI:
    case KIND_COUNT:
    case KIND_PERCENT:
        return read_number(settings, key, text);
    case KIND_LIST:
        return read_list(settings, key, text);
    case KIND_ENFORCE:
        if (strcmp(text, "soft") != 0 && strcmp(text, "hard") != 0)
            return "there are two ways; write soft or hard";
        G_STRUCT_MEMBER(bool, settings, key->offset) = *text == 'h';
        return NULL;
    case KIND_REQUESTS:
        if (strcmp(text, "allow") != 0 && strcmp(text, "refuse") != 0)
            return "there are two answers; write allow or refuse";
        G_STRUCT_MEMBER(bool, settings, key->offset) = *text == 'r';
        return NULL;
    case KIND_MODE:
        return read_mode(settings, key, text);
    case KIND_LEFTOVERS:
        if (strcmp(text, "keep") != 0 && strcmp(text, "burst") != 0)
            return "there are two ways; write keep or burst";
        G_STRUCT_MEMBER(bool, settings, key->offset) = *text == 'b';
        return NULL;
    case KIND_OPTIMIZE:
        if (strcmp(text, "manual") != 0 && strcmp(text, "auto") != 0)
            return "there are two ways; write manual or auto";
        G_STRUCT_MEMBER(bool, settings, key->offset) = *text == 'a';
        return NULL;
    case KIND_SANDBOX:
        if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
            return "there are two ways; write on or off";
        G_STRUCT_MEMBER(bool, settings, key->offset) = strcmp(text, "off") == 0;
        return NULL;
    case KIND_PATH:
        if (!g_path_is_absolute(text))
            return "the path must begin with '/'; write it whole";
        break;
    case KIND_TEXT:
        break;
    }
    if (!*text)
        return "the value is empty; write one, or remove the line for the default";
    g_free(G_STRUCT_MEMBER(char *, settings, key->offset));
    G_STRUCT_MEMBER(char *, settings, key->offset) = g_strdup(text);
    return NULL;
}

/* An error about the file.  What it quotes may be any bytes, but a message is UTF-8. */
G_GNUC_PRINTF(3, 4) static gboolean
refuse(GError **error, const char *path, const char *format, ...)
{
    g_autofree char *what = NULL, *valid = NULL;
    va_list args;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    valid = g_utf8_make_valid(what, -1);
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "%s: %s", path, valid);
    return FALSE;
}

static const Key *
find_key(const char *group, const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(KEYS); i++) {
        if (strcmp(KEYS[i].group, group) == 0 && (!name || strcmp(KEYS[i].key, name) == 0))
            return &KEYS[i];
    }
    return NULL;
}

/* "a, b, c": the keys of a group, or the groups when it is NULL. */
static char *
list_known(const char *group)
{
    GString *list = g_string_new(NULL);
    const char *previous = "";

    for (size_t i = 0; i < G_N_ELEMENTS(KEYS); i++) {
        const char *name = group ? KEYS[i].key : KEYS[i].group;

        if ((group && strcmp(KEYS[i].group, group) != 0) || strcmp(name, previous) == 0)
            continue;
        g_string_append_printf(list, "%s%s", list->len ? ", " : "", name);
        previous = name;
    }
    if (!group)
        g_string_append(list, ", owner NAME");
    return g_string_free(list, FALSE);
}

static gboolean
read_key(LpSettings *settings, GKeyFile *file, const char *path, const char *group,
         const char *name, GError **error)
{
    const Key *key = find_key(group, name);
    g_autoptr(GError) failure = NULL;
    g_autofree char *text = NULL;
    const char *wrong;

    if (!key) {
        g_autofree char *known = list_known(group);

        return refuse(error, path, "the key '%s' of [%s] is unknown; its keys are %s", name, group,
                      known);
    }
    text = g_key_file_get_string(file, group, name, &failure);
    wrong = failure ? "the value cannot be read; write plain UTF-8 text, and \\ for a backslash"
                    : read_value(settings, key, g_strstrip(text));
    if (wrong) {
        g_autofree char *range = range_text(key);

        return refuse(error, path, "[%s] %s = %s: %s%s", group, name, text ? text : "?", wrong,
                      range);
    }
    return TRUE;
}

static gboolean
read_group(LpSettings *settings, GKeyFile *file, const char *path, const char *group,
           GError **error)
{
    g_auto(GStrv) names = g_key_file_get_keys(file, group, NULL, NULL);

    if (lp_owner_is_group(group))
        return lp_owner_read(settings->owners, file, path, group, error);
    if (!find_key(group, NULL)) {
        g_autofree char *known = list_known(NULL);

        return refuse(error, path, "the group [%s] is unknown; the groups are %s", group, known);
    }
    for (char **name = names; name && *name; name++) {
        if (!read_key(settings, file, path, group, *name, error))
            return FALSE;
    }
    return TRUE;
}

/* All four or none. */
static bool
check_tls(const LpSettings *settings, const char *path, GError **error)
{
    bool all = settings->tls_listen && settings->tls_certificate && settings->tls_key &&
               settings->tls_ca;
    bool none = !settings->tls_listen && !settings->tls_certificate && !settings->tls_key &&
                !settings->tls_ca;

    if (all || none)
        return true;
    return refuse(error, path, "[tls] needs listen, certificate, key and ca, all four: without "
                               "any of them the API would be open to whoever comes, or to nobody");
}

LpSettings *
lp_settings_load(const char *path, bool must_exist, bool session, GError **error)
{
    g_autoptr(LpSettings) settings = settings_new(session);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) failure = NULL;
    g_auto(GStrv) groups = NULL;

    /* Without this flag a key like "connect[de]" would be dropped without a word. */
    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_KEEP_TRANSLATIONS, &failure)) {
        if (g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT) && !must_exist)
            return g_steal_pointer(&settings);
        refuse(error, path, "cannot be read (%s); correct it, or name another file",
               failure->message);
        return NULL;
    }
    groups = g_key_file_get_groups(file, NULL);
    for (char **group = groups; *group; group++) {
        if (!read_group(settings, file, path, *group, error))
            return NULL;
    }
    return check_tls(settings, path, error) ? g_steal_pointer(&settings) : NULL;
}
