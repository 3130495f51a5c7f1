#include "http/docs_page.h"

#include <stdio.h>

#include "http/server.h"

/* Nothing is loaded from elsewhere, whatever a document says. Swagger UI sets styles in place and
 * draws its icons from data: URLs. */
#define PAGE_POLICY                                                                                \
    "Content-Security-Policy: default-src 'self'; style-src 'self' 'unsafe-inline'; "              \
    "img-src 'self' data:; frame-ancestors 'self'\r\n"

#define PAGE_HEADERS_MAX 512

const struct docs_page *docs_page_find(struct slice path)
{
    static const struct slice names[] = {SLICE("/docs"),   SLICE("/docs/"),  SLICE("/redoc"),
                                         SLICE("/redoc/"), SLICE("/redocs"), SLICE("/redocs/")};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_eq(path, names[i])) {
            path = SLICE("/docs/index.html");
        }
    }
    for (const struct docs_page *page = DOCS_PAGES; page->path; page++) {
        if (slice_eq(path, slice_str(page->path))) {
            return page;
        }
    }
    return NULL;
}

/* If-None-Match names the page's tag, perhaps among others or as a weak one (W/"..."). */
static bool client_has(const struct http_request *request, const struct docs_page *page)
{
    struct slice header = http_request_header(request, "if-none-match");
    return header.size > 0 && memmem(header.data, header.size, page->etag, strlen(page->etag));
}

void docs_page_respond(struct http_request *request, const struct docs_page *page)
{
    char headers[PAGE_HEADERS_MAX];
    /* no-cache: kept, but asked for anew each time, so that an update of jsorc shows at once. The
     * answer is then a 304. */
    int size = snprintf(headers, sizeof(headers),
                        "Cache-Control: no-cache\r\nETag: %s\r\nX-Content-Type-Options: nosniff\r\n"
                        "Vary: Accept-Encoding\r\n%s%s%s" PAGE_POLICY,
                        page->etag, page->encoding ? "Content-Encoding: " : "",
                        page->encoding ? page->encoding : "", page->encoding ? "\r\n" : "");
    bool known = client_has(request, page);
    http_respond(request, &(struct http_response){
                              .status = known ? 304 : 200,
                              .content_type = known ? NULL : page->content_type,
                              .headers = {headers, (size_t)size},
                              .body = known ? (struct slice){0} : page->bytes,
                          });
}
