#include "cli/loadtest/figure_text.h"

#include <math.h>
#include <stdio.h>

#include "base/json.h"

bool figure_mean_text(struct json_object *figures, char text[FIGURE_TEXT_SIZE])
{
    struct json_object *mean = json_member(figures, "mean_of_repetitions", json_type_object);
    double low = json_double(mean, "low", NAN), high = json_double(mean, "high", NAN);
    double value = json_double(figures, "mean_ms", NAN);
    if (isnan(low)) {
        (void)snprintf(text, FIGURE_TEXT_SIZE, "%.2f", value);
    } else {
        (void)snprintf(text, FIGURE_TEXT_SIZE, "%.2f ± %.2f", value, (high - low) / 2);
    }
    return !isnan(value);
}

bool figure_speed_up_text(struct json_object *figures, char text[FIGURE_TEXT_SIZE])
{
    struct json_object *over = json_member(figures, "over_all_remote", json_type_object);
    struct json_object *mean = json_member(over, "mean", json_type_object);
    double value = json_double(mean, "value", NAN), low = json_double(mean, "low", NAN);
    if (isnan(low)) { /* one repetition says nothing of the next */
        (void)snprintf(text, FIGURE_TEXT_SIZE, "%.2f", value);
    } else {
        (void)snprintf(text, FIGURE_TEXT_SIZE, "%.2f (%.2f to %.2f)", value, low,
                       json_double(mean, "high", NAN));
    }
    return !isnan(value);
}
