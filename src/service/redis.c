/* Redis: a redis-server of our own on a Unix socket, with all that it holds on the disk, or one at
 * somebody else's address. Where there is none the state database does what jsorc itself needs. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/err.h"
#include "service/service_priv.h"

#define VALUE_BYTES_MAX (16UL * 1024 * 1024) /* of one value that a method gives */
#define PORT            6379
#define LIMIT_ROOM_MB   64 /* beside the data: connections, and what a large answer takes */
#define WORDS_MAX       4  /* of a command that we send: HSET name key value */

/* ---- the process ---- */

/* As redis.conf reads a quoted word (sdssplitargs in its sds.c). */
static void put_quoted(struct buf *out, const char *text)
{
    buf_printf(out, "\"");
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f) {
            buf_printf(out, "\\x%02x", byte);
        } else {
            buf_printf(out, "%c", byte);
        }
    }
    buf_printf(out, "\"\n");
}

static const char *password_of(const struct service_job *job)
{
    const char *password = json_str(job->config, "password");
    return password && *password ? password : job->secret;
}

static const char *host_of(const struct service_job *job)
{
    const char *host =
        job->provider == PROVIDER_CLUSTER ? job->host : json_str(job->config, "host");
    return host ? host : "localhost";
}

static int port_of(const struct service_job *job)
{
    return job->provider == PROVIDER_CLUSTER
               ? job->port
               : (int)service_config_number(job->config, "port", PORT);
}

static int db_of(const struct service_job *job)
{
    return (int)service_config_number(job->config, "db", 1);
}

struct json_object *service_redis_address(const struct service_job *job)
{
    struct json_object *address = json_object_new_object();
    if (job->provider == PROVIDER_PROCESS) {
        json_set_str(address, "socket", job->paths->socket);
    } else {
        json_set_str(address, "host", host_of(job));
        json_set_int(address, "port", port_of(job));
    }
    json_set_str(address, "password", password_of(job));
    json_set_int(address, "db", db_of(job));
    return address;
}

static char *make_config(const struct service_job *job)
{
    bool cluster = job->provider == PROVIDER_CLUSTER;
    struct buf text = {0};
    const char *password = password_of(job);
    buf_printf(&text, "# Written by jsorc; changes are lost.\n"
                      "daemonize no\nsupervised no\nset-proc-title no\nlogfile \"\"\n"
                      "appendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\n");
    buf_printf(&text, "maxmemory %dmb\n",
               (int)service_config_number(job->config, "memory_max_mb", 0));
    if (cluster) {
        buf_printf(&text, "port %d\ndir /data\n", PORT);
    } else {
        buf_printf(&text, "bind 127.0.0.1\nport %d\nunixsocketperm 600\nunixsocket ",
                   (int)service_config_number(job->config, "listen_port", 0));
        put_quoted(&text, job->paths->socket);
        buf_printf(&text, "dir ");
        put_quoted(&text, job->paths->folder);
    }
    if (password && *password) {
        buf_printf(&text, "requirepass ");
        put_quoted(&text, password);
    }
    char *copy = xstrndup(text.data + text.start, buf_size(&text));
    buf_done(&text);
    return copy;
}

static int prepare(struct service_job *job, struct err *err)
{
    CLEANUP(str_free) char *text = make_config(job);
    int failed = service_folder_make(job->paths->folder, err);
    failed = failed ? failed : service_file_put(job->paths->config_file, text, &job->changed, err);
    service_job_args(job, "redis-server", job->paths->config_file, NULL);
    return failed;
}

/* Writing its file anew takes a second copy of what changes meanwhile: twice the data at worst. */
static struct json_object *resources_of(const struct service_job *job)
{
    int memory_mb = (int)service_config_number(job->config, "memory_max_mb", 0);
    struct json_object *resources = json_object_new_object();
    struct json_object *requests = json_object_new_object();
    CLEANUP(str_free) char *asked = xasprintf("%dMi", memory_mb + LIMIT_ROOM_MB);
    json_set_str(requests, "cpu", "50m");
    json_set_str(requests, "memory", asked);
    json_set(resources, "requests", requests);
    if (memory_mb > 0) {
        struct json_object *limits = json_object_new_object();
        CLEANUP(str_free) char *limit = xasprintf("%dMi", 2 * memory_mb + LIMIT_ROOM_MB);
        json_set_str(limits, "memory", limit);
        json_set(resources, "limits", limits);
    }
    return resources;
}

