/* What changed from tick to tick, in words: the last lines for who asks, and events for who
 * listens. */
#include <string.h>

#include "lpard/autoscale/autoscale-priv.h"
#include "policy/explain.h"
#include "policy/units.h"

/* A bound that comes and goes each second is one piece of news. */
#define SAY_PAUSE_USEC (10 * G_USEC_PER_SEC)
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

/* Sentences in a row. */
static void
join_lines(char *text)
{
    g_strchomp(text);
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = ' ';
}

static void
describe(LpScaledItem *item, char *text, size_t size)
{
    LpScaled scaled;

    lp_scaler_row(item->scaler, (size_t) item->row, &scaled);
    lp_explain(scaled.host, scaled.input, scaled.state, scaled.decision, scaled.rival, text, size);
    join_lines(text);
}

char *
lp_chronicle_why(LpScaledItem *item)
{
    char text[LP_EXPLAIN_TEXT];
    const char *end;

    describe(item, text, sizeof text);
    text[MIN(strlen(text), WHY_MAX)] = '\0';
    if (!g_utf8_validate(text, -1, &end))
        text[end - text] = '\0';
    return g_strdup(*text ? text : "the policy's decision");
}

static bool
is_act(LpAct act)
{
    return act == LP_ACT_GROW || act == LP_ACT_SHRINK;
}

/* Whether what is decided now is something else than what was last said. */
static bool
is_news(const LpScaledItem *item, const LpDecision *decision, int64_t now_usec)
{
    bool acts = is_act(decision->mem_act) || is_act(decision->cpu_act);
    bool same = decision->mem_act == item->said.mem_act && decision->cpu_act == item->said.cpu_act
                && decision->mem_bound == item->said.mem_bound
                && decision->cpu_bound == item->said.cpu_bound
                && decision->mem_take == item->said.take;

    if (is_act(decision->mem_act) && decision->mem_bytes != item->said.mem_bytes)
        return true;
    if (is_act(decision->cpu_act) && decision->cpus != item->said.cpus)
        return true;
    return !same && (acts || now_usec - item->said.usec >= SAY_PAUSE_USEC);
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

void
lp_chronicle_tick(LpScaler *scaler)
{
    int64_t now_usec = g_get_monotonic_time();

    for (size_t i = 0; i < scaler->n; i++) {
        LpScaledItem *item = g_ptr_array_index(scaler->rows, i);
        const LpDecision *decision = &scaler->decisions[i];
        char text[LP_EXPLAIN_TEXT];

        /* While it is being changed nothing is decided that could be news. */
        if (!item || item->mode == LP_MODE_OFF || scaler->inputs[i].fixed
            || !is_news(item, decision, now_usec))
            continue;
        note_said(item, decision, now_usec);
        scaler->figures.acts[decision->mem_act <= LP_ACT_WAIT ? decision->mem_act : 0]++;
        describe(item, text, sizeof text);
        lp_chronicle_say(scaler, item->partition,
                         lp_act_name(is_act(decision->mem_act) ? decision->mem_act
                                     : is_act(decision->cpu_act) ? decision->cpu_act
                                                                 : decision->mem_act),
                         text);
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
