/* Which token is whose: an immutable table that the I/O threads read without a lock. The control
 * thread makes a new one at each change (auth.c); a table lives until its last reference goes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/secret.h"
#include "base/cleanup.h"
#include "base/slice.h"

#define AUTH_TOKENS_MAX 1000000 /* of all accounts: about 130 MB of table */

struct auth_table;

struct auth_entry {
    unsigned char hash[SECRET_HASH_BYTES];
    int64_t user_id;
    int64_t expiry_ms; /* unix time; 0 = never */
    bool is_staff;
};

struct auth_user {
    int64_t id;
    bool is_staff;
};

/* entries[count], count at most AUTH_TOKENS_MAX; copied. The result holds one reference. */
struct auth_table *auth_table_new(const struct auth_entry *entries, size_t count);

/* A copy of table with one entry more. */
struct auth_table *auth_table_with(const struct auth_table *table, const struct auth_entry *entry);

/* Any thread. */
struct auth_table *auth_table_ref(struct auth_table *table);
void auth_table_unref(struct auth_table *table); /* NULL allowed */
DEFINE_CLEANUP(struct auth_table *, auth_table_unref)

size_t auth_table_count(const struct auth_table *table);

/* Whose token it is at that time. False: unknown, expired or no token at all, and *ret_user is
 * untouched. The work is the same for every text that a peer may send: one hash and eight
 * comparisons in constant time. */
bool auth_table_find(const struct auth_table *table, struct slice token, int64_t now_unix_ms,
                     struct auth_user *ret_user);
