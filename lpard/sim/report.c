/* Figures, and which results are shown. */
#include "lpard/sim/report-priv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DAY_SEC 86400.0
#define GIB 1073741824.0
/* Hosts of sizes closer than this are the same. */
#define SAME_RATIO 0.0005
/* The size that the goals are about. */
#define USUAL_RATIO 1.25

double
lp_report_part(double part, double whole)
{
    double share = part / whole;

    return whole > 0 && isfinite(share) ? share : NAN;
}

static double
per_vm_day(const LpSimAmount *amount, double sum)
{
    return lp_report_part(sum, (double) amount->vm_seconds / DAY_SEC);
}

static double
short_percent(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return 100 * lp_report_part(amount->shortfall, amount->demand);
}

static double
time_percent(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return 100 * lp_report_part((double) amount->violated, (double) amount->vm_seconds);
}

static double
stall(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return per_vm_day(amount, amount->stall_sec);
}

static double
kills(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return (double) amount->ooms;
}

static double
needed_percent(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return 100 * lp_report_part(amount->needs, amount->static_amount);
}

static double
granted_percent(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return 100 * lp_report_part(amount->granted, amount->static_amount);
}

static double
resizes(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return per_vm_day(amount, (double) amount->resizes);
}

static double
calm_resizes(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return lp_report_part((double) amount->resizes_calm, amount->calm_vm_days);
}

static double
most_resizes(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return amount->resizes_per_vm_day_p99;
}

static double
reversals(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return per_vm_day(amount, (double) amount->reversals);
}

static double
moved(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return per_vm_day(amount, amount->bytes_moved / GIB);
}

static double
failures(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return (double) amount->failures;
}

static double
fairness(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return amount->fairness;
}

static double
least_free(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) result;
    return amount->host_min_free == UINT64_MAX ? NAN : (double) amount->host_min_free / GIB;
}

static double
broken(const LpSimResult *result, const LpSimAmount *amount)
{
    (void) amount;
    return (double) result->broken;
}

const LpReportColumn lp_report_columns[] = {
    { "short", "% demand", short_percent, true, true, false },
    { "short", "% time", time_percent, true, true, false },
    { "stalled", "s/VM/day", stall, false, true, false },
    { "OOM", "kills", kills, false, true, true },
    { "needed", "% static", needed_percent, true, true, false },
    { "granted", "% static", granted_percent, true, true, false },
    { "resizes", "/VM/day", resizes, true, true, false },
    { "calm", "/VM/day", calm_resizes, true, true, false },
    { "p99", "/VM/day", most_resizes, true, false, false },
    { "reversals", "/VM/day", reversals, true, true, false },
    { "moved", "GiB/VM/day", moved, false, true, false },
    { "failed", "resizes", failures, false, false, true },
    { "fair", "Jain", fairness, true, true, false },
    { "free", "least GiB", least_free, false, false, false },
    { "broken", "ticks", broken, false, false, true },
};
const size_t lp_report_n_columns = G_N_ELEMENTS(lp_report_columns);

char *
lp_report_number(double value, char *buf, size_t size)
{
    double magnitude = fabs(value);
    const char *format = "%.4f";

    if (!isfinite(value)) {
        g_strlcpy(buf, "-", size);
        return buf;
    }
    if (magnitude == 0 || magnitude >= 99.95)
        format = "%.0f";
    else if (magnitude >= 9.995)
        format = "%.1f";
    else if (magnitude >= 0.9995)
        format = "%.2f";
    else if (magnitude >= 0.09995)
        format = "%.3f";
    if (magnitude > 0 && magnitude < 0.0001)
        g_strlcpy(buf, value > 0 ? "<0.0001" : ">-0.0001", size);
    else
        g_ascii_formatd(buf, (int) size, format, value);
    return buf;
}

