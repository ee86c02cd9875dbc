/* The parts of a record: which fields a thing has, and how each is written. */
#ifndef LP_POLICY_RECORD_PRIV_H
#define LP_POLICY_RECORD_PRIV_H

#include "policy/record.h"

/* Header: magic, version, type; length of the body, its CRC-32, and that of these 12 bytes. */
#define LP_RECORD_HEADER 16
#define LP_RECORD_MAGIC_0 'L'
#define LP_RECORD_MAGIC_1 'P'

enum { LP_RECORD_SNAPSHOT = 1, LP_RECORD_TICK = 2 };

typedef enum {
    LP_FIELD_BOOL,         /* a byte: 0 or 1 */
    LP_FIELD_ENUM,         /* a byte, below the limit */
    LP_FIELD_COUNT,        /* a byte of a uint32_t that is at most the limit */
    LP_FIELD_U8, LP_FIELD_U32, LP_FIELD_U64,
    LP_FIELD_MEM_AGE, LP_FIELD_CPU_AGE,    /* 8 bytes; grow by themselves while something is seen */
    LP_FIELD_CELLS,        /* a partition's: their count, and a byte each */
} LpFieldKind;

typedef struct {
    const char *name;
    uint32_t offset;
    LpFieldKind kind;
    uint32_t limit;
} LpField;

/* A thing of at most 64 fields: what differs is told by a mask of as many bytes as it needs. */
typedef struct {
    const LpField *fields;
    uint32_t n_fields;
    uint32_t mask_bytes;
    size_t size;
} LpShape;

/* A state is told in two things, its demand apart; both are of LpPolicyState. */
extern const LpShape lp_shape_host, lp_shape_node, lp_shape_pool, lp_shape_partition,
    lp_shape_state, lp_shape_demand, lp_shape_decision;

/* The number a field holds; of CELLS their count. */
uint64_t lp_field_get(const LpField *field, const void *thing);
void lp_field_set(const LpField *field, void *thing, uint64_t value);
bool lp_field_equal(const LpField *field, const void *a, const void *b);
/* What `before` is `passed_msec` later if nothing happens: its ages have grown. */
void lp_partition_later(LpPolicyPartition *before, int64_t passed_msec);

/* CRC-32 of IEEE 802.3 (reflected, as zlib's). */
uint32_t lp_record_crc(const uint8_t *bytes, size_t length);

#endif
