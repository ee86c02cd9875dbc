/* A trace from a file.  All rows are kept first, since they may be in any order; then each
 * partition's are sorted and laid on the grid. */
#include "lpard/sim/trace.h"

#include <errno.h>
#include <lzma.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lpard/error.h"

#define MIB (1ULL << 20)
#define HEADER "vm,ts,cores,cpu_cap_mhz,cpu_use_mhz,mem_cap_mib,mem_use_mib"
#define COLUMNS 7
/* What a file may grow to when unpacked: some 50 million rows. A bomb ends here. */
#define TEXT_MAX (2ULL << 30)
/* Memory for the unpacker: more than `xz -9` needs. */
#define UNPACK_MEMORY (256ULL << 20)
#define STEP_DEFAULT 300u
#define STEP_MAX 86400u
/* More than any machine has: what is above is a typing error, and would overflow. */
#define CORES_MAX 4096.0
#define MIB_MAX (64.0 * 1024 * 1024)

typedef struct {
    uint32_t vm;
    uint32_t cpu_centi;
    uint64_t ts;
    uint64_t mem_bytes;
} Row;

typedef struct {
    const char *path;
    uint64_t line;
    GHashTable *ids;               /* name -> id + 1 */
    GArray *rows;
    GArray *vms;                   /* LpTraceVm: names and maxima so far */
} Reader;

G_GNUC_PRINTF(3, 4)
static bool
bad(const Reader *reader, GError **error, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "%s, line %" G_GUINT64_FORMAT ": %s",
                reader->path, reader->line, message);
    return false;
}

/* An .xz file's text, whole, or NULL. */
static GByteArray *
unpack(const char *path, const uint8_t *packed, size_t length, GError **error)
{
    g_autoptr(GByteArray) text = g_byte_array_new();
    lzma_stream stream = LZMA_STREAM_INIT;
    lzma_ret status = lzma_stream_decoder(&stream, UNPACK_MEMORY, LZMA_CONCATENATED);
    static const size_t chunk = 1 << 20;
    g_autofree uint8_t *buffer = g_malloc(chunk);

    stream.next_in = packed;
    stream.avail_in = length;
    while (status == LZMA_OK && text->len <= TEXT_MAX) {
        stream.next_out = buffer;
        stream.avail_out = chunk;
        status = lzma_code(&stream, LZMA_FINISH);
        g_byte_array_append(text, buffer, (guint) (chunk - stream.avail_out));
    }
    lzma_end(&stream);
    if (status == LZMA_STREAM_END)
        return g_steal_pointer(&text);
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "%s: %s", path,
                status == LZMA_OK             ? "it is too large when unpacked"
                : status == LZMA_BUF_ERROR    ? "the file is cut off"
                : status == LZMA_FORMAT_ERROR ? "it is not in the .xz format"
                : status == LZMA_MEMLIMIT_ERROR ? "it takes too much memory to unpack"
                                              : "the compressed data is damaged");
    return NULL;
}

/* The next column of the line, as a number that is neither negative nor beyond `most`. */
static bool
number(Reader *reader, const char **p, const char *name, double most, double *ret, GError **error)
{
    const char *text = *p;
    char *end;

    *ret = g_ascii_strtod(text, &end);
    if (end == text || (*end != ',' && *end != '\n' && *end != '\r' && *end != '\0'))
        return bad(reader, error, "%s is not a number", name);
    if (!(*ret >= 0 && *ret <= most))
        return bad(reader, error, "%s is out of range", name);
    *p = *end == ',' ? end + 1 : end;
    return true;
}

static uint32_t
vm_id(Reader *reader, const char *name, size_t length)
{
    g_autofree char *key = g_strndup(name, length);
    gpointer known = g_hash_table_lookup(reader->ids, key);
    LpTraceVm vm = { 0 };

    if (known != NULL)
        return GPOINTER_TO_UINT(known) - 1;
    vm.name = g_steal_pointer(&key);
    vm.max_bytes = LP_TRACE_MIN_BYTES;
    vm.max_centi = 100;
    g_array_append_val(reader->vms, vm);
    g_hash_table_insert(reader->ids, vm.name, GUINT_TO_POINTER(reader->vms->len));
    return reader->vms->len - 1;
}

