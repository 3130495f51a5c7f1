#include "provider/kubernetes/kube_known.h"

#include "base/err.h"
#include "base/json.h"
#include "base/test.h"
#include "provider/kubernetes/kube.h"

static struct json_object *gone;

static enum kube_news put(struct kube_known *known, struct json_object *object)
{
    gone = json_put(gone);
    return kube_known_put(known, object, &gone);
}

static struct json_object *object(const char *name, const char *uid, const char *version)
{
    struct json_object *object = json_object_new_object();
    struct json_object *metadata = json_object_new_object();
    json_set(object, "metadata", metadata);
    json_set_str(metadata, "uid", uid);
    json_set_str(metadata, "name", name);
    json_set_str(metadata, "namespace", "shop");
    json_set_str(metadata, "resourceVersion", version);
    return object;
}

static void tells_news_from_what_was_told(void)
{
    CLEANUP(kube_known_free) struct kube_known *known = kube_known_new();
    CLEANUP(json_put) struct json_object *first = object("n", "u", "1");
    CLEANUP(json_put) struct json_object *second = object("n", "u", "2");
    CLEANUP(json_put) struct json_object *odd = object("n", NULL, "2");
    EXPECT_INT(put(known, first), KUBE_NEWS_ADDED);
    EXPECT_INT(put(known, first), KUBE_NEWS_NONE);
    EXPECT_INT(put(known, second), KUBE_NEWS_MODIFIED);
    EXPECT_INT(put(known, odd), KUBE_NEWS_NONE);
    EXPECT(kube_known_remove(known, first));
    EXPECT(!kube_known_remove(known, first));
    EXPECT_INT(put(known, first), KUBE_NEWS_ADDED);
}

static void sweeps_what_was_not_in_the_list(void)
{
    CLEANUP(kube_known_free) struct kube_known *known = kube_known_new();
    CLEANUP(json_put) struct json_object *stays = object("s", "stays", "1");
    CLEANUP(json_put) struct json_object *goes = object("g", "goes", "1");
    EXPECT_INT(put(known, stays), KUBE_NEWS_ADDED);
    EXPECT_INT(put(known, goes), KUBE_NEWS_ADDED);
    kube_known_mark(known);
    EXPECT_INT(put(known, stays), KUBE_NEWS_NONE);
    CLEANUP(json_put) struct json_object *swept = kube_known_sweep(known);
    struct json_object *metadata = json_member(swept, "metadata", json_type_object);
    EXPECT_STR(json_str(metadata, "uid"), "goes");
    EXPECT_STR(json_str(metadata, "namespace"), "shop");
    EXPECT(kube_known_sweep(known) == NULL);
    EXPECT_INT(kube_known_count(known), 1);
}

static void tells_the_end_of_one_before_the_next_of_its_name(void)
{
    CLEANUP(kube_known_free) struct kube_known *known = kube_known_new();
    CLEANUP(json_put) struct json_object *old = object("n", "old", "1");
    CLEANUP(json_put) struct json_object *new = object("n", "new", "5");
    EXPECT_INT(put(known, old), KUBE_NEWS_ADDED);
    EXPECT(gone == NULL);
    EXPECT_INT(put(known, new), KUBE_NEWS_ADDED);
    EXPECT_STR(json_str(json_member(gone, "metadata", json_type_object), "uid"), "old");
    EXPECT(!kube_known_remove(known, old)); /* a late word of the old one */
    EXPECT_INT(kube_known_count(known), 1);
    gone = json_put(gone);
}

static void keeps_no_more_than_the_limit(void)
{
    CLEANUP(kube_known_free) struct kube_known *known = kube_known_new();
    for (int i = 0; i <= KUBE_WATCHED_MAX; i++) {
        char uid[16];
        (void)snprintf(uid, sizeof(uid), "u-%d", i);
        CLEANUP(json_put) struct json_object *one = object(uid, uid, "1");
        if (put(known, one) != (i < KUBE_WATCHED_MAX ? KUBE_NEWS_ADDED : KUBE_NEWS_TOO_MANY)) {
            EXPECT_INT(i, -1);
        }
    }
}

TEST_MAIN(tells_news_from_what_was_told, sweeps_what_was_not_in_the_list,
          tells_the_end_of_one_before_the_next_of_its_name, keeps_no_more_than_the_limit)
