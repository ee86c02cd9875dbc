/* What changed from tick to tick, in words: the last lines for who asks, and events for who
 * listens. */
#include <string.h>

#include "lpard/autoscale/autoscale-priv.h"
#include "policy/explain.h"
#include "policy/units.h"

/* A bound that comes and goes each second is one piece of news. */
#define SAY_PAUSE_USEC (10 * G_USEC_PER_SEC)
/* A host that starts with thousands of partitions has as many lines to tell. */
#define LINES_A_TICK 20
/* As long as a request's reason may be. */
#define WHY_MAX 256

void
lp_chronicle_line_free(void *data)
{
    LpScalerLine *line = data;

    g_free(line->name);
    g_free(line->text);
    g_free(line);
}

void
lp_chronicle_say(LpScaler *scaler, const LpPartition *partition, const char *what,
                 const char *text)
{
    LpScalerLine *line = g_new0(LpScalerLine, 1);

    line->at_usec = g_get_real_time();
    line->what = what;
    line->name = partition ? g_utf8_make_valid(partition->view->name, -1) : NULL;
    g_strlcpy(line->uuid, partition ? partition->uuid : "", sizeof line->uuid);
    line->text = g_utf8_make_valid(text, -1);
    g_queue_push_head(&scaler->lines, line);
    if (g_queue_get_length(&scaler->lines) > LP_SCALER_LINES)
        lp_chronicle_line_free(g_queue_pop_tail(&scaler->lines));
    lp_events_emit(scaler->events, "policy",
                   json_pack("{s:s?, s:s, s:s}", "partition", line->name, "what", what, "text",
                             line->text));
}

/* The explanation's sentences in a row: those of memory, of processors, or both. */
static char *
describe(LpScaledItem *item, bool memory, bool cpus)
{
    LpScaled scaled;
    char text[LP_EXPLAIN_TEXT];
    g_auto(GStrv) lines = NULL;
    GString *out = g_string_new(NULL);
    bool wanted = memory;

    lp_scaler_row(item->scaler, (size_t) item->row, &scaled);
    lp_explain(scaled.host, scaled.input, scaled.state, scaled.decision, scaled.rival, text,
               sizeof text);
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (g_str_has_prefix(*line, "Processors:"))
            wanted = cpus;
        if (wanted && **line)
            g_string_append_printf(out, "%s%s", out->len ? " " : "", g_strstrip(*line));
    }
    return g_string_free(out, FALSE);
}

/* Whole sentences, as many as there is room for. */
static void
cut(char *text, size_t most)
{
    const char *end = text, *next;

    if (strlen(text) <= most)
        return;
    while ((next = strstr(end, ". ")) && (size_t) (next + 1 - text) <= most)
        end = next + 1;
    if (end == text)
        end = g_utf8_find_prev_char(text, text + most);
    text[end - text] = '\0';
}

char *
lp_chronicle_why(LpScaledItem *item, bool memory, bool cpus)
{
    char *text = describe(item, memory, cpus && !memory);

    cut(text, WHY_MAX);
    if (*text)
        return text;
    g_free(text);
    return g_strdup("the policy's decision");
}

static bool
is_act(LpAct act)
{
    return act == LP_ACT_GROW || act == LP_ACT_SHRINK;
}

static bool
cpus_differ(const LpScaledItem *item, const LpDecision *decision)
{
    return decision->cpu_act != item->said.cpu_act || decision->cpu_bound != item->said.cpu_bound
           || (is_act(decision->cpu_act) && decision->cpus != item->said.cpus);
}

static bool
memory_differs(const LpScaledItem *item, const LpDecision *decision)
{
    return decision->mem_act != item->said.mem_act || decision->mem_bound != item->said.mem_bound
           || decision->mem_take != item->said.take
           || (is_act(decision->mem_act) && decision->mem_bytes != item->said.mem_bytes);
}

/* Whether what is decided now is something else than what was last said. */
static bool
is_news(const LpScaledItem *item, const LpDecision *decision, int64_t now_usec)
{
    bool acts = is_act(decision->mem_act) || is_act(decision->cpu_act);

    if (is_act(decision->mem_act) && decision->mem_bytes != item->said.mem_bytes)
        return true;
    if (is_act(decision->cpu_act) && decision->cpus != item->said.cpus)
        return true;
    return (memory_differs(item, decision) || cpus_differ(item, decision))
           && (acts || now_usec - item->said.usec >= SAY_PAUSE_USEC);
}

static void
note_said(LpScaledItem *item, const LpDecision *decision, int64_t now_usec)
{
    item->said.mem_act = decision->mem_act;
    item->said.cpu_act = decision->cpu_act;
    item->said.mem_bound = decision->mem_bound;
    item->said.cpu_bound = decision->cpu_bound;
    item->said.take = decision->mem_take;
    item->said.mem_bytes = is_act(decision->mem_act) ? decision->mem_bytes : 0;
    item->said.cpus = is_act(decision->cpu_act) ? decision->cpus : 0;
    item->said.usec = now_usec;
}

static void
say_decision(LpScaledItem *item, const LpDecision *decision)
{
    bool memory = memory_differs(item, decision), cpus = cpus_differ(item, decision);
    LpAct act = is_act(decision->mem_act) && memory ? decision->mem_act
                : is_act(decision->cpu_act) && cpus ? decision->cpu_act
                : memory                            ? decision->mem_act
                                                    : decision->cpu_act;
    g_autofree char *text = describe(item, memory, cpus);

    /* Of processors nothing is said while there is nothing to say. */
    if (!*text)
        return;
    item->scaler->figures.acts[act <= LP_ACT_WAIT ? act : LP_ACT_NONE]++;
    lp_chronicle_say(item->scaler, item->partition, lp_act_name(act), text);
}

void
lp_chronicle_decision(LpScaledItem *item)
{
    const LpDecision *decision = &item->scaler->decisions[item->row];

    say_decision(item, decision);
    note_said(item, decision, g_get_monotonic_time());
}

void
lp_chronicle_tick(LpScaler *scaler)
{
    int64_t now_usec = g_get_monotonic_time();
    guint left = LINES_A_TICK;

    for (size_t i = 0; i < scaler->n && left > 0; i++) {
        LpScaledItem *item = g_ptr_array_index(scaler->rows, scaler->said_turn++ % scaler->n);
        const LpDecision *decision;

        /* While it is being changed nothing is decided that could be news; what is to change is
         * told when it does. */
        if (!item || item->mode == LP_MODE_OFF || scaler->inputs[item->row].fixed)
            continue;
        decision = &scaler->decisions[item->row];
        if (item->mode == LP_MODE_AUTO
            && (is_act(decision->mem_act) || is_act(decision->cpu_act)))
            continue;
        if (!is_news(item, decision, now_usec))
            continue;
        say_decision(item, decision);
        note_said(item, decision, now_usec);
        left--;
    }
}

void
lp_scaler_lines(LpScaler *scaler, const char *uuid, size_t limit,
                void (*each)(const LpScalerLine *line, void *data), void *data)
{
    for (GList *link = scaler->lines.head; link && limit > 0; link = link->next) {
        const LpScalerLine *line = link->data;

        if (uuid && strcmp(line->uuid, uuid) != 0)
            continue;
        each(line, data);
        limit--;
    }
}
