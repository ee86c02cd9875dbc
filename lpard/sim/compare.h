/* The command `lpar-sim compare`. */
#ifndef LP_SIM_COMPARE_H
#define LP_SIM_COMPARE_H

/* argv[0] is "compare"; returns the exit status. */
int lp_sim_compare(int argc, char **argv);

#endif
