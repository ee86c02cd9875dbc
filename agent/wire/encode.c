/* Messages to text.  Refuses what decoding would refuse, so that a mistake is found where it
 * is made and not by the peer. */
#include "agent/wire/fields.h"

static void
put_fields(LpEncoder *encoder, const LpWireMessage *message)
{
    lp_wire_put(encoder, "t", json_string(lp_wire_type_names[message->kind]));
    switch (message->kind) {
    case LP_WIRE_HELLO:
        lp_wire_put_hello(encoder, &message->hello);
        break;
    case LP_WIRE_STATE:
        lp_wire_put_state(encoder, &message->state);
        break;
    case LP_WIRE_REPLY:
        lp_wire_put_reply(encoder, &message->reply);
        break;
    case LP_WIRE_ANSWER:
        lp_wire_put_answer(encoder, &message->answer);
        break;
    case LP_WIRE_STOP:
        lp_wire_put_stop(encoder, &message->stop);
        break;
    case LP_WIRE_PRESSURE:
        lp_wire_put_pressure(encoder, &message->pressure);
        break;
    case LP_WIRE_ASK:
        lp_wire_put_ask(encoder, &message->ask);
        break;
    case LP_WIRE_WANT:
        lp_wire_put_want(encoder, &message->want);
        break;
    case LP_WIRE_PHASE:
        lp_wire_put_phase(encoder, &message->phase);
        break;
    case LP_WIRE_RESULT:
        lp_wire_put_result(encoder, &message->result);
        break;
    case LP_WIRE_SUBSCRIBE:
        lp_wire_put_subscribe(encoder, &message->subscribe);
        break;
    case LP_WIRE_WHO:
    case LP_WIRE_KINDS:
        break;
    }
}

LpWireVerdict
lp_wire_encode(const LpWireMessage *message, char *buf, size_t size, size_t *ret_length)
{
    LpEncoder encoder = { .object = NULL };
    LpWireVerdict verdict = LP_WIRE_BAD_FIELD;
    size_t length;

    if ((unsigned)message->kind >= LP_WIRE_KINDS)
        return LP_WIRE_UNKNOWN_TYPE;
    encoder.object = json_object();
    put_fields(&encoder, message);
    if (!encoder.bad) {
        length = json_dumpb(encoder.object, buf, size, JSON_COMPACT);
        if (length == 0) {
            verdict = LP_WIRE_BAD_FIELD;
        } else if (length + 1 > LP_WIRE_FRAME_MAX || length + 2 > size) {
            verdict = LP_WIRE_NO_ROOM;
        } else {
            buf[length] = '\n';
            buf[length + 1] = '\0';
            *ret_length = length + 1;
            verdict = LP_WIRE_OK;
        }
    }
    json_decref(encoder.object);
    return verdict;
}
