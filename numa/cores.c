/* Whole cores first. */
#include "numa/cores.h"