static bool
read_line(Reader *reader, const char *line, const char *end, GError **error)
{
    const char *comma = memchr(line, ',', (size_t) (end - line));
    double ts, cores, cap_mhz, use_mhz, cap_mib, use_mib;
    const char *p;
    size_t commas = 0;
    LpTraceVm *vm;
    Row row;

    for (p = line; p < end; p++)
        commas += *p == ',';
    if (commas != COLUMNS - 1)
        return bad(reader, error, "%d columns are needed: %s", COLUMNS, HEADER);
    if (comma == line || !g_utf8_validate(line, comma - line, NULL))
        return bad(reader, error, "the name of the partition is missing or not text");
    p = comma + 1;
    if (!number(reader, &p, "ts", 1e11, &ts, error) ||
        !number(reader, &p, "cores", CORES_MAX, &cores, error) ||
        !number(reader, &p, "cpu_cap_mhz", 1e9, &cap_mhz, error) ||
        !number(reader, &p, "cpu_use_mhz", 1e9, &use_mhz, error) ||
        !number(reader, &p, "mem_cap_mib", MIB_MAX, &cap_mib, error) ||
        !number(reader, &p, "mem_use_mib", MIB_MAX, &use_mib, error))
        return false;
    if (p != end)
        return bad(reader, error, "there is something after the last column");
    row.vm = vm_id(reader, line, (size_t) (comma - line));
    row.ts = (uint64_t) ts;
    row.mem_bytes = (uint64_t) (use_mib * (double) MIB);
    cores = cores < 1 ? 1 : floor(cores);
    row.cpu_centi = cap_mhz > 0 ? (uint32_t) lrint(MIN(use_mhz / cap_mhz, 1.0) * cores * 100) : 0;
    vm = &g_array_index(reader->vms, LpTraceVm, row.vm);
    vm->max_bytes = MAX(vm->max_bytes, (uint64_t) (cap_mib * (double) MIB));
    vm->max_centi = MAX(vm->max_centi, (uint32_t) cores * 100);
    g_array_append_val(reader->rows, row);
    return true;
}

static bool
read_lines(Reader *reader, const char *text, size_t length, GError **error)
{
    const char *end = text + length;

    while (text < end) {
        const char *next = memchr(text, '\n', (size_t) (end - text));
        const char *stop = next ? next : end;

        reader->line++;
        if (stop > text && stop[-1] == '\r')
            stop--;
        if (reader->line == 1) {
            if ((size_t) (stop - text) != strlen(HEADER) || memcmp(text, HEADER, strlen(HEADER)))
                return bad(reader, error, "it must be %s", HEADER);
        } else if (stop > text && !read_line(reader, text, stop, error)) {
            return false;
        }
        text = next ? next + 1 : end;
    }
    if (reader->rows->len > 0)
        return true;
    g_set_error(error, LP_ERROR, LP_ERROR_USAGE, "%s: there are no rows", reader->path);
    return false;
}

static int
by_vm_and_time(const void *a, const void *b)
{
    const Row *x = a, *y = b;

    if (x->vm != y->vm)
        return x->vm < y->vm ? -1 : 1;
    return x->ts < y->ts ? -1 : x->ts > y->ts;
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return x < y ? -1 : x > y;
}

/* The median of the gaps: monitors drift by a second, and miss rows, but seldom. */
static uint32_t
find_step(const Row *rows, size_t n)
{
    g_autofree uint32_t *gaps = g_new(uint32_t, n);
    size_t n_gaps = 0;

    for (size_t i = 1; i < n; i++)
        if (rows[i].vm == rows[i - 1].vm && rows[i].ts > rows[i - 1].ts)
            gaps[n_gaps++] = (uint32_t) MIN(rows[i].ts - rows[i - 1].ts, STEP_MAX);
    if (n_gaps == 0)
        return STEP_DEFAULT;
    qsort(gaps, n_gaps, sizeof *gaps, by_value);
    return gaps[n_gaps / 2];
}

