/* C modules: shared objects over include/jsorc/action.h, loaded by native and Python workers. */
#pragma once

struct err;
struct json_object;
struct worker;

/* Loads the shared object at path, runs its setup with ctx (an object; NULL = empty; borrowed), and
 * registers its actions as those of module. Its teardown runs when the worker ends. The error text
 * begins with the stage that failed: "import: " (-ENOENT, -ELIBBAD: no shared object, symbols
 * missing, another ABI), "setup: " (-ECANCELED) or "actions: " (-EINVAL, -EEXIST, -ENOSPC,
 * -ENODATA: there are none). With "_ignore_setup_error": true in ctx a failing setup is only
 * logged. */
int native_load(struct worker *worker, const char *module, const char *path,
                struct json_object *ctx, struct err *err);
