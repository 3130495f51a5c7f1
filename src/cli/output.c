#include "cli/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/table.h"

#define INDENT 2 /* columns, as the original prints */

static bool wants_colour(bool terminal)
{
    const char *term = getenv("TERM");
    const char *no_colour = getenv("NO_COLOR"); /* https://no-color.org */
    return terminal && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
}

void output_init(struct output *output, FILE *stream, const char *option)
{
    struct winsize size = {0};
    int fd = fileno(stream);
    *output = (struct output){.stream = stream, .terminal = fd >= 0 && isatty(fd)};
    output->colour = wants_colour(output->terminal);
    if (output->terminal && ioctl(fd, TIOCGWINSZ, &size) == 0) {
        output->width = size.ws_col;
    }
    if (option && strcmp(option, "json") == 0) {
        output->format = OUTPUT_JSON;
    } else if (option && strcmp(option, "table") == 0) {
        output->format = OUTPUT_TABLE;
    } else if (option) {
        output->file = option;
        output->colour = false; /* the file gets what is shown */
    }
}

bool output_wants_table(const struct output *output)
{
    return output->format == OUTPUT_TABLE || (output->format == OUTPUT_AUTO && output->terminal);
}

/* On a terminal, escapes from elsewhere must not act. Line ends and tabs stay. */
static void show(const struct output *output, const char *data, size_t size)
{
    if (!data || size == 0) {
        return;
    }
    if (!output->terminal) {
        (void)fwrite(data, 1, size, output->stream);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)data[i];
        unsigned char next = i + 1 < size ? (unsigned char)data[i + 1] : 0;
        bool c1 = byte == 0xc2 && next >= 0x80 && next < 0xa0; /* the same, as UTF-8 */
        bool control = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f || c1;
        (void)fputc(control ? '?' : byte, output->stream);
        i += c1;
    }
}

/* The original's rule: a result is shown, and kept as it is shown. */
static int keep(const struct output *output, const char *data, size_t size, struct err *err)
{
    if (!output->file) {
        return 0;
    }
    FILE *file = fopen(output->file, "we");
    if (!file) {
        return err_errno(err, errno, "cannot write '%s'", output->file);
    }
    int failed = fwrite(data, 1, size, file) == size ? 0 : errno;
    if (fclose(file) != 0 && !failed) {
        failed = errno;
    }
    if (failed) {
        return err_errno(err, failed, "cannot write '%s'", output->file);
    }
    (void)fprintf(stderr, "[saved to %s]\n", output->file);
    return 0;
}

int output_bytes(const struct output *output, const char *data, size_t size, struct err *err)
{
    if (output->file) {
        return keep(output, data, size, err);
    }
    show(output, data, size);
    if (size > 0 && data[size - 1] != '\n' && output->terminal) {
        (void)fputc('\n', output->stream);
    }
    return 0;
}

int output_text(const struct output *output, const char *text, size_t size, struct err *err)
{
    (void)fwrite(text, 1, size, output->stream);
    return keep(output, text, size, err);
}

static bool is_scalar(struct json_object *value)
{
    enum json_type type = json_object_get_type(value);
    return type != json_type_object && type != json_type_array;
}

static void add_value(struct table *table, struct json_object *value)
{
    bool text = json_object_is_type(value, json_type_string);
    table_cell(table,
               !value ? "-"
               : text ? json_object_get_string(value)
                      : json_text(value),
               value ? COLOUR_NONE : COLOUR_DIM);
}

static bool is_number(struct json_object *value)
{
    return json_object_is_type(value, json_type_int) ||
           json_object_is_type(value, json_type_double);
}

/* The titles of rows: the members of all, in the order of first appearance. */
static struct json_object *member_names(struct json_object *const *rows, size_t count)
{
    struct json_object *names = json_object_new_object(); /* name -> all are numbers */
    for (size_t i = 0; i < count; i++) {
        json_object_object_foreach(rows[i], name, value)
        {
            struct json_object *known = NULL;
            bool numbers = !value || is_number(value);
            if (json_object_object_get_ex(names, name, &known)) {
                numbers = numbers && json_object_get_boolean(known);
            }
            json_set_bool(names, name, numbers);
        }
    }
    return names;
}

