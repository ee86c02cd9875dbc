/* Where random cases come from; apart, so that a fuzz target can put its input in its place. */
#include "plan_case.h"

uint64_t
random_next(Random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}
