/* Text to messages.  Everything here comes from a peer that may be hostile. */
#include "agent/wire/fields.h"

#include <string.h>

static bool
get_fields(LpDecoder *decoder, const json_t *object, LpWireMessage *message)
{
    switch (message->kind) {
    case LP_WIRE_HELLO:
        return lp_wire_get_hello(decoder, object, &message->hello);
    case LP_WIRE_STATE:
        return lp_wire_get_state(decoder, object, &message->state);
    case LP_WIRE_REPLY:
        return lp_wire_get_reply(decoder, object, &message->reply);
    case LP_WIRE_ANSWER:
        return lp_wire_get_answer(decoder, object, &message->answer);
    case LP_WIRE_STOP:
        return lp_wire_get_stop(decoder, object, &message->stop);
    case LP_WIRE_PRESSURE:
        return lp_wire_get_pressure(decoder, object, &message->pressure);
    case LP_WIRE_ASK:
        return lp_wire_get_ask(decoder, object, &message->ask);
    case LP_WIRE_WANT:
        return lp_wire_get_want(decoder, object, &message->want);
    case LP_WIRE_PHASE:
        return lp_wire_get_phase(decoder, object, &message->phase);
    case LP_WIRE_RESULT:
        return lp_wire_get_result(decoder, object, &message->result);
    case LP_WIRE_SUBSCRIBE:
        return lp_wire_get_subscribe(decoder, object, &message->subscribe);
    case LP_WIRE_WHO:
    case LP_WIRE_KINDS:
        break;
    }
    return true;
}

static LpWireVerdict
decode_object(LpDecoder *decoder, const json_t *object, LpWireMessage *message)
{
    const json_t *type = json_object_get(object, "t");
    int kind;

    if (!json_is_string(type)) {
        decoder->field = "t";
        return LP_WIRE_BAD_FIELD;
    }
    kind = lp_wire_word_find(lp_wire_type_names, LP_WIRE_KINDS, json_string_value(type));
    if (kind < 0) {
        decoder->field = "t";
        return LP_WIRE_UNKNOWN_TYPE;
    }
    message->kind = (LpWireKind)kind;
    return get_fields(decoder, object, message) ? LP_WIRE_OK : decoder->verdict;
}

/* jansson recurses as deep as the text does (to 2048) and allocates for each value, so both
 * are bounded before it sees the text.  Exact for valid JSON; what is not valid is jansson's. */
static LpWireVerdict
scan(LpDecoder *decoder, const char *line, size_t length)
{
    unsigned depth = 0, values = 1;
    bool in_string = false;

    for (size_t i = 0; i < length; i++) {
        char c = line[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            values++;
            if (++depth > LP_WIRE_DEPTH_MAX)
                return LP_WIRE_TOO_DEEP;
        } else if (c == ']' || c == '}') {
            if (depth == 0)
                return LP_WIRE_NOT_JSON;
            depth--;
        } else if (c == ',') {
            values++;
        }
        if (values > LP_WIRE_VALUES_MAX) {
            decoder->field = "(too many values)";
            return LP_WIRE_BAD_FIELD;
        }
    }
    return LP_WIRE_OK;
}

static LpWireVerdict
decode_line(LpDecoder *decoder, const char *line, size_t length, LpWireMessage *message)
{
    LpWireVerdict verdict;
    json_error_t error;
    json_t *root;

    if (length >= LP_WIRE_FRAME_MAX)
        return LP_WIRE_TOO_LONG;
    verdict = scan(decoder, line, length);
    if (verdict != LP_WIRE_OK)
        return verdict;
    /* Two readings of one text are a way around a check: the same key twice is refused. */
    root = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL)
        return LP_WIRE_NOT_JSON;
    verdict = json_is_object(root) ? decode_object(decoder, root, message) : LP_WIRE_NOT_OBJECT;
    json_decref(root);
    return verdict;
}

LpWireVerdict
lp_wire_decode(const char *line, size_t length, LpWireMessage *ret_message,
               const char **ret_field)
{
    LpDecoder decoder = { .verdict = LP_WIRE_BAD_FIELD };
    LpWireMessage message;
    LpWireVerdict verdict;

    memset(&message, 0, sizeof(message));
    verdict = decode_line(&decoder, line, length, &message);
    if (verdict == LP_WIRE_OK)
        *ret_message = message;
    if (ret_field != NULL)
        *ret_field = decoder.field;
    return verdict;
}
