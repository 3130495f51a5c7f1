/* The pages under /docs, which show /openapi.json in a browser without any other network: Swagger
 * UI, put into the program when it is built (docs_embed.py). Read-only data, paged in on use. For
 * the daemon and for workers. */
#pragma once

#include "base/slice.h"

struct http_request;

struct docs_page {
    const char *path; /* "/docs/swagger-ui.css" */
    const char *content_type;
    const char *encoding; /* "gzip"; NULL = as it is */
    const char *etag;     /* with its quotes */
    struct slice bytes;
};

/* The page of a GET, borrowed for ever; NULL = not ours. The documentation itself is found at
 * /docs, /docs/, /redoc, /redoc/, /redocs and /redocs/. */
const struct docs_page *docs_page_find(struct slice path);

/* Answers a GET or HEAD with page; 304 when the client has it. */
void docs_page_respond(struct http_request *request, const struct docs_page *page);

/* All pages, for tests; ended by one without a path. Made at build time. */
extern const struct docs_page DOCS_PAGES[];