/* Rows of one partition, sorted, on the grid; what lies between carries the last. */
static void
lay_out(LpTrace *trace, LpTraceVm *vm, const Row *rows, size_t n)
{
    size_t next = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t at = (rows[i].ts - trace->epoch_sec + trace->step_sec / 2) / trace->step_sec;
        size_t until = i + 1 < n ? (rows[i + 1].ts - trace->epoch_sec + trace->step_sec / 2) /
                                       trace->step_sec
                                 : trace->n_samples;

        if (i == 0)
            at = 0;
        for (next = at; next < until; next++) {
            vm->mem_bytes[next] = MIN(rows[i].mem_bytes, vm->max_bytes);
            vm->cpu_centi[next] = MIN(rows[i].cpu_centi, vm->max_centi);
        }
    }
}

static LpTrace *
build(Reader *reader, GError **error)
{
    Row *rows = (Row *) (void *) reader->rows->data;
    size_t n = reader->rows->len;
    uint64_t first = UINT64_MAX, last = 0, samples;
    uint32_t step;
    LpTrace *trace;

    qsort(rows, n, sizeof *rows, by_vm_and_time);
    for (size_t i = 0; i < n; i++) {
        first = MIN(first, rows[i].ts);
        last = MAX(last, rows[i].ts);
    }
    step = find_step(rows, n);
    samples = (last - first + step / 2) / step + 1;
    if (samples > LP_TRACE_SAMPLES_MAX || samples * reader->vms->len > LP_TRACE_CELLS_MAX) {
        g_set_error(error, LP_ERROR, LP_ERROR_USAGE,
                    "%s: from ts %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                    " in steps of %u s is too long", reader->path, first, last, step);
        return NULL;
    }
    trace = lp_trace_new(reader->vms->len, samples, step);
    trace->epoch_sec = first;
    for (size_t i = 0, end; i < n; i = end) {
        LpTraceVm *from = &g_array_index(reader->vms, LpTraceVm, rows[i].vm);
        LpTraceVm *vm = &trace->vms[rows[i].vm];

        for (end = i; end < n && rows[end].vm == rows[i].vm; end++)
            ;
        vm->name = g_steal_pointer(&from->name);
        vm->max_bytes = from->max_bytes;
        vm->max_centi = from->max_centi;
        lay_out(trace, vm, rows + i, end - i);
    }
    return trace;
}

static LpTrace *
read_text(const char *path, const char *text, size_t length, GError **error)
{
    Reader reader = { .path = path };
    LpTrace *trace = NULL;

    reader.ids = g_hash_table_new(g_str_hash, g_str_equal);
    reader.rows = g_array_new(FALSE, FALSE, sizeof(Row));
    reader.vms = g_array_new(FALSE, FALSE, sizeof(LpTraceVm));
    if (read_lines(&reader, text, length, error))
        trace = build(&reader, error);
    g_hash_table_unref(reader.ids);
    for (guint i = 0; i < reader.vms->len; i++)
        g_free(g_array_index(reader.vms, LpTraceVm, i).name);
    g_array_unref(reader.vms);
    g_array_unref(reader.rows);
    return trace;
}

LpTrace *
lp_trace_read(const char *path, GError **error)
{
    g_autofree char *data = NULL;
    g_autoptr(GByteArray) text = NULL;
    gsize length;

    if (!g_file_get_contents(path, &data, &length, error))
        return NULL;
    if (!g_str_has_suffix(path, ".xz"))
        return read_text(path, data, length, error);
    text = unpack(path, (const uint8_t *) data, length, error);
    if (text == NULL)
        return NULL;
    /* Numbers are read up to what is no digit: the text must end. */
    g_byte_array_append(text, (const guint8 *) "", 1);
    return read_text(path, (const char *) text->data, text->len - 1, error);
}
