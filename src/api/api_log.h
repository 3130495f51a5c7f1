/* The record of the API's calls: two JSON lines each, at arrival and at completion, with the fields
 * that the original's log index has. Secrets are taken out (redact.h). Control thread. */
#pragma once

#include <stdbool.h>

struct api_call;
struct json_object;

#define API_LOG_BODY_BYTES_MAX (1024 * 1024) /* a larger body is told by its size: copies cost */
#define API_LOG_TEXT_BYTES_MAX (64 * 1024)   /* payload and response are cut here */
#define API_LOG_SHORT_BYTES    256           /* and here inside the message, as in the original */

void api_log_begin(struct api_call *call);

/* value: what is answered; borrowed; NULL = null. */
void api_log_end(struct api_call *call, bool failed, struct json_object *value);
