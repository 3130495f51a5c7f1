/* Tokens and one-time codes: random hexadecimal text that the caller keeps, and the hash of it that
 * we keep. Any thread; sodium_init has been called. */
#pragma once

#include "base/slice.h"

#define SECRET_HASH_BYTES  32 /* BLAKE2b-256 */
#define SECRET_TOKEN_CHARS 64 /* 256 bits: what clients of the original expect */
#define SECRET_CODE_CHARS  32 /* 128 bits: an activation code, part of a link */
#define SECRET_CHARS_MAX   64

/* Fills text[chars + 1] with random lower-case digits; chars is even, at most SECRET_CHARS_MAX. */
void secret_make(char *text, size_t chars);

/* hash[SECRET_HASH_BYTES]. The text may be anything that a peer sent; it takes the same time for
 * every text of up to SECRET_CHARS_MAX bytes, and a longer one is cut there. */
void secret_hash(struct slice text, unsigned char *hash);

/* Exactly chars lower-case hexadecimal digits. */
bool secret_well_formed(struct slice text, size_t chars);
