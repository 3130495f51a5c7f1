/* Who is handed over when there is no room for all. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Sets ret_chosen[i] for the `most` items with the highest calls[i]; of equal ones the first. */
void busiest(const double *calls, size_t count, size_t most, bool *ret_chosen);

/* Who was handed over before stays until another has twice as many calls: else two that take turns
 * would be a new problem each time. */
#define BUSIEST_STAYS 2.0