static struct table *table_of_rows(const char *key_title, const char *const *keys,
                                   struct json_object *const *rows, size_t count)
{
    CLEANUP(json_put) struct json_object *names = member_names(rows, count);
    size_t columns = (size_t)json_object_object_length(names) + (key_title ? 1 : 0);
    if (columns == 0 || columns > TABLE_COLUMNS_MAX) {
        return NULL;
    }
    struct table *table = table_new();
    if (key_title) {
        table_column(table, key_title, TABLE_LEFT);
    }
    {
        json_object_object_foreach(names, name, numbers)
        {
            bool right = json_object_get_boolean(numbers);
            table_column(table, name, right ? TABLE_RIGHT : TABLE_LEFT);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (key_title) {
            table_cell(table, keys[i], COLOUR_NONE);
        }
        json_object_object_foreach(names, name, unused)
        {
            (void)unused;
            add_value(table, json_object_object_get(rows[i], name));
        }
    }
    return table;
}

static struct table *table_of_list(struct json_object *list)
{
    size_t count = json_object_array_length(list);
    struct json_object **rows = xcalloc(count, sizeof(*rows));
    size_t objects = 0;
    size_t scalars = 0;
    for (size_t i = 0; i < count; i++) {
        rows[i] = json_object_array_get_idx(list, i);
        objects += json_object_is_type(rows[i], json_type_object);
        scalars += is_scalar(rows[i]);
    }
    struct table *table = NULL;
    if (count > 0 && objects == count) {
        table = table_of_rows(NULL, NULL, rows, count);
    } else if (count > 0 && scalars == count) {
        table = table_new();
        table_column(table, "value", TABLE_LEFT);
        for (size_t i = 0; i < count; i++) {
            add_value(table, rows[i]);
        }
    }
    free(rows);
    return table;
}

static struct table *table_of_pairs(struct json_object *map)
{
    struct table *table = table_new();
    table_column(table, "name", TABLE_LEFT);
    table_column(table, "value", TABLE_LEFT);
    json_object_object_foreach(map, name, value)
    {
        table_cell(table, name, COLOUR_NONE);
        add_value(table, value);
    }
    return table;
}

static struct table *table_of_map(struct json_object *map)
{
    size_t count = (size_t)json_object_object_length(map);
    struct json_object **rows = xcalloc(count, sizeof(*rows));
    const char **keys = xcalloc(count, sizeof(*keys));
    size_t used = 0;
    size_t objects = 0;
    json_object_object_foreach(map, key, value)
    {
        keys[used] = key;
        rows[used++] = value;
        objects += json_object_is_type(value, json_type_object);
    }
    struct table *table = NULL;
    if (count > 0 && objects == count) {
        table = table_of_rows("name", keys, rows, count);
    } else if (count > 0) {
        table = table_of_pairs(map);
    }
    free(rows);
    free(keys);
    return table;
}

struct table *output_make_table(struct json_object *value)
{
    if (json_object_is_type(value, json_type_array)) {
        return table_of_list(value);
    }
    return json_object_is_type(value, json_type_object) ? table_of_map(value) : NULL;
}

static int print_table(const struct output *output, const struct table *table, struct err *err)
{
    struct buf text = {0};
    table_render(table, output->width, output->colour, &text);
    struct slice slice = buf_slice(&text);
    int failed = output_text(output, slice.data, slice.size, err); /* its escapes must act */
    buf_done(&text);
    return failed;
}

static void append_json(struct buf *out, struct json_object *value, int depth);

static void append_members(struct buf *out, struct json_object *map, int depth)
{
    const char *separator = "";
    json_object_object_foreach(map, name, value)
    {
        CLEANUP(json_put) struct json_object *key = json_object_new_string(name);
        buf_printf(out, "%s\n%*s%s: ", separator, INDENT * (depth + 1), "", json_text(key));
        append_json(out, value, depth + 1);
        separator = ",";
    }
}

static void append_items(struct buf *out, struct json_object *list, int depth)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        buf_printf(out, "%s\n%*s", i > 0 ? "," : "", INDENT * (depth + 1), "");
        append_json(out, json_object_array_get_idx(list, i), depth + 1);
    }
}

/* Indented, as the original prints; json-c breaks even "{}" in two. The parser bounds the depth. */
static void append_json(struct buf *out, struct json_object *value, int depth)
{
    bool list = json_object_is_type(value, json_type_array);
    bool map = json_object_is_type(value, json_type_object);
    bool empty = (list && json_object_array_length(value) == 0) ||
                 (map && json_object_object_length(value) == 0);
    if ((!list && !map) || empty) {
        buf_printf(out, "%s", json_text(value));
        return;
    }
    buf_printf(out, list ? "[" : "{");
    if (list) {
        append_items(out, value, depth);
    } else {
        append_members(out, value, depth);
    }
    buf_printf(out, "\n%*s%s", INDENT * depth, "", list ? "]" : "}");
}

static int print_json(const struct output *output, struct json_object *value, struct err *err)
{
    struct buf text = {0};
    struct slice shown = {0};
    bool plain = json_object_is_type(value, json_type_string) && output->format != OUTPUT_JSON;
    if (plain) {
        shown = (struct slice){json_object_get_string(value),
                               (size_t)json_object_get_string_len(value)};
    } else {
        append_json(&text, value, 0);
        shown = buf_slice(&text);
    }
    show(output, shown.data, shown.size);
    (void)fputc('\n', output->stream);
    int failed = keep(output, shown.data, shown.size, err);
    buf_done(&text);
    return failed;
}

/* Without being asked, only lists become tables: in an object, names and nesting matter. */
static bool is_list_like(struct json_object *value)
{
    if (json_object_is_type(value, json_type_array)) {
        return true;
    }
    if (!json_object_is_type(value, json_type_object) || json_object_object_length(value) < 2) {
        return false;
    }
    json_object_object_foreach(value, name, member)
    {
        (void)name;
        if (!json_object_is_type(member, json_type_object)) {
            return false;
        }
    }
    return true;
}

int output_value(const struct output *output, struct json_object *value, struct err *err)
{
    bool asked = output->format == OUTPUT_TABLE;
    bool table_wanted = asked || (output_wants_table(output) && is_list_like(value));
    CLEANUP(table_free) struct table *table = table_wanted ? output_make_table(value) : NULL;
    return table ? print_table(output, table, err) : print_json(output, value, err);
}

int output_table(const struct output *output, const struct table *table, struct json_object *value,
                 struct err *err)
{
    return output_wants_table(output) ? print_table(output, table, err)
                                      : print_json(output, value, err);
}
