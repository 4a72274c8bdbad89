#include "armed/standing.h"

atomic_bool gs_armed;
bool gs_armed_children;
