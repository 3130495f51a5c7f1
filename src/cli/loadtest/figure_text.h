/* Figures of a result with how sure they are, as the table and the page show them. Pure. */
#pragma once

#include <stdbool.h>

struct json_object;

#define FIGURE_TEXT_SIZE 48

/* figures: a summary, or what came once the policy had settled. False = there is no such figure. */

/* "12.30 ± 0.42" ms: half the width of the interval, which needs two repetitions. */
bool figure_mean_text(struct json_object *figures, char text[FIGURE_TEXT_SIZE]);

/* "2.10 (1.98 to 2.23)", of the mean latency. */
bool figure_speed_up_text(struct json_object *figures, char text[FIGURE_TEXT_SIZE]);
