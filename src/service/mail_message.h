/* What of a mail can be wrong, and its header fields. Pure. A line end in one of them would let its
 * author add fields and recipients of his own, so none has any control character. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;
struct json_object;
struct store;

#define MAIL_RECIPIENTS_MAX 100 /* RFC 5321, 4.5.3.1.8: a server takes at least so many */
#define MAIL_ADDRESS_BYTES  254 /* RFC 5321, 4.5.3.1.3, without < and > */
#define MAIL_SUBJECT_BYTES  998 /* RFC 5322, 2.1.1 */
#define MAIL_TEXT_BYTES_MAX (10UL * 1024 * 1024)

/* MAIL_CONFIG as it was set (NULL = never), with the older configs' values where these hold; owned
 * by the caller. */
struct json_object *mail_older_config(struct store *store, struct json_object *set);

/* "a@b.c" or "Name <a@b.c>": the address alone into ret[MAIL_ADDRESS_BYTES + 1]. 0 or -EINVAL. */
int mail_address(const char *text, char *ret, struct err *err);

/* "NAME: text", with what is not ASCII encoded as RFC 2047 has it, folded; owned by the caller.
 * NULL with err: it has control characters, or is too long. */
char *mail_field(const char *name, const char *text, struct err *err);

/* "Date: Tue, 24 Nov 2026 13:00:00 +0000" (RFC 5322, 3.3); owned by the caller. */
char *mail_date(int64_t unix_s);
