/* json-c, or with -DJANSSON jansson (they export the same names): text to a tree and back, on the
 * sizes that we meet. Prints one line of JSON a case: the best of REPEATS means, in nanoseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef JANSSON
#include <jansson.h>

static void there_and_back(const char *text, size_t size)
{
    json_t *tree = json_loadb(text, size, JSON_DECODE_ANY, NULL);
    char *back = tree ? json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (!back) {
        exit(1);
    }
    free(back);
    json_decref(tree);
}
#else
#include <json-c/json.h>

static void there_and_back(const char *text, size_t size)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *tree = json_tokener_parse_ex(tokener, text, (int)size);
    if (!tree || !json_object_to_json_string_ext(tree, JSON_C_TO_STRING_PLAIN)) {
        exit(1);
    }
    json_object_put(tree);
    json_tokener_free(tokener);
}
#endif

#define REPEATS 9

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double measure(const char *text, size_t size, unsigned count)
{
    double best = 1e18;
    for (unsigned repeat = 0; repeat < REPEATS; repeat++) {
        double start = now_ns();
        for (unsigned i = 0; i < count; i++) {
            there_and_back(text, size);
        }
        double mean = (now_ns() - start) / count;
        best = mean < best ? mean : best;
    }
    return best;
}

static void compare(const char *name, const char *text, unsigned count)
{
    size_t size = strlen(text);
    printf("{\"case\": \"%s\", \"bytes\": %zu, \"ns\": %.0f}\n", name, size,
           measure(text, size, count));
}

/* {"items": [an object with text, numbers, a list ...]} of `count` items. The caller frees it. */
static char *mixed(unsigned count)
{
    size_t room = 64 + (size_t)count * 160;
    char *text = malloc(room);
    size_t used = (size_t)snprintf(text, room, "{\"items\":[");
    for (unsigned i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, room - used,
                                 "%s{\"id\":%u,\"name\":\"item number %u\",\"score\":%u.25,"
                                 "\"tags\":[\"a\",\"b\\n\"],\"ok\":true,\"none\":null}",
                                 i ? "," : "", i, i, i % 97);
    }
    (void)snprintf(text + used, room - used, "]}");
    return text;
}

int main(void)
{
    char *config = mixed(20);
    char *large = mixed(10000);
    compare("a call", "{\"text\":\"The quick brown fox jumps over it\"}", 20000);
    compare("a configuration", config, 2000);
    compare("a megabyte", large, 5);
    free(config);
    free(large);
    return 0;
}
