/* The table of settings as rows of the command line, for help, man page, completion and the
 * jsorc.yaml that `jsorc init` writes. */
#include "cli/commands.h"
#include "daemon/settings.h"

static enum op_type type_of(enum setting_type type)
{
    static const enum op_type types[] = {
        [SETTING_TEXT] = OP_STR,  [SETTING_LIST] = OP_STR, [SETTING_OBJECT] = OP_DICT,
        [SETTING_FLAG] = OP_BOOL, [SETTING_INT] = OP_INT,  [SETTING_NUMBER] = OP_FLOAT};
    return types[type];
}

static const char *placeholder_of(enum setting_type type)
{
    static const char *const names[] = {
        [SETTING_TEXT] = "TEXT",       [SETTING_LIST] = "TEXT",  [SETTING_OBJECT] = "JSON",
        [SETTING_FLAG] = "true|false", [SETTING_INT] = "NUMBER", [SETTING_NUMBER] = "NUMBER"};
    return names[type];
}

size_t serve_params(struct param *rows, size_t max, bool command_line)
{
    size_t count = 0;
    for (const struct setting *row = SETTINGS_TABLE; row->name && count < max; row++) {
        if (command_line && !row->on_command_line) {
            continue;
        }
        rows[count++] = (struct param){.name = row->name,
                                       .kind = PARAM_OPTION,
                                       .type = type_of(row->type),
                                       .placeholder = placeholder_of(row->type),
                                       .fallback = row->fallback,
                                       .help = row->help};
    }
    return count;
}
