#include "http/docs_page.h"

#include "base/test.h"
#include "http/server.h"

/* In place of the server: remembers the one answer. */
static struct slice if_none_match;
static int status;
static const char *content_type;
static char headers[1024];
static size_t body_size;

struct slice http_request_header(const struct http_request *request, const char *name)
{
    (void)request;
    return strcmp(name, "if-none-match") == 0 ? if_none_match : (struct slice){0};
}

void http_respond(struct http_request *request, const struct http_response *response)
{
    (void)request;
    status = response->status;
    content_type = response->content_type;
    body_size = response->body.size;
    (void)snprintf(headers, sizeof(headers), "%.*s", (int)response->headers.size,
                   response->headers.data);
}

static void finds_the_page_by_all_its_names(void)
{
    static const char *const names[] = {"/docs",   "/docs/",   "/redoc",
                                        "/redocs", "/redocs/", "/docs/index.html"};
    const struct docs_page *index = docs_page_find(SLICE("/docs"));
    EXPECT(index != NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        EXPECT(docs_page_find(slice_str(names[i])) == index);
    }
    EXPECT(docs_page_find(SLICE("/")) == NULL);
    EXPECT(docs_page_find(SLICE("/docs/nothing.js")) == NULL);
    EXPECT(docs_page_find(SLICE("/docs/../docs/start.js")) == NULL);
}

/* Each file that a page names is there. */
static void has_all_that_the_page_loads(void)
{
    const struct docs_page *index = docs_page_find(SLICE("/docs"));
    EXPECT(index->encoding == NULL);
    struct slice rest = index->bytes;
    int count = 0;
    const char *found;
    while ((found = memmem(rest.data, rest.size, "=\"/docs/", 8)) != NULL) {
        rest = slice_from(rest, (size_t)(found - rest.data) + 2);
        const char *end = memchr(rest.data, '"', rest.size);
        EXPECT(docs_page_find((struct slice){rest.data, (size_t)(end - rest.data)}) != NULL);
        count++;
    }
    EXPECT_INT(count, 4);
}

static void compresses_what_is_large(void)
{
    const struct docs_page *script = docs_page_find(SLICE("/docs/swagger-ui-bundle.js"));
    EXPECT_STR(script->encoding, "gzip");
    EXPECT(script->bytes.size > 300000 && script->bytes.size < 600000);
    EXPECT(memcmp(script->bytes.data, "\x1f\x8b\x08", 3) == 0);
}

static void answers_with_the_bytes_or_with_304(void)
{
    const struct docs_page *style = docs_page_find(SLICE("/docs/swagger-ui.css"));
    docs_page_respond(NULL, style);
    EXPECT_INT(status, 200);
    EXPECT_STR(content_type, "text/css; charset=utf-8");
    EXPECT(body_size == style->bytes.size);
    EXPECT(strstr(headers, "Content-Encoding: gzip\r\n") != NULL);
    EXPECT(strstr(headers, "Cache-Control: no-cache\r\n") != NULL);
    EXPECT(strstr(headers, style->etag) != NULL);

    char tags[100];
    (void)snprintf(tags, sizeof(tags), "\"other\", W/%s", style->etag);
    if_none_match = slice_str(tags);
    docs_page_respond(NULL, style);
    EXPECT_INT(status, 304);
    EXPECT(content_type == NULL);
    EXPECT_INT(body_size, 0);
    EXPECT(strstr(headers, style->etag) != NULL);

    docs_page_respond(NULL, docs_page_find(SLICE("/docs")));
    EXPECT_INT(status, 200);
    EXPECT(strstr(headers, "Content-Encoding") == NULL);
}

TEST_MAIN(finds_the_page_by_all_its_names, has_all_that_the_page_loads, compresses_what_is_large,
          answers_with_the_bytes_or_with_304)
