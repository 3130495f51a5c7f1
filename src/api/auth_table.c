/* A token lies in one of two buckets of four slots, chosen by two parts of its hash, so a look-up
 * always reads exactly eight slots. When both buckets of an entry are full the table is built
 * again with twice the buckets; the hashes are those of random tokens that we made ourselves, so
 * nobody can aim at a bucket. Comparing whole hashes in constant time tells a guesser nothing about
 * how near a guess was. */
#include "api/auth_table.h"

#include <assert.h>
#include <sodium.h>
#include <stdatomic.h>

#include "base/alloc.h"

#define BUCKET_SLOTS 4
#define BUCKETS_MIN  4

struct auth_table {
    atomic_uint references;
    size_t count;
    size_t bucket_count;       /* a power of two */
    struct auth_entry slots[]; /* bucket_count * BUCKET_SLOTS; user_id 0 = free */
};

static size_t slots_bytes(size_t bucket_count)
{
    return bucket_count * BUCKET_SLOTS * sizeof(struct auth_entry);
}

static struct auth_table *table_alloc(size_t bucket_count)
{
    struct auth_table *table = xcalloc(1, sizeof(*table) + slots_bytes(bucket_count));
    atomic_init(&table->references, 1);
    table->bucket_count = bucket_count;
    return table;
}

/* which = 0 or 1: the first slot of the entry's bucket. */
static size_t bucket_start(const struct auth_table *table, const unsigned char *hash, int which)
{
    uint64_t bits;
    memcpy(&bits, hash + which * 8, sizeof(bits));
    return (bits & (table->bucket_count - 1)) * BUCKET_SLOTS;
}

static bool try_insert(struct auth_table *table, const struct auth_entry *entry)
{
    for (size_t slot = 0; slot < BUCKET_SLOTS; slot++) { /* the emptier bucket first */
        for (int which = 0; which < 2; which++) {
            size_t place = bucket_start(table, entry->hash, which) + slot;
            if (table->slots[place].user_id == 0) {
                table->slots[place] = *entry;
                table->count++;
                return true;
            }
        }
    }
    return false;
}

static size_t insert_all(struct auth_table *table, const struct auth_entry *entries, size_t count)
{
    size_t done = 0;
    while (done < count && (entries[done].user_id == 0 || try_insert(table, &entries[done]))) {
        done++;
    }
    return done;
}

/* entries[count] may have free slots in between. */
static struct auth_table *build(const struct auth_entry *entries, size_t count, size_t bucket_count)
{
    for (;; bucket_count *= 2) {
        struct auth_table *table = table_alloc(bucket_count);
        if (insert_all(table, entries, count) == count) {
            return table;
        }
        auth_table_unref(table);
    }
}

struct auth_table *auth_table_new(const struct auth_entry *entries, size_t count)
{
    assert(count <= AUTH_TOKENS_MAX);

    size_t bucket_count = BUCKETS_MIN;
    while (bucket_count * BUCKET_SLOTS < count * 2) {
        bucket_count *= 2;
    }
    return build(entries, count, bucket_count);
}

struct auth_table *auth_table_with(const struct auth_table *table, const struct auth_entry *entry)
{
    struct auth_table *copy = table_alloc(table->bucket_count);
    copy->count = table->count;
    memcpy(copy->slots, table->slots, slots_bytes(table->bucket_count));
    while (!try_insert(copy, entry)) {
        struct auth_table *larger =
            build(copy->slots, copy->bucket_count * BUCKET_SLOTS, copy->bucket_count * 2);
        auth_table_unref(copy);
        copy = larger;
    }
    return copy;
}

struct auth_table *auth_table_ref(struct auth_table *table)
{
    (void)atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
    return table;
}

void auth_table_unref(struct auth_table *table)
{
    if (table && atomic_fetch_sub_explicit(&table->references, 1, memory_order_acq_rel) == 1) {
        free(table);
    }
}

size_t auth_table_count(const struct auth_table *table)
{
    return table->count;
}

bool auth_table_find(const struct auth_table *table, struct slice token, int64_t now_unix_ms,
                     struct auth_user *ret_user)
{
    unsigned char hash[SECRET_HASH_BYTES];
    secret_hash(token, hash);

    const struct auth_entry *found = NULL;
    for (int which = 0; which < 2; which++) {
        const struct auth_entry *slots = &table->slots[bucket_start(table, hash, which)];
        for (size_t i = 0; i < BUCKET_SLOTS; i++) {
            bool same = sodium_memcmp(slots[i].hash, hash, sizeof(hash)) == 0;
            found = same && slots[i].user_id != 0 ? &slots[i] : found;
        }
    }
    if (!found || token.size != SECRET_TOKEN_CHARS ||
        (found->expiry_ms != 0 && found->expiry_ms <= now_unix_ms)) {
        return false;
    }
    *ret_user = (struct auth_user){.id = found->user_id, .is_staff = found->is_staff};
    return true;
}
