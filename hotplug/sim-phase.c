/* The simulated agent's part in a resize: it hears the phases, consents or not, says STOP when a
 * release has gone too far, and asks for another size. */
#include <string.h>

#include "agent/wire/wire.h"
#include "hotplug/sim-host.h"

/* What it remembers of what it was told; tests read it.  More would make every kept state longer, and
 * a large host's memory grow for as long as its guests are resized. */
#define HEARD_MAX 12
/* Answers on their way: more than a host that keeps to the protocol can cause. */
#define ANSWERS_MAX 16
#define MSEC_MAX (24 * 3600 * 1000)
#define BYTES_MAX (1ULL << 50)

typedef struct {
    LpWireAnswer answer;
    int64_t due_usec;
} Answer;

struct LpSimTalk {
    GArray *answers;              /* of Answer, in the order in which they were asked for */
    GPtrArray *heard;             /* of char* */
    bool releases, stopped;       /* between PRE and POST of a release of memory */
    uint64_t open_id;             /* of that resize; 0: none */
    bool ask_due;
    LpWireAsk ask;
};

LpSimTalk *
lp_sim_talk_new(void)
{
    LpSimTalk *talk = g_new0(LpSimTalk, 1);

    talk->answers = g_array_new(FALSE, TRUE, sizeof(Answer));
    talk->heard = g_ptr_array_new_with_free_func(g_free);
    return talk;
}

void
lp_sim_talk_free(LpSimTalk *talk)
{
    g_array_unref(talk->answers);
    g_ptr_array_unref(talk->heard);
    g_free(talk);
}

void
lp_sim_talk_boot(LpSimTalk *talk)
{
    g_array_set_size(talk->answers, 0);
    talk->open_id = 0;
    talk->ask_due = false;
}

/* ---- how it behaves ---- */

static bool
read_text(const json_t *object, const char *key, char *text, size_t size, GError **error)
{
    const char *given = NULL;

    if (!lp_sim_json_text(object, key, &given, error))
        return false;
    if (given)
        g_strlcpy(text, given, size);
    return true;
}

bool
lp_sim_consent_read(const json_t *object, LpSimConsent *consent, GError **error)
{
    return lp_sim_json_flag(object, "no_phases", &consent->no_phases, error)
        && read_text(object, "veto", consent->veto, sizeof(consent->veto), error)
        && read_text(object, "veto_pre", consent->veto_pre, sizeof(consent->veto_pre), error)
        && read_text(object, "post_fails", consent->post_fails, sizeof(consent->post_fails),
                     error)
        && lp_sim_json_u64(object, "answer_msec", MSEC_MAX, &consent->answer_msec, error)
        && lp_sim_json_flag(object, "no_answer", &consent->no_answer, error)
        && lp_sim_json_mask(object, "leave", &consent->leave, error)
        && lp_sim_json_u64(object, "stop_at_bytes", BYTES_MAX, &consent->stop_at_bytes, error)
        && lp_sim_json_u64(object, "stop_back_bytes", BYTES_MAX, &consent->stop_back_bytes,
                           error);
}

void
lp_sim_consent_write(const LpSimConsent *consent, json_t *json)
{
    char leave[LP_CPUMASK_TEXT];

    json_object_set_new(json, "no_phases", json_boolean(consent->no_phases));
    json_object_set_new(json, "veto", json_string(consent->veto));
    json_object_set_new(json, "veto_pre", json_string(consent->veto_pre));
    json_object_set_new(json, "post_fails", json_string(consent->post_fails));
    json_object_set_new(json, "answer_msec", json_integer((json_int_t) consent->answer_msec));
    json_object_set_new(json, "no_answer", json_boolean(consent->no_answer));
    json_object_set_new(json, "leave", json_string(lp_cpumask_format(&consent->leave, leave,
                                                                     sizeof(leave))));
    json_object_set_new(json, "stop_at_bytes",
                        json_integer((json_int_t) consent->stop_at_bytes));
    json_object_set_new(json, "stop_back_bytes",
                        json_integer((json_int_t) consent->stop_back_bytes));
}

bool
lp_sim_talk_ask(LpSimTalk *talk, const json_t *object, GError **error)
{
    static const char *const known[] = { "id", "mode", "cpu", "mem_bytes", "who", "why", NULL };
    static const char *const modes[] = { "set", "add", "remove" };
    LpWireAsk ask = { .id = 1, .who = "simulated" };
    uint64_t cpu = 0;
    const char *mode = "set";
    LpWireMode chosen = LP_WIRE_MODE_SET;

    if (!lp_sim_json_keys(object, "ask", known, error)
        || !lp_sim_json_u64(object, "id", BYTES_MAX, &ask.id, error)
        || !lp_sim_json_text(object, "mode", &mode, error)
        || !lp_sim_json_u64(object, "cpu", LP_MAX_CPUS, &cpu, error)
        || !lp_sim_json_u64(object, "mem_bytes", BYTES_MAX, &ask.mem_bytes, error)
        || !read_text(object, "who", ask.who, sizeof(ask.who), error)
        || !read_text(object, "why", ask.why, sizeof(ask.why), error))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++)
        if (strcmp(mode, modes[i]) == 0)
            chosen = (LpWireMode) i;
    ask.cpu = (uint32_t) cpu;
    ask.cpu_mode = ask.mem_mode = chosen;
    ask.has_cpu = json_object_get(object, "cpu") != NULL;
    ask.has_mem = json_object_get(object, "mem_bytes") != NULL;
    talk->ask = ask;
    talk->ask_due = true;
    return true;
}

/* ---- what it remembers ---- */

