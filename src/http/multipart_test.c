#include "http/multipart.h"

#include <errno.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"

#define TYPE SLICE("multipart/form-data; boundary=XX")

/* "name:file?:type:body|..." of all parts, or the error. */
static void parts_text(struct slice type, struct slice body, char *text, size_t size)
{
    struct multipart multipart;
    struct multipart_part part;
    struct err err = {0};
    size_t used = 0;
    int more = multipart_init(&multipart, type, body, &err);
    text[0] = '\0';
    if (more == 0) {
        while ((more = multipart_next(&multipart, &part, &err)) > 0) {
            used +=
                (size_t)snprintf(text + used, size - used, "%s:%s:%.*s:%.*s|", part.name,
                                 part.is_file ? part.file_name : "-", (int)part.content_type.size,
                                 part.content_type.data, (int)part.body.size, part.body.data);
        }
    }
    if (more < 0) {
        (void)snprintf(text, size, "%d %s", -more, err.text);
    }
}

static void takes_bodies_apart(void)
{
    static const struct {
        const char *body, *parts;
    } rows[] = {
        {"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX--\r\n", "a:-::1|"},
        {"--XX\r\ncontent-disposition:form-data;name=a\r\n\r\n\r\n--XX--", "a:-::|"},
        {"a preamble\r\n--XX  \r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
         "--XX\t\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n2\r\n--XX--\r\nan epilogue",
         "a:-::1|b:-::2|"},
        {"--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n"
         "Content-Type: text/plain\r\nX-Other: 1\r\n\r\nline\r\n--XY\r\n--XXtail\r\n\r\n--XX--",
         "f:x.txt:text/plain:line\r\n--XY\r\n--XXtail\r\n|"},
        {"--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\n\r\n\r\n--XX--",
         "f:::|"},
        {"--XX--\r\n", ""},
        {"no line start --XX--\r\n--XX--", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[ERR_TEXT_MAX + 20];
        parts_text(TYPE, slice_str(rows[i].body), text, sizeof(text));
        EXPECT_STR(text, rows[i].parts);
    }
}

static void reads_names_as_clients_write_them(void)
{
    static const struct {
        const char *header, *part;
    } rows[] = {
        {"name=\"a b;c\"; filename=\"q=1;.txt\"", "a b;c:q=1;.txt::|"},
        {"name=\"a\"; filename=\"say \\\"hi\\\".txt\"", "a:say \"hi\".txt::|"},
        {"name=\"a\"; filename=\"C:\\new\\x.txt\"", "a:C:\\new\\x.txt::|"},
        {"name=\"a\"; filename=\"\xc3\xa9.txt\"", "a:\xc3\xa9.txt::|"},
        {"name=\"a\"; filename=\"e\"; filename*=UTF-8''%c3%a9.txt", "a:\xc3\xa9.txt::|"},
        {"name=\"a\"; filename*=utf-8'en'x%20y", "a:x y::|"},
        {"filename=\"name=b\"; name=\"a\"", "a:name=b::|"},
        {"NAME=a; FileName=b", "a:b::|"},
        {"flag; =x; name=a;; other", "a:-::|"},
        {"name=\"a", "a:-::|"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[ERR_TEXT_MAX + 20];
        struct buf body = {0};
        buf_printf(&body, "--XX\r\nContent-Disposition: form-data; %s\r\n\r\n\r\n--XX--",
                   rows[i].header);
        parts_text(TYPE, buf_slice(&body), text, sizeof(text));
        EXPECT_STR(text, rows[i].part);
        buf_done(&body);
    }
}

static void says_what_is_wrong(void)
{
#define HEAD "--XX\r\nContent-Disposition: form-data; "
    static const struct {
        struct slice type, body;
        const char *text;
    } rows[] = {
        {SLICE("multipart/form-data"), SLICE("--XX--"),
         "22 multipart body: the Content-Type header has no boundary"},
        {SLICE("multipart/form-data; boundary="), SLICE("--XX--"),
         "22 multipart body: the Content-Type header has no boundary"},
        {SLICE("multipart/form-data; boundary="
               "12345678901234567890123456789012345678901234567890123456789012345678901"),
         SLICE(""), "22 multipart body: the boundary is longer than 70 characters"},
        {TYPE, SLICE(""), "22 multipart body: the boundary does not occur in it"},
        {TYPE, SLICE("--XX"), "22 multipart body: the boundary does not occur in it"},
        {TYPE, SLICE("--XX\r\n"), "22 multipart body: it is cut: the closing boundary is missing"},
        {TYPE, SLICE(HEAD "name=a\r\n\r\n1\r\n--X"),
         "22 multipart body: it is cut: the closing boundary is missing"},
        {TYPE, SLICE(HEAD "\r\n\r\n1\r\n--XX--"), "22 multipart body: a part has no name"},
        {TYPE, SLICE("--XX\r\n\r\n1\r\n--XX--"), "22 multipart body: a part has no name"},
        {TYPE, SLICE(HEAD "name=a\r\n--XX--"), "22 multipart body: a part has no empty line"},
        {TYPE, SLICE("--XX\r\nno header\r\n\r\n--XX--"),
         "22 multipart body: a part's header line has no ':'"},
        {TYPE, SLICE(HEAD "name=\"\xff\"\r\n\r\n\r\n--XX--"),
         "22 multipart body: a part's name is no UTF-8 text"},
        {TYPE, SLICE(HEAD "name=\"a\0b\"\r\n\r\n\r\n--XX--"),
         "22 multipart body: a part has no name"},
        {TYPE, SLICE(HEAD "name=a; filename*=UTF-8''a%00b\r\n\r\n\r\n--XX--"),
         "22 multipart body: a part's name is no UTF-8 text"},
    };
#undef HEAD
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[ERR_TEXT_MAX + 20];
        parts_text(rows[i].type, rows[i].body, text, sizeof(text));
        EXPECT_STR(text, rows[i].text);
    }
}

static int parts_count(struct buf *body)
{
    struct multipart multipart;
    struct multipart_part part;
    int count = 0;
    int more;
    buf_printf(body, "--XX--");
    EXPECT_INT(multipart_init(&multipart, TYPE, buf_slice(body), NULL), 0);
    while ((more = multipart_next(&multipart, &part, NULL)) > 0) {
        count++;
    }
    buf_done(body);
    return more < 0 ? more : count;
}

static void keeps_its_limits(void)
{
    struct buf body = {0};
    for (int i = 0; i < MULTIPART_PARTS_MAX; i++) {
        buf_printf(&body, "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n");
    }
    EXPECT_INT(parts_count(&body), MULTIPART_PARTS_MAX);

    for (int i = 0; i <= MULTIPART_PARTS_MAX; i++) {
        buf_printf(&body, "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n");
    }
    EXPECT_INT(parts_count(&body), -E2BIG);

    buf_printf(&body, "--XX\r\nContent-Disposition: form-data; name=a\r\n");
    for (int i = 0; i < MULTIPART_HEAD_BYTES_MAX / 10; i++) {
        buf_printf(&body, "X-Much: more\r\n");
    }
    buf_printf(&body, "\r\n\r\n");
    EXPECT_INT(parts_count(&body), -E2BIG);

    buf_printf(&body, "--XX\r\nContent-Disposition: form-data; name=");
    for (int i = 0; i < MULTIPART_NAME_BYTES_MAX; i++) {
        buf_printf(&body, "n");
    }
    buf_printf(&body, "\r\n\r\n\r\n");
    EXPECT_INT(parts_count(&body), -E2BIG);
}

TEST_MAIN(takes_bodies_apart, reads_names_as_clients_write_them, says_what_is_wrong,
          keeps_its_limits)