char *
lp_report_figure(const LpReportColumn *column, const LpSimResult *result, bool cpu, char *buf,
                 size_t size)
{
    double value = column->figure(result, cpu ? &result->cpu : &result->mem);

    if (!column->count)
        return lp_report_number(value, buf, size);
    g_snprintf(buf, (gulong) size, "%.0f", value);
    return buf;
}

bool
lp_report_has_cpu(const LpSimResult *results, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (results[i].cpu.demand > 0)
            return true;
    return false;
}

static int
ascending(const void *a, const void *b)
{
    double left = *(const double *) a, right = *(const double *) b;

    return left < right ? -1 : left > right;
}

double *
lp_report_ratios(const LpSimResult *results, size_t n, bool cpu, size_t *ret_n)
{
    double *ratios = g_new(double, n + 1);
    size_t count = 0, kept = 0;

    for (size_t i = 0; i < n; i++) {
        double ratio = cpu ? results[i].cpu_ratio : results[i].memory_ratio;

        if (isfinite(ratio))
            ratios[count++] = ratio;
    }
    qsort(ratios, count, sizeof *ratios, ascending);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || ratios[i] - ratios[kept - 1] > SAME_RATIO)
            ratios[kept++] = ratios[i];
    *ret_n = kept;
    return ratios;
}

const LpSimResult **
lp_report_of_policies(const LpReportAbout *about, const LpSimResult *results, size_t n,
                      size_t *ret_n)
{
    const LpSimResult **chosen = g_new0(const LpSimResult *, n + 1);
    double ratio = about && about->ratio > 0 ? about->ratio : USUAL_RATIO;
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        double off = fabs(results[i].memory_ratio - ratio) + fabs(results[i].cpu_ratio - ratio);
        size_t k = 0;

        while (k < count && g_strcmp0(chosen[k]->policy, results[i].policy) != 0)
            k++;
        if (k == count)
            chosen[count++] = &results[i];
        else if (off < fabs(chosen[k]->memory_ratio - ratio) + fabs(chosen[k]->cpu_ratio - ratio))
            chosen[k] = &results[i];
    }
    *ret_n = count;
    return chosen;
}

static bool
lacks_less(const LpSimResult *a, const LpSimResult *b)
{
    return lp_report_part(a->mem.shortfall, a->mem.demand) <
           lp_report_part(b->mem.shortfall, b->mem.demand);
}

size_t
lp_report_panels(const LpSimResult **chosen, size_t n)
{
    g_autofree bool *taken = g_new0(bool, n + 1);
    size_t count = 0, kept = 0;

    while (count < LP_REPORT_PANELS) {
        size_t best = n;

        for (size_t i = 0; i < n; i++)
            if (!taken[i] && chosen[i]->n_points > 0 &&
                (best == n || (count > 0 && lacks_less(chosen[i], chosen[best]))))
                best = i;
        if (best == n)
            break;
        taken[best] = true;
        count++;
    }
    for (size_t i = 0; i < n; i++)
        if (taken[i])
            chosen[kept++] = chosen[i];
    return kept;
}

static bool
write_failed(const char *what, GError **error)
{
    int why = errno;

    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(why), "%s cannot be written: %s", what,
                g_strerror(why));
    return false;
}

/* Devices, pipes and links are written to; a new file in their place would replace them. */
static bool
write_through(const char *path, const char *text, GError **error)
{
    FILE *file = fopen(path, "we");
    bool good;

    if (file == NULL)
        return write_failed(path, error);
    good = fputs(text, file) >= 0 && fflush(file) == 0;
    if (!good)
        (void) write_failed(path, error);
    if (fclose(file) != 0 && good)
        good = write_failed(path, error);
    return good;
}

bool
lp_report_write(const char *path, const char *text, GError **error)
{
    struct stat there;

    if (g_str_equal(path, "-"))
        return (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
               || write_failed("the standard output", error);
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode))
        return write_through(path, text, error);
    return g_file_set_contents(path, text, -1, error);
}
