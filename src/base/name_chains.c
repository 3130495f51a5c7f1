#include "base/name_chains.h"

#include <stdatomic.h>

#include "base/hash.h"

static size_t chain_of(struct slice name, size_t count)
{
    return hash_name(name) % count;
}

static size_t chain_of_node(const struct name_node *node, size_t count)
{
    struct slice name = slice_str(node->name);
    return chain_of(name, count);
}

static struct name_node *find_from(struct name_node *node, struct slice name)
{
    while (node && !slice_eq(slice_str(node->name), name)) {
        node = node->next;
    }
    return node;
}

struct name_node *name_chains_find(name_chain *chains, size_t count, struct slice name)
{
    name_chain *chain = &chains[chain_of(name, count)];
    return find_from(atomic_load_explicit(chain, memory_order_acquire), name);
}

struct name_node *name_chains_add(name_chain *chains, size_t count, struct name_node *fresh)
{
    name_chain *chain = &chains[chain_of_node(fresh, count)];
    fresh->next = atomic_load(chain);
    do {
        struct name_node *there = find_from(fresh->next, slice_str(fresh->name));
        if (there) {
            return there;
        }
    } while (!atomic_compare_exchange_weak(chain, &fresh->next, fresh));
    return fresh;
}

struct name_node *name_chains_next(const name_chain *chains, size_t count,
                                   const struct name_node *node)
{
    if (node && node->next) {
        return node->next;
    }
    for (size_t i = node ? chain_of_node(node, count) + 1 : 0; i < count; i++) {
        struct name_node *first = atomic_load_explicit(&chains[i], memory_order_acquire);
        if (first) {
            return first;
        }
    }
    return NULL;
}

void name_chains_done(name_chain *chains, size_t count, void (*free_node)(struct name_node *node))
{
    for (size_t i = 0; i < count; i++) {
        struct name_node *node = atomic_exchange(&chains[i], NULL);
        while (node) {
            struct name_node *next = node->next;
            free_node(node);
            node = next;
        }
    }
}
