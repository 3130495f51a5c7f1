#include "cli/args.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/slice.h"
#include "base/suggest.h"
#include "cli/value.h"

struct reader {
    const struct args_rows *rows;
    int count;
    char *const *words;
    int at;
    bool options_over;
    struct args *args;
};

void args_done(struct args *args)
{
    args->own = json_put(args->own);
    args->common = json_put(args->common);
}

const char *args_placeholder(const struct param *row, char *scratch, size_t scratch_size)
{
    if (row->placeholder) {
        return row->placeholder;
    }
    size_t i = 0;
    for (; row->name[i] && i + 1 < scratch_size; i++) {
        scratch[i] = (char)toupper((unsigned char)row->name[i]);
    }
    scratch[i] = '\0';
    return scratch;
}

static bool same_name(const char *name, struct slice given)
{
    for (size_t i = 0; i < given.size; i++) {
        char a = name[i] == '-' ? '_' : name[i];
        char b = given.data[i] == '-' ? '_' : given.data[i];
        if (a != b || a == '\0') {
            return false;
        }
    }
    return given.size > 0 && name[given.size] == '\0';
}

static const struct param *find_long(const struct param *row, struct slice name)
{
    for (; row && row->name; row++) {
        if (row->kind != PARAM_REST && same_name(row->name, name)) {
            return row;
        }
    }
    return NULL;
}

static const struct param *find_letter(const struct param *row, char letter)
{
    for (; row && row->name; row++) {
        if (row->letter == letter && letter) {
            return row;
        }
    }
    return NULL;
}

