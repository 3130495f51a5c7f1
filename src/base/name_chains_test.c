#include "base/name_chains.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/test.h"

enum { CHAINS = 4, NAMES = 500, THREADS = 4 };

static struct name_node *node_new(const char *name)
{
    struct name_node *node = xcalloc(1, sizeof(*node));
    node->name = xstrdup(name);
    return node;
}

static void node_free(struct name_node *node)
{
    free(node->name);
    free(node);
}

static void finds_what_was_added_and_nothing_else(void)
{
    name_chain chains[CHAINS] = {NULL};
    struct name_node *a = node_new("text.split"), *again = node_new("text.split");
    EXPECT(name_chains_next(chains, CHAINS, NULL) == NULL);
    EXPECT(name_chains_find(chains, CHAINS, SLICE("text.split")) == NULL);
    EXPECT(name_chains_add(chains, CHAINS, a) == a);
    EXPECT(name_chains_add(chains, CHAINS, again) == a);
    EXPECT(name_chains_find(chains, CHAINS, SLICE("text.split")) == a);
    EXPECT(name_chains_find(chains, CHAINS, SLICE("text.spli")) == NULL);
    EXPECT(name_chains_next(chains, CHAINS, NULL) == a);
    EXPECT(name_chains_next(chains, CHAINS, a) == NULL);
    node_free(again);
    name_chains_done(chains, CHAINS, node_free);
    EXPECT(name_chains_next(chains, CHAINS, NULL) == NULL);
}

static void *add_all(void *arg)
{
    name_chain *chains = arg;
    char name[16];
    for (int i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        struct name_node *fresh = node_new(name), *there = name_chains_add(chains, CHAINS, fresh);
        if (there != fresh) {
            node_free(fresh);
        }
        if (strcmp(there->name, name) != 0) {
            return arg;
        }
    }
    return NULL;
}

static void holds_each_name_once_whoever_adds_it(void)
{
    name_chain chains[CHAINS] = {NULL};
    pthread_t threads[THREADS];
    int count = 0;
    for (int i = 0; i < THREADS; i++) {
        EXPECT_INT(pthread_create(&threads[i], NULL, add_all, chains), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        EXPECT_INT(pthread_join(threads[i], &wrong), 0);
        EXPECT(wrong == NULL);
    }
    const struct name_node *node = NULL;
    while ((node = name_chains_next(chains, CHAINS, node))) {
        count++;
    }
    EXPECT_INT(count, NAMES);
    name_chains_done(chains, CHAINS, node_free);
}

TEST_MAIN(finds_what_was_added_and_nothing_else, holds_each_name_once_whoever_adds_it)
