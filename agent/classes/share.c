#include "agent/classes/share.h"

#include <string.h>

/* The kernel counts in pages and rounds down; the same is done here, so that what is read back
 * is what was written (on machines of larger pages the kernel rounds further). */
#define LP_CLASS_PAGE UINT64_C(4096)

uint32_t
lp_class_v1_shares(uint32_t weight)
{
    return weight * 1024 / 100;
}

/* bytes x percent / 100 without overflow. */
static uint64_t
part_of(uint64_t bytes, uint32_t percent)
{
    return (bytes / 100 * percent + bytes % 100 * percent / 100) & ~(LP_CLASS_PAGE - 1);
}

static uint32_t
rest_of(const LpClassTable *table)
{
    uint32_t rest = LP_CLASS_WHOLE;

    for (uint32_t i = 0; i < table->n_classes; i++)
        rest -= 100 * table->classes[i].cpu_min;
    if (rest < LP_CLASS_REST_MIN)
        return LP_CLASS_REST_MIN;
    return rest > LP_CLASS_REST_MAX ? LP_CLASS_REST_MAX : rest;
}

/* Largest remainders would be fairer by a ten-thousandth; rounding down, with what is left over
 * given out one by one, keeps the sum whole and every minimum. */
static void
divide(const LpClassTable *table, uint32_t rest, uint32_t *ret_shares)
{
    uint32_t free = LP_CLASS_WHOLE, weights = 0, left;

    for (uint32_t i = 0; i < table->n_classes; i++) {
        free -= 100 * table->classes[i].cpu_min;
        weights += table->classes[i].weight;
    }
    free = free > rest ? free - rest : 0;
    left = free;
    for (uint32_t i = 0; i < table->n_classes; i++) {
        uint32_t more = (uint32_t)((uint64_t)free * table->classes[i].weight / weights);

        ret_shares[i] = 100 * table->classes[i].cpu_min + more;
        left -= more;
    }
    for (uint32_t i = 0; left > 0; i = (i + 1) % table->n_classes, left--)
        ret_shares[i]++;
}

/* Rounded up, so that none is below its share, nor 0. */
static uint32_t
weight_of(uint32_t share, uint32_t rest)
{
    return share == 0 ? 1 : (share * LP_CLASS_REST_WEIGHT + rest - 1) / rest;
}

static LpClassGroup *
group_above(LpClassPlan *plan, const char *path, size_t length)
{
    LpClassGroup *group;

    for (uint32_t i = 0; i < plan->n_groups; i++)
        if (strlen(plan->groups[i].path) == length &&
            memcmp(plan->groups[i].path, path, length) == 0)
            return &plan->groups[i];
    group = &plan->groups[plan->n_groups++];
    *group = (LpClassGroup){ .class = -1, .quota_usec = LP_CLASS_NO_QUOTA,
                             .max_bytes = LP_CLASS_NO_LIMIT };
    memcpy(group->path, path, length);
    return group;
}

/* A cgroup above several classes stands for all of them; the kernel protects memory below it
 * only as far as it is protected itself. */
static void
add_above(LpClassPlan *plan, const LpClassGroup *class)
{
    for (const char *slash = strchr(class->path, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        LpClassGroup *group = group_above(plan, class->path, (size_t)(slash - class->path));

        group->share += class->share;
        group->weight += class->weight;
        if (group->weight > LP_CLASS_WEIGHT_MAX)
            group->weight = LP_CLASS_WEIGHT_MAX;
        group->low_bytes += class->low_bytes;
    }
}

static void
plan_class(const LpClass *class, int32_t number, uint32_t cpus, uint64_t bytes,
           LpClassGroup *ret_group)
{
    *ret_group = (LpClassGroup){ .class = number, .quota_usec = LP_CLASS_NO_QUOTA,
                                 .max_bytes = LP_CLASS_NO_LIMIT };
    memcpy(ret_group->path, class->path, sizeof(ret_group->path));
    if (class->cpu_max < 100)
        ret_group->quota_usec = (int64_t)class->cpu_max * cpus * LP_CLASS_PERIOD_USEC / 100;
    ret_group->low_bytes = part_of(bytes, class->mem_min);
    if (class->mem_max < 100)
        ret_group->max_bytes = part_of(bytes, class->mem_max);
}

void
lp_class_plan(const LpClassTable *table, uint32_t cpus, uint64_t bytes, LpClassPlan *ret_plan)
{
    uint32_t shares[LP_WIRE_CLASSES_MAX];
    LpClassGroup classes[LP_WIRE_CLASSES_MAX];

    *ret_plan = (LpClassPlan){ .rest = LP_CLASS_WHOLE };
    if (table->n_classes == 0)
        return;
    ret_plan->rest = rest_of(table);
    divide(table, ret_plan->rest, shares);
    for (uint32_t i = 0; i < table->n_classes; i++) {
        plan_class(&table->classes[i], (int32_t)i, cpus, bytes, &classes[i]);
        classes[i].share = shares[i];
        classes[i].weight = weight_of(shares[i], ret_plan->rest);
        add_above(ret_plan, &classes[i]);
    }
    for (uint32_t i = 0; i < table->n_classes; i++)
        ret_plan->groups[ret_plan->n_groups++] = classes[i];
}