/* The option that word names. *ret_value: what is attached to it, or NULL. */
static const struct param *find_option(const struct args_rows *rows, const char *word,
                                       const char **ret_value, bool *ret_common)
{
    const char *name = word + (word[1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '=');
    struct slice text = {name, equals ? (size_t)(equals - name) : strlen(name)};
    const struct param *const lists[] = {rows->own, rows->common};

    *ret_value = equals ? equals + 1 : NULL;
    for (int i = 0; i < 2; i++) {
        const struct param *row = find_long(lists[i], text);
        if (row) {
            *ret_common = i == 1;
            return row;
        }
    }
    for (int i = 0; i < 2 && word[1] != '-'; i++) {
        const struct param *row = find_letter(lists[i], name[0]);
        if (row && (name[1] == '\0' || row->kind == PARAM_OPTION)) {
            *ret_common = i == 1;
            *ret_value = name[1] ? name + 1 : NULL;
            return row;
        }
    }
    return NULL;
}

/* Whether name ends in '_' and last. */
static bool has_last_word(const char *name, const char *last)
{
    size_t size = strlen(name), last_size = strlen(last);
    return last_size > 0 && size > last_size + 1 && name[size - last_size - 1] == '_' &&
           same_name(name + size - last_size, slice_str(last));
}

static int unknown_option(const struct args_rows *rows, const char *word, struct err *err)
{
    const char *start = word + strspn(word, "-");
    CLEANUP(str_free) char *name = xstrndup(start, strcspn(start, "="));
    struct suggest nearest = suggest_for(name);
    const struct param *const lists[] = {rows->own, rows->common};
    const char *longer = NULL; /* "experiment_duration" for "duration" */
    for (int i = 0; i < 2; i++) {
        for (const struct param *row = lists[i]; row && row->name; row++) {
            suggest_try(&nearest, row->name);
            longer = !longer && has_last_word(row->name, name) ? row->name : longer;
        }
    }
    const char *best = suggest_best(&nearest);
    best = best ? best : longer;
    if (best) {
        CLEANUP(str_free) char *spelt = xstrdup(best);
        for (char *at = spelt; rows->dashes && (at = strchr(at, '_'));) {
            *at = '-';
        }
        return err_set(err, EINVAL, "unknown option '%s'; did you mean '--%s'?", word, spelt);
    }
    return err_set(err, EINVAL, "unknown option '%s'", word);
}

static bool is_bool_word(const char *word)
{
    struct json_object *value = NULL;
    bool is = word[0] != '@' && value_typed(OP_BOOL, word, &value, NULL) == 0;
    (void)json_put(value);
    return is;
}

static int store(struct json_object *values, const struct param *row, const char *text,
                 struct err *err)
{
    struct json_object *value = NULL;
    int failed = value_typed(row->type, text, &value, err);
    if (failed) {
        return err_wrap(err, "%s%s", row->kind == PARAM_ARGUMENT ? "" : "--", row->name);
    }
    if (row->repeated) {
        struct json_object *list = json_member(values, row->name, json_type_array);
        if (!list) {
            list = json_object_new_array();
            json_set(values, row->name, list);
        }
        (void)json_object_array_add(list, value);
        return 0;
    }
    json_set(values, row->name, value);
    return 0;
}

static int read_option(struct reader *reader, struct err *err)
{
    const char *word = reader->words[reader->at++];
    const char *text = NULL;
    bool common = false;
    const struct param *row = find_option(reader->rows, word, &text, &common);
    if (!row) {
        return unknown_option(reader->rows, word, err);
    }
    struct json_object *values = common ? reader->args->common : reader->args->own;
    const char *next = reader->at < reader->count ? reader->words[reader->at] : NULL;
    bool may_stand_alone = row->kind == PARAM_FLAG || row->type == OP_BOOL;
    if (!text && may_stand_alone) {
        bool value_follows =
            row->kind != PARAM_FLAG && next && (is_bool_word(next) || strcmp(next, "None") == 0);
        if (!value_follows) {
            json_set_bool(values, row->name, true);
            return 0;
        }
    }
    if (!text) {
        if (!next) {
            char scratch[PLACEHOLDER_MAX];
            return err_set(err, EINVAL, "option '%s' needs a value: %s %s", word, word,
                           args_placeholder(row, scratch, sizeof(scratch)));
        }
        text = next;
        reader->at++;
    }
    return store(values, row, text, err);
}

/* The row that the next bare word fills: positionals first, then required options. */
static const struct param *next_row(const struct args_rows *rows, struct json_object *values)
{
    for (const struct param *row = rows->own; row && row->name; row++) {
        bool given = json_object_object_get_ex(values, row->name, NULL);
        if (row->kind == PARAM_REST || (row->kind == PARAM_ARGUMENT && !given)) {
            return row;
        }
    }
    for (const struct param *row = rows->own; rows->fill_required && row && row->name; row++) {
        bool given = json_object_object_get_ex(values, row->name, NULL);
        if (row->kind == PARAM_OPTION && row->required && !given) {
            return row;
        }
    }
    return NULL;
}

static int read_word(struct reader *reader, struct err *err)
{
    const char *word = reader->words[reader->at++];
    struct json_object *values = reader->args->own;
    const struct param *row = next_row(reader->rows, values);
    if (!row) {
        return err_set(err, EINVAL, "unexpected argument '%s'", word);
    }
    if (row->kind != PARAM_REST) {
        return store(values, row, word, err);
    }
    struct json_object *list = json_member(values, row->name, json_type_array);
    if (!list) {
        list = json_object_new_array();
        json_set(values, row->name, list);
    }
    (void)json_object_array_add(list, json_object_new_string(word));
    return 0;
}

/* "-5" is a value, unless an option is called so. */
static bool is_option(const struct args_rows *rows, const char *word)
{
    if (word[0] != '-' || word[1] == '\0') {
        return false;
    }
    const char *text = NULL;
    bool common = false;
    bool number = isdigit((unsigned char)word[1]) || word[1] == '.';
    return !number || find_option(rows, word, &text, &common);
}

int args_parse(const struct args_rows *rows, int count, char *const *words, struct args *ret_args,
               struct err *err)
{
    struct args args = {.own = json_object_new_object(), .common = json_object_new_object()};
    struct reader reader = {.rows = rows, .count = count, .words = words, .args = &args};
    int failed = 0;
    while (!failed && reader.at < count) {
        const char *word = words[reader.at];
        if (!reader.options_over && strcmp(word, "--") == 0) {
            reader.options_over = true;
            reader.at++;
        } else if (!reader.options_over && is_option(rows, word)) {
            failed = read_option(&reader, err);
        } else if (rows->stop_at_word) {
            break;
        } else {
            failed = read_word(&reader, err);
        }
    }
    if (failed) {
        args_done(&args);
        return failed;
    }
    args.used = reader.at;
    *ret_args = args;
    return 0;
}

int args_check_required(const struct param *rows, const struct json_object *values, struct err *err)
{
    char scratch[PLACEHOLDER_MAX];
    for (const struct param *row = rows; row && row->name; row++) {
        if (!row->required || json_object_object_get_ex(values, row->name, NULL)) {
            continue;
        }
        const char *name = args_placeholder(row, scratch, sizeof(scratch));
        if (row->kind == PARAM_OPTION) {
            return err_set(err, EINVAL, "option --%s %s is missing: %s", row->name, name,
                           row->help);
        }
        return err_set(err, EINVAL, "argument %s is missing: %s", name, row->help);
    }
    return 0;
}
