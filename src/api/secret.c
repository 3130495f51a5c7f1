#include "api/secret.h"

#include <assert.h>
#include <sodium.h>

void secret_make(char *text, size_t chars)
{
    assert(chars % 2 == 0 && chars <= SECRET_CHARS_MAX);

    unsigned char bytes[SECRET_CHARS_MAX / 2];
    randombytes_buf(bytes, chars / 2);
    (void)sodium_bin2hex(text, chars + 1, bytes, chars / 2);
    sodium_memzero(bytes, sizeof(bytes));
}

void secret_hash(struct slice text, unsigned char *hash)
{
    unsigned char block[SECRET_CHARS_MAX] = {0}; /* one block of BLAKE2b, whatever was sent */
    size_t size = text.size < sizeof(block) ? text.size : sizeof(block);
    if (size > 0) {
        memcpy(block, text.data, size);
    }
    (void)crypto_generichash(hash, SECRET_HASH_BYTES, block, sizeof(block), NULL, 0);
    sodium_memzero(block, sizeof(block));
}

bool secret_well_formed(struct slice text, size_t chars)
{
    size_t good = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        good += (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    return text.size == chars && good == chars;
}
