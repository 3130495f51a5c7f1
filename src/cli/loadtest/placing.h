/* Brings an application's modules into a daemon, moves them, and takes them out. A placement is a
 * set of bits: bit i set = module i of the application is remote. */
#pragma once

struct app;
struct cell_context;
struct err;
struct json_object;

/* -EEXIST when a name is taken: they are those of the kit's modules, and in a running daemon the
 * real ones may be there. Before placing_load, as placing_unload would end those. */
int placing_check(const struct cell_context *context, const struct app *app, struct err *err);

/* 0 once all of it serves, or what an operation gave. */
int placing_load(const struct cell_context *context, const struct app *app, unsigned remote,
                 struct err *err);

int placing_move(const struct cell_context *context, const struct app *app, unsigned remote,
                 struct err *err);

/* Unloads and forgets all of it; what is not there is no error. */
int placing_unload(const struct cell_context *context, const struct app *app, struct err *err);

/* {"bi_enc": "module", ...}; owned by the caller. */
struct json_object *placing_json(const struct app *app, unsigned remote);
