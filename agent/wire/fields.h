/* One field of a message at a time, to and from JSON: what the parts of the codec share. */
#ifndef LP_AGENT_WIRE_FIELDS_H
#define LP_AGENT_WIRE_FIELDS_H

#include <jansson.h>

#include "agent/wire/wire.h"
#include "agent/wire/words.h"

/* --- decoding --- */

/* Getters return whether the field was good, and leave its name here if not. */
typedef struct {
    LpWireVerdict verdict;               /* what a bad field means: BAD_FIELD, but for a version */
    const char *field;
} LpDecoder;

/* Names the field at fault; returns false. */
bool lp_wire_bad(LpDecoder *decoder, const char *key);
bool lp_wire_get_uint(LpDecoder *decoder, const json_t *object, const char *key, uint64_t max,
                      uint64_t *ret_value);
bool lp_wire_get_uint32(LpDecoder *decoder, const json_t *object, const char *key, uint32_t max,
                        uint32_t *ret_value);
bool lp_wire_get_id(LpDecoder *decoder, const json_t *object, uint64_t *ret_id);
bool lp_wire_get_bool(LpDecoder *decoder, const json_t *object, const char *key, bool *ret_value);
bool lp_wire_get_text(LpDecoder *decoder, const json_t *object, const char *key, char *ret_text,
                      size_t size);
bool lp_wire_get_boot_id(LpDecoder *decoder, const json_t *object, char *ret_text);
bool lp_wire_get_mask(LpDecoder *decoder, const json_t *object, const char *key,
                      LpCpuMask *ret_mask);
/* The place in `names` of a word, which must be one of them. */
bool lp_wire_get_word(LpDecoder *decoder, const json_t *object, const char *key,
                      const char *const *names, int n_names, int *ret_place);
/* A list of names as bits; those that are not in `names` are passed over. */
bool lp_wire_get_bits(LpDecoder *decoder, const json_t *object, const char *key,
                      const char *const *names, int n_names, uint32_t *ret_bits);

bool lp_wire_get_hello(LpDecoder *decoder, const json_t *object, LpWireHello *hello);
bool lp_wire_get_state(LpDecoder *decoder, const json_t *object, LpWireState *state);
bool lp_wire_get_want(LpDecoder *decoder, const json_t *object, LpWireWant *want);
bool lp_wire_get_reply(LpDecoder *decoder, const json_t *object, LpWireReply *reply);
bool lp_wire_get_phase(LpDecoder *decoder, const json_t *object, LpWirePhase *phase);
bool lp_wire_get_answer(LpDecoder *decoder, const json_t *object, LpWireAnswer *answer);
bool lp_wire_get_stop(LpDecoder *decoder, const json_t *object, LpWireStop *stop);
bool lp_wire_get_pressure(LpDecoder *decoder, const json_t *object, LpWirePressure *pressure);
bool lp_wire_get_ask(LpDecoder *decoder, const json_t *object, LpWireAsk *ask);
bool lp_wire_get_result(LpDecoder *decoder, const json_t *object, LpWireResult *result);
bool lp_wire_get_subscribe(LpDecoder *decoder, const json_t *object, LpWireSubscribe *subscribe);

/* --- encoding --- */

/* The object grows field by field; the first field that cannot be written ends it. */
typedef struct {
    json_t *object;
    bool bad;
} LpEncoder;

/* Takes the reference; NULL is an error. */
void lp_wire_put(LpEncoder *encoder, const char *key, json_t *value);
void lp_wire_put_uint(LpEncoder *encoder, const char *key, uint64_t value, uint64_t max);
void lp_wire_put_id(LpEncoder *encoder, uint64_t id);
void lp_wire_put_text(LpEncoder *encoder, const char *key, const char *text, size_t size);
void lp_wire_put_boot_id(LpEncoder *encoder, const char *text);
void lp_wire_put_mask(LpEncoder *encoder, const char *key, const LpCpuMask *mask);
void lp_wire_put_word(LpEncoder *encoder, const char *key, const char *const *names, int n_names,
                      unsigned place);
void lp_wire_put_bits(LpEncoder *encoder, const char *key, const char *const *names, int n_names,
                      uint32_t bits);

void lp_wire_put_hello(LpEncoder *encoder, const LpWireHello *hello);
void lp_wire_put_state(LpEncoder *encoder, const LpWireState *state);
void lp_wire_put_want(LpEncoder *encoder, const LpWireWant *want);
void lp_wire_put_reply(LpEncoder *encoder, const LpWireReply *reply);
void lp_wire_put_phase(LpEncoder *encoder, const LpWirePhase *phase);
void lp_wire_put_answer(LpEncoder *encoder, const LpWireAnswer *answer);
void lp_wire_put_stop(LpEncoder *encoder, const LpWireStop *stop);
void lp_wire_put_pressure(LpEncoder *encoder, const LpWirePressure *pressure);
void lp_wire_put_ask(LpEncoder *encoder, const LpWireAsk *ask);
void lp_wire_put_result(LpEncoder *encoder, const LpWireResult *result);
void lp_wire_put_subscribe(LpEncoder *encoder, const LpWireSubscribe *subscribe);

#endif
