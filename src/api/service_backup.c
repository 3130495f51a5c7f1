/* The operations service_backup, service_backups and service_restore: of the database. */
#include "api/op.h"
#include "api/services.h"
#include "base/json.h"

#define DATABASE                                                                                   \
    {                                                                                              \
        "name", OP_STR, "\"database\"", "the service: database"                                    \
    }

/* Calls that method with the arguments but for the service's name. */
static void call_method(struct op_call *call, const char *method)
{
    CLEANUP(json_put) struct json_object *kwargs = json_object_new_object();
    json_object_object_foreach(op_args(call), name, value)
    {
        if (strcmp(name, "name") != 0) {
            json_set(kwargs, name, json_ref(value));
        }
    }
    op_call_service(call,
                    &(struct service_call){
                        .service = op_arg_str(call, "name"), .method = method, .kwargs = kwargs},
                    op_on_result);
}

static void run_backup(struct op_call *call)
{
    call_method(call, "backup");
}

static void run_backups(struct op_call *call)
{
    call_method(call, "backups");
}

static void run_restore(struct op_call *call)
{
    call_method(call, "restore");
}

#define BACKUP                                                                                     \
    "{\"name\": \"20260131T120000Z-asked\", \"at\": UNIX SECONDS, \"reason\": \"asked\", "         \
    "\"version\": 15, \"databases\": [{\"name\", \"file\", \"bytes\"}]}"

extern const struct op op_service_backup, op_service_backups, op_service_restore;

const struct op op_service_backup = {
    .name = "service_backup",
    .access = OP_ADMIN,
    .params = {DATABASE,
               {"reason", OP_STR, "\"asked\"", "a word that becomes a part of the backup's name"}},
    .positionals = "name",
    .help = "Save all that a service holds, as it is now.",
    .result = BACKUP " once it is whole and on the disk",
    .run = run_backup,
};

const struct op op_service_backups = {
    .name = "service_backups",
    .access = OP_ADMIN,
    .params = {DATABASE},
    .positionals = "name",
    .help = "List a service's backups, the newest first.",
    .result = "[" BACKUP "]",
    .run = run_backups,
};

const struct op op_service_restore = {
    .name = "service_restore",
    .access = OP_ADMIN,
    .params = {DATABASE, {"backup", OP_STR, "\"\"", "name of the backup; empty = the newest"}},
    .positionals = "name backup",
    .help = "Put back what a backup has: all of it or nothing; what was in use is kept under "
            "another name.",
    .result = "{\"backup\": NAME, \"databases\": [{\"name\", \"kept_as\": NAME of what was in use, "
              "or null}]}",
    .run = run_restore,
};
