/* The command line and the spec file of `jsorc worker` and `jsorc host`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/worker.h"

struct err;
struct json_object;

#define OPTIONS_SOURCES_MAX 256

struct options {
    struct worker_config config; /* texts borrowed from argv, the environment, spec or token */
    const char *spec_path;       /* NULL = none */
    const char *token_path;      /* NULL = none */
    const char *python;          /* NULL = not given */
    const char *sources[OPTIONS_SOURCES_MAX]; /* borrowed from argv */
    size_t source_count;
    bool help;
    struct json_object *spec; /* owned; NULL unless spec_path */
    char *token;              /* owned */
};

/* host: `jsorc host`, which knows --token-file and --python, and listens on TCP by default;
 * otherwise `jsorc worker`. argv[0] is the command. 0, or -EINVAL and the mistake in err. */
int options_parse(struct options *options, bool host, int argc, char **argv, struct err *err);
void options_done(struct options *options);

/* One module to load. */
struct options_module {
    char *name; /* owned */
    const char *kind;
    const char *source;
    struct json_object *ctx;       /* borrowed; NULL = none */
    struct json_object *elsewhere; /* borrowed; names that other modules serve; NULL = none */
};

size_t options_module_count(const struct options *options);

/* The module at index: first those of the spec file, then those of the command line. 0 (end it
 * with options_module_done), or -EINVAL for an incomplete entry. */
int options_module(const struct options *options, size_t index, struct options_module *ret_module,
                   struct err *err);
void options_module_done(struct options_module *module);

/* Whether a source of the command line is a C module. */
bool options_is_native(const char *source);