static void
note(LpSimTalk *talk, char *text)
{
    g_ptr_array_add(talk->heard, text);
    if (talk->heard->len > HEARD_MAX)
        g_ptr_array_remove_index(talk->heard, 0);
}

json_t *
lp_sim_talk_write(const LpSimTalk *talk)
{
    json_t *list = json_array();

    for (guint i = 0; i < talk->heard->len; i++)
        json_array_append_new(list, json_string(g_ptr_array_index(talk->heard, i)));
    return list;
}

void
lp_sim_talk_read(LpSimTalk *talk, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        note(talk, g_strdup(json_string_value(json_array_get(list, i))));
}

static char *
phase_text(const LpWirePhase *phase)
{
    static const char *const names[LP_WIRE_PHASES] = { "check", "pre", "post", "undo" };
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "%" G_GUINT64_FORMAT " %s", phase->id, names[phase->phase]);
    if (phase->has_cpu)
        g_string_append_printf(text, " cpu %u %u", phase->cpu_from, phase->cpu_to);
    if (phase->has_mem)
        g_string_append_printf(text, " mem %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                               phase->mem_from_bytes, phase->mem_to_bytes);
    if (phase->has_units)
        g_string_append_printf(text, " units %u %u", phase->units_from_centi,
                               phase->units_to_centi);
    if (phase->force)
        g_string_append(text, " force");
    return g_string_free(text, FALSE);
}

/* ---- what it does ---- */

static void
refuse(LpWireAnswer *answer, LpWireAnswerVerdict verdict, const char *by, const char *reason)
{
    answer->verdict = verdict;
    g_strlcpy(answer->by, by, sizeof(answer->by));
    g_strlcpy(answer->reason, reason, sizeof(answer->reason));
}

void
lp_sim_talk_phase(LpSimDomain *domain, const LpWirePhase *phase, int64_t now_usec)
{
    const LpSimConsent *manners = &domain->manners.consent;
    LpSimTalk *talk = domain->talk;
    Answer answer = { .answer = { .id = phase->id, .phase = phase->phase },
                      .due_usec = now_usec + (int64_t) manners->answer_msec * 1000 };

    note(talk, phase_text(phase));
    if (phase->phase == LP_WIRE_PHASE_PRE) {
        talk->open_id = phase->id;
        talk->releases = phase->has_mem && phase->mem_to_bytes < phase->mem_from_bytes;
        talk->stopped = false;
    }
    if (phase->phase == LP_WIRE_PHASE_POST || phase->phase == LP_WIRE_PHASE_UNDO)
        talk->open_id = 0;
    if (manners->no_answer || talk->answers->len >= ANSWERS_MAX)
        return;
    if (phase->phase == LP_WIRE_PHASE_CHECK && manners->veto[0])
        refuse(&answer.answer, LP_WIRE_ANSWER_VETO, "hook 20-simulated", manners->veto);
    if (phase->phase == LP_WIRE_PHASE_PRE && manners->veto_pre[0])
        refuse(&answer.answer, LP_WIRE_ANSWER_VETO, "program simulated", manners->veto_pre);
    if (phase->phase == LP_WIRE_PHASE_POST && manners->post_fails[0])
        refuse(&answer.answer, LP_WIRE_ANSWER_OK, "hook 30-simulated", manners->post_fails);
    if (phase->phase == LP_WIRE_PHASE_CHECK && phase->has_cpu && phase->cpu_to < phase->cpu_from
        && lp_cpumask_count(&manners->leave) > 0) {
        answer.answer.has_leave = true;
        answer.answer.leave = manners->leave;
    }
    g_array_append_val(talk->answers, answer);
}

void
lp_sim_talk_result(LpSimDomain *domain, const LpWireResult *result)
{
    note(domain->talk, g_strdup_printf("%" G_GUINT64_FORMAT " result %s %s: %s", result->id,
                                       result->final ? "final" : "taken", result->state,
                                       result->message));
}

static bool
must_stop(const LpSimDomain *domain)
{
    const LpSimTalk *talk = domain->talk;

    return talk->open_id && talk->releases && !talk->stopped
        && domain->manners.consent.stop_at_bytes
        && lp_sim_guest_plugged(domain) <= domain->manners.consent.stop_at_bytes;
}

bool
lp_sim_talk_next(LpSimDomain *domain, int64_t now_usec, LpWireMessage *ret_message)
{
    LpSimTalk *talk = domain->talk;

    memset(ret_message, 0, sizeof(*ret_message));
    if (talk->answers->len > 0 && g_array_index(talk->answers, Answer, 0).due_usec <= now_usec) {
        ret_message->kind = LP_WIRE_ANSWER;
        ret_message->answer = g_array_index(talk->answers, Answer, 0).answer;
        g_array_remove_index(talk->answers, 0);
        return true;
    }
    if (must_stop(domain)) {
        talk->stopped = true;
        ret_message->kind = LP_WIRE_STOP;
        ret_message->stop.id = talk->open_id;
        ret_message->stop.back_bytes = domain->manners.consent.stop_back_bytes;
        g_strlcpy(ret_message->stop.reason, "simulated pressure",
                  sizeof(ret_message->stop.reason));
        return true;
    }
    if (talk->ask_due) {
        talk->ask_due = false;
        ret_message->kind = LP_WIRE_ASK;
        ret_message->ask = talk->ask;
        return true;
    }
    return false;
}

int64_t
lp_sim_talk_due(const LpSimDomain *domain)
{
    const LpSimTalk *talk = domain->talk;

    return talk->answers->len ? g_array_index(talk->answers, Answer, 0).due_usec : -1;
}