static int fill(const struct service_job *job, struct json_object *config, struct err *err)
{
    CLEANUP(str_free) char *text = make_config(job);
    (void)err;
    service_cluster_file(config, "redis.conf", text);
    service_cluster_file(config, "password", password_of(job));
    json_set(config, "resources", resources_of(job));
    return 0;
}

/* ---- asking it ---- */

static void close_redis(redisContext *context)
{
    redisFree(context);
}
DEFINE_CLEANUP(redisContext *, close_redis)

static void free_reply(redisReply *reply)
{
    freeReplyObject(reply);
}
DEFINE_CLEANUP(redisReply *, free_reply)

/* NULL = err tells why. */
static redisReply *ask(redisContext *context, int count, const struct slice *words, struct err *err)
{
    const char *texts[WORDS_MAX];
    size_t sizes[WORDS_MAX];
    for (int i = 0; i < count; i++) {
        texts[i] = words[i].data;
        sizes[i] = words[i].size;
    }
    redisReply *reply = redisCommandArgv(context, count, texts, sizes);
    if (!reply) {
        bool late = context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == ETIMEDOUT);
        (void)err_set(err, EIO, "%s",
                      late           ? "no answer in time"
                      : context->err ? context->errstr
                                     : "no answer");
    } else if (reply->type == REDIS_REPLY_ERROR) {
        (void)err_set(err, EIO, "%s", reply->str);
    }
    return reply;
}

/* What an answer that is an error says of the server. */
static enum check_outcome outcome_of(const redisReply *reply)
{
    if (!reply) {
        return CHECK_MISSED;
    }
    if (reply->type != REDIS_REPLY_ERROR) {
        return CHECK_GOOD;
    }
    return strncmp(reply->str, "LOADING", 7) == 0   ? CHECK_BUSY
           : strncmp(reply->str, "MISCONF", 7) == 0 ? CHECK_SICK /* it cannot write to its disk */
                                                    : CHECK_MISSED;
}

static redisContext *connect_redis(const struct service_job *job, struct err *err)
{
    struct timeval timeout = {.tv_sec = (time_t)(job->timeout_ms / 1000),
                              .tv_usec = (suseconds_t)(job->timeout_ms % 1000 * 1000)};
    redisContext *context = job->provider == PROVIDER_PROCESS
                                ? redisConnectUnixWithTimeout(job->paths->socket, timeout)
                                : redisConnectWithTimeout(host_of(job), port_of(job), timeout);
    if (!context) {
        (void)err_set(err, ENOMEM, "no memory for a connection");
        return NULL;
    }
    if (context->err) {
        (void)err_set(err, EIO, "cannot connect: %s", context->errstr);
        redisFree(context);
        return NULL;
    }
    (void)redisSetTimeout(context, timeout);
    context->reader->maxbuf = VALUE_BYTES_MAX;
    return context;
}

/* Password and database, for what needs them. */
static enum check_outcome enter(redisContext *context, const struct service_job *job,
                                struct err *err)
{
    const char *password = password_of(job);
    char db[16];
    (void)snprintf(db, sizeof(db), "%d", db_of(job));
    if (password && *password) {
        struct slice words[] = {SLICE("AUTH"), slice_str(password)};
        CLEANUP(free_reply) redisReply *reply = ask(context, 2, words, err);
        if (outcome_of(reply) != CHECK_GOOD) {
            return outcome_of(reply);
        }
    }
    struct slice words[] = {SLICE("SELECT"), slice_str(db)};
    CLEANUP(free_reply) redisReply *reply = ask(context, 2, words, err);
    return outcome_of(reply);
}

static enum check_outcome check(struct service_job *job, struct err *err)
{
    CLEANUP(close_redis) redisContext *context = connect_redis(job, err);
    if (!context) {
        return CHECK_MISSED;
    }
    enum check_outcome outcome = enter(context, job, err);
    if (outcome != CHECK_GOOD) {
        return outcome;
    }
    struct slice words[] = {SLICE("PING")};
    CLEANUP(free_reply) redisReply *reply = ask(context, 1, words, err);
    if (reply && reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "PONG") == 0) {
        return CHECK_GOOD;
    }
    outcome = outcome_of(reply);
    if (outcome == CHECK_GOOD) {
        (void)err_set(err, EPROTO, "it does not answer as a Redis does");
        return CHECK_MISSED;
    }
    return outcome;
}

/* ---- methods ---- */

