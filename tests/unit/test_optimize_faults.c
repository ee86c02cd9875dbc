/* What goes wrong with moving pages, and what is said of it. */
#include "optimize_fixture.h"

int
main(void)
{
    start_clock();
    return 0;
}
