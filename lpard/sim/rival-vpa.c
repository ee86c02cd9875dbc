/* `vpa`: Kubernetes' vertical pod autoscaler.
 * Source: kubernetes/autoscaler (55c37cd), recommender and updater: decaying histograms of a
 * half-life of 24 h with buckets that grow by 5 %; memory's samples are the peaks of 24 h,
 * processors' one a minute of weight 0.1; the target is the 90th percentile and 15 %, acted on when
 * what there is lies outside the bounds (50th, 95th, widened while little is known), or after 12 h
 * when off by a tenth; an OOM counts as a peak a fifth higher.  Its restarts are not counted against
 * it here.  A grant is fixed for a second, so what a neighbour leaves unused within one is
 * nobody's: for all policies alike. */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "lpard/sim/rival.h"

#define INTERVAL_SEC 60
#define HALF_LIFE_SEC 86400.0
#define PEAK_SEC 86400
#define GROWTH 1.05
#define BUCKETS 176                    /* to 1 TB, and 1000 processors: the larger of both */
#define MEM_FIRST 1e7                  /* bytes */
#define CPU_FIRST 1.0                  /* centi: 0.01 processors */
#define CPU_WEIGHT 0.1
#define MARGIN 1.15
#define PERCENTILE 0.90
#define PERCENTILE_LOW 0.50
#define PERCENTILE_HIGH 0.95
#define OFF_BY 0.1
#define OFF_AFTER_SEC (12 * 3600)
#define OOM_FACTOR 1.2
#define OOM_BYTES (100 * LP_RIVAL_MIB)
#define SAMPLES_A_DAY 1440.0
#define MEM_FLOOR (250 * LP_RIVAL_MIB)
#define CPU_FLOOR 2.5

typedef struct {
    double first, weights[BUCKETS], total;
} Histogram;

typedef struct {
    Histogram mem, cpu;
    double peak, peak_weight;          /* of the present 24 h, as it is in the histogram */
    int64_t peak_since_sec, begun_sec, set_sec;
    guint64 samples, oom_kills;
    double want_bytes, want_centi;
    bool begun;
} Pod;

typedef struct {
    size_t n;
    Pod *pods;
} Vpa;

static void *
vpa_begin(const LpSimHost *host)
{
    Vpa *vpa = g_new0(Vpa, 1);

    vpa->n = host->n;
    vpa->pods = g_new0(Pod, host->n + 1);
    for (size_t i = 0; i < host->n; i++) {
        vpa->pods[i].mem.first = MEM_FIRST;
        vpa->pods[i].cpu.first = CPU_FIRST;
    }
    return vpa;
}

static void
vpa_end(void *self)
{
    Vpa *vpa = self;

    g_free(vpa->pods);
    g_free(vpa);
}

/* Bucket i begins at first * (growth^i - 1) / (growth - 1). */
static void
histogram_add(Histogram *histogram, double value, double weight)
{
    double i = floor(log(fmax(value, 0) * (GROWTH - 1) / histogram->first + 1) / log(GROWTH));
    size_t bucket = (size_t) CLAMP(i, 0, BUCKETS - 1);

    histogram->weights[bucket] = fmax(histogram->weights[bucket] + weight, 0);
    histogram->total = fmax(histogram->total + weight, 0);
}

static double
histogram_percentile(const Histogram *histogram, double part)
{
    double sum = 0, limit = part * histogram->total;
    size_t i = 0;

    for (; i < BUCKETS - 1; i++) {
        sum += histogram->weights[i];
        if (sum >= limit && sum > 0)
            break;
    }
    return histogram->first * (pow(GROWTH, (double) i + 1) - 1) / (GROWTH - 1);
}

/* Newer samples weigh more, instead of older ones less; rescaled before it grows out of range. */
static double
weight_now(Pod *pod, int64_t now_sec)
{
    double weight = exp2((double) (now_sec - pod->begun_sec) / HALF_LIFE_SEC);

    if (weight < 1e9)
        return weight;
    for (size_t i = 0; i < BUCKETS; i++) {
        pod->mem.weights[i] /= weight;
        pod->cpu.weights[i] /= weight;
    }
    pod->mem.total /= weight;
    pod->cpu.total /= weight;
    pod->peak_weight /= weight;
    pod->begun_sec = now_sec;
    return 1;
}

