#include "agent/classes/share.h"

#include <string.h>

/* The kernel counts in pages and rounds down; the same is done here, so that what is read back
 * is what was written (on machines of larger pages the kernel rounds further). */
#define LP_CLASS_PAGE UINT64_C(4096)

uint32_t
lp_class_v1_shares(uint32_t share)
{
    uint32_t shares = share * 1024 / 100;

    return shares < 2 ? 2 : shares;  /* the kernel's own least */
}

/* bytes x percent / 100 without overflow. */
static uint64_t
part_of(uint64_t bytes, uint32_t percent)
{
    return (bytes / 100 * percent + bytes % 100 * percent / 100) & ~(LP_CLASS_PAGE - 1);
}

/* Largest remainders would be fairer by a ten-thousandth; rounding down, with what is left over
 * given out one by one, keeps the sum whole and every minimum. */
static void
divide(const LpClassTable *table, uint32_t *ret_shares)
{
    uint32_t rest = LP_CLASS_WHOLE, weights = 0, left;

    for (uint32_t i = 0; i < table->n_classes; i++) {
        rest -= 100 * table->classes[i].cpu_min;
        weights += table->classes[i].weight;
    }
    left = rest;
    for (uint32_t i = 0; i < table->n_classes; i++) {
        uint32_t more = (uint32_t)((uint64_t)rest * table->classes[i].weight / weights);

        ret_shares[i] = 100 * table->classes[i].cpu_min + more;
        left -= more;
    }
    for (uint32_t i = 0; left > 0; i = (i + 1) % table->n_classes, left--)
        ret_shares[i]++;
    /* No cgroup can have a weight of 0. */
    for (uint32_t i = 0; i < table->n_classes; i++)
        if (ret_shares[i] == 0)
            ret_shares[i] = 1;
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
        if (group->share > LP_CLASS_WHOLE)
            group->share = LP_CLASS_WHOLE;
        group->low_bytes += class->low_bytes;
    }
}

static void
plan_class(const LpClass *class, int32_t number, uint32_t share, uint32_t cpus, uint64_t bytes,
           LpClassGroup *ret_group)
{
    *ret_group = (LpClassGroup){ .class = number, .share = share,
                                 .quota_usec = LP_CLASS_NO_QUOTA,
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

    ret_plan->n_groups = 0;
    if (table->n_classes == 0)
        return;
    divide(table, shares);
    for (uint32_t i = 0; i < table->n_classes; i++) {
        plan_class(&table->classes[i], (int32_t)i, shares[i], cpus, bytes, &classes[i]);
        add_above(ret_plan, &classes[i]);
    }
    for (uint32_t i = 0; i < table->n_classes; i++)
        ret_plan->groups[ret_plan->n_groups++] = classes[i];
}
