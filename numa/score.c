/* Distances, weighed by who uses what. */
#include "numa/score.h"