static void
pod_feed(Pod *pod, const LpSimView *view, int64_t now_sec)
{
    double weight, used = (double) view->used_bytes;

    if (!pod->begun) {
        pod->begun = true;
        pod->begun_sec = pod->peak_since_sec = pod->set_sec = now_sec;
        pod->oom_kills = view->oom_kills;
    }
    weight = weight_now(pod, now_sec);
    if (now_sec - pod->peak_since_sec >= PEAK_SEC) {
        pod->peak_since_sec += PEAK_SEC;
        pod->peak = pod->peak_weight = 0;
    }
    if (view->oom_kills > pod->oom_kills)
        used = fmax(OOM_FACTOR * used, used + OOM_BYTES);
    pod->oom_kills = view->oom_kills;
    /* A higher peak of the same day takes the place of the lower. */
    if (used > pod->peak) {
        histogram_add(&pod->mem, pod->peak, -pod->peak_weight);
        histogram_add(&pod->mem, used, weight);
        pod->peak = used;
        pod->peak_weight = weight;
    }
    histogram_add(&pod->cpu, view->cpu_used_centi, CPU_WEIGHT * weight);
    pod->samples++;
}

static bool
outside(const Histogram *histogram, double has, double days, double floor_value)
{
    double low = fmax(MARGIN * histogram_percentile(histogram, PERCENTILE_LOW), floor_value) *
                 pow(1 + 0.001 / days, -2);
    double high = fmax(MARGIN * histogram_percentile(histogram, PERCENTILE_HIGH), floor_value) *
                  (1 + 1 / days);

    return has < low || has > high;
}

static void
pod_decide(Pod *pod, const LpSimView *view, int64_t now_sec, int64_t age_sec, bool oom)
{
    double days = fmax(fmin((double) age_sec / 86400.0, (double) pod->samples / SAMPLES_A_DAY),
                       1e-6);
    double mem = (double) lp_rival_bytes(
        view, fmax(MARGIN * histogram_percentile(&pod->mem, PERCENTILE), MEM_FLOOR));
    double cpu = lp_rival_centi(
        view, fmax(MARGIN * histogram_percentile(&pod->cpu, PERCENTILE), CPU_FLOOR));
    double off = fabs(mem - pod->want_bytes) / fmax(pod->want_bytes, 1) +
                 fabs(cpu - pod->want_centi) / fmax(pod->want_centi, 1);
    bool out = outside(&pod->mem, pod->want_bytes, days, MEM_FLOOR) ||
               outside(&pod->cpu, pod->want_centi, days, CPU_FLOOR);

    if (!oom && !(out && off > 0) && !(off >= OFF_BY && now_sec - pod->set_sec >= OFF_AFTER_SEC))
        return;
    pod->want_bytes = mem;
    pod->want_centi = cpu;
    pod->set_sec = now_sec;
}

/* What it sets are requests: what nobody has requested is used by who can, in proportion to it. */
static void
share_spare_centi(LpSimHost *host)
{
    double sum = 0;

    for (size_t i = 0; i < host->n; i++)
        sum += host->views[i].target_centi;
    if (!(sum > 0) || sum >= host->host_centi)
        return;
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];

        view->target_centi = lp_rival_centi(view, view->target_centi * (host->host_centi / sum));
    }
}

static void
vpa_decide(void *self, LpSimHost *host)
{
    Vpa *vpa = self;
    int64_t now_sec = host->now_msec / 1000;

    g_return_if_fail(host->n == vpa->n);
    for (size_t i = 0; i < host->n; i++) {
        LpSimView *view = &host->views[i];
        Pod *pod = &vpa->pods[i];
        bool fresh = !pod->begun, oom = !fresh && view->oom_kills > pod->oom_kills;

        if (fresh) {
            pod->want_bytes = (double) view->granted_bytes;
            pod->want_centi = view->granted_centi;
        }
        pod_feed(pod, view, now_sec);
        pod_decide(pod, view, now_sec, (int64_t) pod->samples * INTERVAL_SEC, oom);
        lp_rival_set_bytes(view, pod->want_bytes);
        lp_rival_set_centi(view, pod->want_centi);
        view->target_cpus = view->max_centi / 100;
    }
    lp_rival_fit(host);
    share_spare_centi(host);
}

const LpSimPolicy lp_rival_vpa = {
    .name = "vpa",
    .source = "kubernetes/autoscaler (vertical): 90th percentile of daily peaks, +15 %",
    .interval_sec = INTERVAL_SEC,
    .does_cpu = true,
    .begin = vpa_begin,
    .decide = vpa_decide,
    .end = vpa_end,
};
