#include "http/multipart.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"
#include "http/form.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice text)
{
    while (text.size > 0 && is_blank(text.data[0])) {
        text = slice_from(text, 1);
    }
    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* Length of the quoted string at the start of text, quotes included; a missing end is its end. */
static size_t quoted_size(struct slice text)
{
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] == '"') {
            return i + 1;
        }
        if (text.data[i] == '\\' && i + 1 < text.size) {
            i++;
        }
    }
    return text.size;
}

/* Copies a token or a quoted string. Only \" and \\ are escapes: old browsers send Windows paths
 * such as "C:\new" unescaped. */
static int parameter_copy(struct slice from, char *text, size_t size)
{
    size_t length = 0;
    bool quoted = from.size > 0 && from.data[0] == '"';
    if (quoted) {
        from = slice_from(from, 1);
        from.size -= from.size > 0 && from.data[from.size - 1] == '"';
    }
    for (size_t i = 0; i < from.size; i++) {
        char c = from.data[i];
        if (quoted && c == '\\' && i + 1 < from.size &&
            (from.data[i + 1] == '"' || from.data[i + 1] == '\\')) {
            c = from.data[++i];
        }
        if (c == '\0') {
            return -EINVAL;
        }
        if (length + 1 >= size) {
            return -E2BIG;
        }
        text[length++] = c;
    }
    text[length] = '\0';
    return (int)length;
}

int header_parameter(struct slice value, const char *parameter, char *text, size_t size)
{
    assert(size > 0);

    const struct slice wanted = slice_str(parameter);
    size_t at = 0;
    bool first = true; /* the value itself comes before the first ';' */
    while (at < value.size) {
        size_t start = at;
        size_t equals = 0;
        while (at < value.size && value.data[at] != ';') {
            if (value.data[at] == '=' && equals == 0) {
                equals = at;
            }
            at += value.data[at] == '"' ? quoted_size(slice_from(value, at)) : 1;
        }
        size_t name_size = equals > start ? equals - start : 0; /* "; flag" has no '=' */
        struct slice name = trim((struct slice){value.data + start, name_size});
        if (!first && equals > 0 && slice_eq_nocase(name, wanted)) {
            return parameter_copy(trim((struct slice){value.data + equals + 1, at - equals - 1}),
                                  text, size);
        }
        first = false;
        at++;
    }
    return -ENOENT;
}

int multipart_init(struct multipart *multipart, struct slice content_type, struct slice body,
                   struct err *err)
{
    char boundary[MULTIPART_BOUNDARY_MAX + 1];
    int size = header_parameter(content_type, "boundary", boundary, sizeof(boundary));
    if (size <= 0) {
        return err_set(err, EINVAL, "multipart body: %s",
                       size == -E2BIG ? "the boundary is longer than 70 characters"
                                      : "the Content-Type header has no boundary");
    }
    *multipart = (struct multipart){.rest = body, .delimiter_size = (size_t)size + 4};
    memcpy(multipart->delimiter, "\r\n--", 4);
    memcpy(multipart->delimiter + 4, boundary, (size_t)size);
    return 0;
}

/* Bytes of the delimiter's line from at, which points behind the boundary: 0 = no delimiter, only
 * bytes that begin like one. */
static size_t delimiter_tail(struct slice at, bool *ret_closing)
{
    if (slice_starts(at, SLICE("--"))) {
        *ret_closing = true;
        return 2;
    }
    size_t size = 0;
    while (size < at.size && is_blank(at.data[size])) {
        size++;
    }
    *ret_closing = false;
    return slice_starts(slice_from(at, size), SLICE("\r\n")) ? size + 2 : 0;
}

/* Moves rest behind the next delimiter line; *ret_content is what lies before it. False when there
 * is none. */
static bool take_until_delimiter(struct multipart *multipart, struct slice *ret_content)
{
    struct slice rest = multipart->rest;
    /* The very first delimiter needs no line end before it. */
    size_t skipped = multipart->count == 0 && multipart->rest.size > 0 ? 2 : 0;
    struct slice needle = {multipart->delimiter + skipped, multipart->delimiter_size - skipped};
    size_t from = 0;
    while (from < rest.size) {
        const char *found = memmem(rest.data + from, rest.size - from, needle.data, needle.size);
        if (!found) {
            return false;
        }
        size_t at = (size_t)(found - rest.data);
        bool closing;
        size_t tail = delimiter_tail(slice_from(rest, at + needle.size), &closing);
        bool at_line_start = skipped == 0 || at == 0 || (at >= 2 && found[-1] == '\n');
        if (tail > 0 && at_line_start) {
            *ret_content = (struct slice){rest.data, at};
            multipart->rest = slice_from(rest, at + needle.size + tail);
            multipart->ended = closing;
            return true;
        }
        from = at + 1;
    }
    return false;
}

