#include "base/json.h"
#include "base/test.h"
#include "service/service_priv.h"

extern const struct service_ops service_redis;

static struct service_paths paths = {.socket = (char *)(uintptr_t) "/r/redis.sock"};

static void tells_where_it_answers_by_its_provider(void)
{
    static const struct {
        enum service_provider provider;
        const char *config, *address;
    } rows[] = {
        {PROVIDER_PROCESS, "{\"host\":\"other\"}",
         "{\"socket\":\"/r/redis.sock\",\"password\":null,\"db\":1}"},
        {PROVIDER_PROCESS, "{\"password\":\"p\",\"db\":3}",
         "{\"socket\":\"/r/redis.sock\",\"password\":\"p\",\"db\":3}"},
        {PROVIDER_ADDRESS, "{\"host\":\"other\",\"port\":\"7000\"}",
         "{\"host\":\"other\",\"port\":7000,\"password\":null,\"db\":1}"},
        {PROVIDER_CLUSTER, "{}",
         "{\"host\":\"10.0.0.7\",\"port\":6379,\"password\":\"of the cluster\",\"db\":1}"},
        {PROVIDER_CLUSTER, "{\"password\":\"p\"}",
         "{\"host\":\"10.0.0.7\",\"port\":6379,\"password\":\"p\",\"db\":1}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool cluster = rows[i].provider == PROVIDER_CLUSTER;
        CLEANUP(json_put) struct json_object *config = NULL;
        EXPECT_INT(json_parse_object(slice_str(rows[i].config), &config, NULL), 0);
        struct service_job job = {.ops = &service_redis,
                                  .paths = &paths,
                                  .provider = rows[i].provider,
                                  .config = config,
                                  .host = "10.0.0.7",
                                  .port = 6379,
                                  .secret = cluster ? (char *)(uintptr_t) "of the cluster" : NULL};
        CLEANUP(json_put) struct json_object *address = service_redis_address(&job);
        EXPECT_STR(json_text(address), rows[i].address);
    }
}

TEST_MAIN(tells_where_it_answers_by_its_provider)