static struct json_object *text_or_null(const redisReply *reply)
{
    return reply->str ? json_object_new_string_len(reply->str, (int)reply->len) : NULL;
}

enum answer { ANSWER_TEXT, ANSWER_INT, ANSWER_BOOL, ANSWER_OK, ANSWER_LIST };

static struct json_object *value_of(const redisReply *reply, enum answer answer)
{
    switch (answer) {
    case ANSWER_INT:
        return json_object_new_int64(reply->integer);
    case ANSWER_BOOL:
        return json_object_new_boolean(reply->integer > 0);
    case ANSWER_OK:
        return json_object_new_boolean(reply->type == REDIS_REPLY_STATUS);
    case ANSWER_LIST: {
        struct json_object *list = json_object_new_array();
        for (size_t i = 0; i < reply->elements; i++) {
            (void)json_object_array_add(list, text_or_null(reply->element[i]));
        }
        return list;
    }
    case ANSWER_TEXT:
        break;
    }
    return text_or_null(reply);
}

static int run_command(struct service_job *job, const char *command, enum answer answer,
                       struct json_object **ret, struct err *err)
{
    CLEANUP(close_redis) redisContext *context = connect_redis(job, err);
    if (!context || enter(context, job, err) != CHECK_GOOD) {
        return -EIO;
    }
    struct slice words[WORDS_MAX] = {slice_str(command)};
    int count = 1;
    while (count < WORDS_MAX &&
           (words[count] = service_job_slice(job, (size_t)count - 1)).data != NULL) {
        count++;
    }
    CLEANUP(free_reply) redisReply *reply = ask(context, count, words, err);
    if (outcome_of(reply) != CHECK_GOOD) {
        return -EIO;
    }
    *ret = value_of(reply, answer);
    return 0;
}

#define METHOD(method, command, answer)                                                            \
    static int run_##method(struct service_job *job, struct json_object **ret, struct err *err)    \
    {                                                                                              \
        return run_command(job, command, answer, ret, err);                                        \
    }

METHOD(get, "GET", ANSWER_TEXT)
METHOD(set, "SET", ANSWER_OK)
METHOD(exists, "EXISTS", ANSWER_BOOL)
METHOD(delete, "DEL", ANSWER_INT)
METHOD(hget, "HGET", ANSWER_TEXT)
METHOD(hset, "HSET", ANSWER_INT)
METHOD(hexists, "HEXISTS", ANSWER_BOOL)
METHOD(hdel, "HDEL", ANSWER_INT)
METHOD(hkeys, "HKEYS", ANSWER_LIST)

static const struct service_method methods[] = {
    {"get", "name", 1, run_get},
    {"set", "name val", 2, run_set},
    {"exists", "name", 1, run_exists},
    {"delete", "name", 1, run_delete},
    {"hget", "name key", 2, run_hget},
    {"hset", "name key val", 3, run_hset},
    {"hexists", "name key", 2, run_hexists},
    {"hdel", "name key", 2, run_hdel},
    {"hkeys", "name", 1, run_hkeys},
    {.name = NULL},
};

static const struct service_key keys[] = {
    {.name = "host", .variables = {"REDIS_HOST"}, .fallback = "\"localhost\"", .address = true},
    {.name = "port",
     .type = KEY_NUMBER,
     .variables = {"REDIS_PORT"},
     .fallback = "6379",
     .min = 1,
     .max = 65535,
     .address = true},
    {.name = "db", .type = KEY_NUMBER, .variables = {"REDIS_DB"}, .fallback = "1", .max = 15},
    {.name = "password"},
    {.name = "provider"},
    {.name = "listen_port", .type = KEY_NUMBER, .fallback = "0", .max = 65535},
    {.name = "memory_max_mb", .type = KEY_NUMBER, .fallback = "0", .max = 1 << 24},
    {.name = "image", .fallback = "\"docker.io/library/redis:7.0\""},
    {.name = "storage", .fallback = "\"1Gi\""},
    {.name = "storage_class"},
    {.name = NULL},
};

extern const struct service_ops service_redis;
const struct service_ops service_redis = {
    .name = "redis",
    .title = "RedisService",
    .config = "REDIS_CONFIG",
    .keys = keys,
    .passes_on = true,
    .embedded = true,
    .mark = "redis-server",
    .config_file = "redis.conf",
    .prepare = prepare,
    .manifest = "redis.yaml",
    .fill = fill,
    .check = check,
    .methods = methods,
};