/* The file's name: filename*=UTF-8''percent-encoded (RFC 5987, still sent by some clients) before
 * filename="...". */
static int file_name(struct slice value, struct multipart_part *part)
{
    char extended[MULTIPART_NAME_BYTES_MAX];
    int size = header_parameter(value, "filename*", extended, sizeof(extended));
    if (size > 0) {
        struct slice text = {extended, (size_t)size};
        const char *start =
            size > 7 && slice_eq_nocase((struct slice){text.data, 6}, SLICE("UTF-8'"))
                ? memchr(text.data + 6, '\'', text.size - 6)
                : NULL;
        if (start) {
            text = slice_from(text, (size_t)(start + 1 - text.data));
            size_t length = form_unescape(text, false, part->file_name);
            part->file_name[length] = '\0';
            return memchr(part->file_name, '\0', length) ? -EINVAL : (int)length;
        }
    }
    return header_parameter(value, "filename", part->file_name, sizeof(part->file_name));
}

static int disposition(struct slice value, struct multipart_part *part, struct err *err)
{
    int size = header_parameter(value, "name", part->name, sizeof(part->name));
    int file_size = file_name(value, part);
    if (size == -E2BIG || file_size == -E2BIG) {
        return err_set(err, E2BIG, "multipart body: a name of more than %d bytes",
                       MULTIPART_NAME_BYTES_MAX - 1);
    }
    if (size <= 0) {
        return err_set(err, EINVAL, "multipart body: a part has no name");
    }
    part->is_file = file_size >= 0;
    if (file_size == -EINVAL || !utf8_valid(slice_str(part->name)) ||
        (part->is_file && !utf8_valid(slice_str(part->file_name)))) {
        return err_set(err, EINVAL, "multipart body: a part's name is no UTF-8 text");
    }
    return 0;
}

static int part_header(struct slice line, struct multipart_part *part, struct err *err)
{
    const char *colon = line.size > 0 ? memchr(line.data, ':', line.size) : NULL;
    if (!colon) {
        return err_set(err, EINVAL, "multipart body: a part's header line has no ':'");
    }
    struct slice name = {line.data, (size_t)(colon - line.data)};
    struct slice value = trim(slice_from(line, name.size + 1));
    if (slice_eq_nocase(name, SLICE("Content-Disposition"))) {
        return disposition(value, part, err);
    }
    if (slice_eq_nocase(name, SLICE("Content-Type"))) {
        part->content_type = value;
    }
    return 0;
}

/* content = header lines, an empty line, the body. */
static int part_parse(struct slice content, struct multipart_part *part, struct err *err)
{
    for (size_t used = 0; used <= MULTIPART_HEAD_BYTES_MAX;) {
        struct slice rest = slice_from(content, used);
        const char *end = rest.size > 0 ? memmem(rest.data, rest.size, "\r\n", 2) : NULL;
        if (!end) {
            return err_set(err, EINVAL, "multipart body: a part has no empty line");
        }
        struct slice line = {rest.data, (size_t)(end - rest.data)};
        if (line.size == 0) {
            part->body = slice_from(rest, 2);
            return part->name[0] ? 0 : err_set(err, EINVAL, "multipart body: a part has no name");
        }
        int failed = part_header(line, part, err);
        if (failed) {
            return failed;
        }
        used += line.size + 2;
    }
    return err_set(err, E2BIG, "multipart body: a part's headers are over %d bytes",
                   MULTIPART_HEAD_BYTES_MAX);
}

int multipart_next(struct multipart *multipart, struct multipart_part *ret_part, struct err *err)
{
    struct slice content;
    if (multipart->count == 0 && !multipart->ended) {
        if (!take_until_delimiter(multipart, &content)) { /* content: a preamble, to be ignored */
            return err_set(err, EINVAL, "multipart body: the boundary does not occur in it");
        }
        multipart->count = 1;
    }
    if (multipart->ended) {
        return 0;
    }
    if (multipart->count++ > MULTIPART_PARTS_MAX) {
        return err_set(err, E2BIG, "multipart body: more than %d parts", MULTIPART_PARTS_MAX);
    }
    if (!take_until_delimiter(multipart, &content)) {
        return err_set(err, EINVAL, "multipart body: it is cut: the closing boundary is missing");
    }
    *ret_part = (struct multipart_part){0};
    int failed = part_parse(content, ret_part, err);
    return failed ? failed : 1;
}
