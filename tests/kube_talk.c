/* The Kubernetes client, driven by lines: for system tests in Python (kube_talk.py). Each line of
 * standard input is {"id": N, "do": VERB, ...}; the answer is a line {"id": N, "outcome": ...}, and
 * a watch goes on telling {"watch": N, ...}. Ends with its input. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "provider/kubernetes/kube.h"

#define WATCHES_MAX 16

struct talk;

struct question { /* a request under way, or a watch */
    struct talk *talk;
    int64_t id;
    bool brief; /* tells names and versions only */
};

struct talk {
    struct loop *loop;
    struct kube *kube;
    struct loop_watch input;
    struct buf bytes;
    struct kube_watch *watches[WATCHES_MAX];
    struct question *watch_questions[WATCHES_MAX];
    unsigned watch_count;
};

static void print(struct json_object *line)
{
    puts(json_text(line));
    (void)fflush(stdout);
    (void)json_put(line);
}

static struct json_object *shorten(struct json_object *object)
{
    struct json_object *brief = json_object_new_object();
    json_set(brief, "kind", json_ref(json_member(object, "kind", json_type_string)));
    json_set(brief, "metadata", json_ref(json_member(object, "metadata", json_type_object)));
    return brief;
}

static void answered(void *arg, const struct kube_reply *reply)
{
    struct question *question = arg;
    struct json_object *line = json_object_new_object();
    json_set_int(line, "id", question->id);
    json_set_str(line, "outcome", kube_outcome_name(reply->outcome));
    json_set_int(line, "status", reply->status);
    json_set_str(line, "reason", reply->reason);
    json_set_str(line, "error", reply->err ? reply->err->text : NULL);
    json_set(line, "object", json_ref(reply->object));
    if (reply->text.data) {
        json_set(line, "text", json_object_new_string_len(reply->text.data, (int)reply->text.size));
    }
    print(line);
    free(question);
}

static void changed(void *arg, enum kube_change change, struct json_object *object)
{
    static const char *const names[] = {"ADDED", "MODIFIED", "DELETED"};
    const struct question *question = arg;
    struct json_object *line = json_object_new_object();
    json_set_int(line, "watch", question->id);
    json_set_str(line, "change", names[change]);
    json_set(line, "object", question->brief ? shorten(object) : json_ref(object));
    print(line);
}

static void synced(void *arg)
{
    const struct question *question = arg;
    struct json_object *line = json_object_new_object();
    json_set_int(line, "watch", question->id);
    json_set_bool(line, "synced", true);
    print(line);
}

static void trouble(void *arg, const struct kube_reply *reply)
{
    const struct question *question = arg;
    struct json_object *line = json_object_new_object();
    json_set_int(line, "watch", question->id);
    json_set_str(line, "trouble", reply ? kube_outcome_name(reply->outcome) : "well");
    json_set_str(line, "error", reply ? reply->err->text : NULL);
    print(line);
}

static void start_watch(struct talk *talk, struct question *question, const struct kube_ref *ref,
                        const struct kube_select *select)
{
    if (talk->watch_count == WATCHES_MAX) {
        abort();
    }
    struct kube_watch_events events = {changed, synced, trouble, question};
    talk->watch_questions[talk->watch_count] = question;
    talk->watches[talk->watch_count++] = kube_watch_new(talk->kube, ref, select, &events);
}

static void tell_figures(struct talk *talk, struct question *question)
{
    struct kube_figures figures;
    struct json_object *line = json_object_new_object();
    kube_figures_read(talk->kube, &figures);
    json_set_int(line, "id", question->id);
    json_set_int(line, "requests", (int64_t)figures.requests);
    json_set_int(line, "retries", (int64_t)figures.retries);
    json_set_int(line, "throttled", (int64_t)figures.throttled);
    json_set_int(line, "failures", (int64_t)figures.failures);
    json_set_int(line, "relists", (int64_t)figures.relists);
    json_set_int(line, "events", (int64_t)figures.events);
    print(line);
    free(question);
}

static bool is(const char *verb, const char *wanted)
{
    return strcmp(verb, wanted) == 0;
}

static void ask_about_ref(struct talk *talk, struct question *question, const char *verb,
                          struct json_object *line, const struct kube_ref *ref)
{
    struct kube *kube = talk->kube;
    struct kube_select select = {json_str(line, "labels"), json_str(line, "fields")};
    struct kube_write write = {.dry_run = json_flag(line, "dry_run", false)};
    struct kube_remove remove = {.uid = json_str(line, "uid"),
                                 .grace_s = json_int(line, "grace_s", 0),
                                 .propagation =
                                     (enum kube_propagation)json_int(line, "propagation", 0)};
    struct kube_log_options log = {.lines_max = (unsigned)json_int(line, "lines", 0)};
    if (is(verb, "get")) {
        (void)kube_get(kube, ref, answered, question);
    } else if (is(verb, "list")) {
        (void)kube_list(kube, ref, &select, answered, question);
    } else if (is(verb, "patch")) {
        (void)kube_patch(kube, ref, json_member(line, "patch", json_type_object), &write, answered,
                         question);
    } else if (is(verb, "delete")) {
        (void)kube_delete(kube, ref, &remove, answered, question);
    } else if (is(verb, "log")) {
        (void)kube_log(kube, ref->namespace, ref->name, &log, answered, question);
    } else if (is(verb, "access")) {
        (void)kube_access(kube, json_str(line, "verb"), ref, answered, question);
    } else if (is(verb, "watch")) {
        question->brief = json_flag(line, "brief", false);
        start_watch(talk, question, ref, &select);
    } else {
        abort();
    }
}

static void ask(struct talk *talk, struct json_object *line)
{
    struct kube *kube = talk->kube;
    struct question *question = xcalloc(1, sizeof(*question));
    const char *verb = json_str(line, "do");
    struct json_object *object = json_member(line, "object", json_type_object);
    struct kube_write write = {.dry_run = json_flag(line, "dry_run", false),
                               .force = json_flag(line, "force", false)};
    struct kube_ref ref = {json_str(line, "apiVersion"), json_str(line, "kind"),
                           json_str(line, "namespace"), json_str(line, "name"),
                           json_str(line, "subresource")};
    *question = (struct question){.talk = talk, .id = json_int(line, "id", 0)};
    if (!verb) {
        abort();
    } else if (is(verb, "apply")) {
        (void)kube_apply(kube, object, &write, answered, question);
    } else if (is(verb, "create")) {
        (void)kube_create(kube, object, &write, answered, question);
    } else if (is(verb, "events")) {
        (void)kube_events(kube, object, answered, question);
    } else if (is(verb, "rules")) {
        (void)kube_rules(kube, ref.namespace, answered, question);
    } else if (is(verb, "raw")) {
        (void)kube_raw(kube, "GET", json_str(line, "path"), NULL, answered, question);
    } else if (is(verb, "figures")) {
        tell_figures(talk, question);
    } else {
        ask_about_ref(talk, question, verb, line, &ref);
    }
}

static void on_input(void *arg, uint32_t events)
{
    struct talk *talk = arg;
    (void)events;
    if (buf_reserve(&talk->bytes, 65536) < 0) {
        abort();
    }
    ssize_t got = read(talk->input.fd, talk->bytes.data + talk->bytes.end, 65536);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            loop_stop(talk->loop);
        }
        return;
    }
    talk->bytes.end += (size_t)got;
    for (;;) {
        struct slice all = buf_slice(&talk->bytes);
        const char *end = memchr(all.data, '\n', all.size);
        CLEANUP(json_put) struct json_object *line = NULL;
        struct err err = {0};
        if (!end) {
            return;
        }
        struct slice text = {all.data, (size_t)(end - all.data)};
        if (json_parse_object(text, &line, &err) < 0) {
            (void)fprintf(stderr, "kube_talk: %s\n", err.text);
            abort();
        }
        ask(talk, line);
        buf_consume(&talk->bytes, text.size + 1);
    }
}

/* The first argument is the configuration and the settings as JSON. */
static struct kube *connect_to(struct talk *talk, struct job_pool *jobs, struct json_object *given)
{
    struct kube_config_options options = {
        .in_cluster = json_flag(given, "in_cluster", false),
        .kubeconfig = json_str(given, "kubeconfig"),
        .context = json_str(given, "context"),
        .namespace = json_str(given, "namespace"),
        .api_server = json_str(given, "api_server"),
        .token_file = json_str(given, "token_file"),
        .ca_file = json_str(given, "ca_file"),
        .insecure = json_flag(given, "insecure", false),
        .service_account_folder = json_str(given, "service_account_folder"),
    };
    struct kube_settings settings = {
        .try_timeout_ms = (uint64_t)json_int(given, "try_timeout_ms", 0),
        .silence_ms_max = (uint64_t)json_int(given, "silence_ms_max", 0),
        .backoff_ms_min = (uint64_t)json_int(given, "backoff_ms_min", 0),
        .backoff_ms_max = (uint64_t)json_int(given, "backoff_ms_max", 0),
        .tries_max = (unsigned)json_int(given, "tries_max", 0),
        .page_items = (unsigned)json_int(given, "page_items", 0),
        .seed = (uint64_t)json_int(given, "seed", 0),
    };
    struct kube_config *config = NULL;
    struct err err = {0};
    if (kube_config_load(&options, &config, &err) < 0) {
        (void)fprintf(stderr, "kube_talk: %s\n", err.text);
        return NULL;
    }
    return kube_new(talk->loop, jobs, config, &settings);
}

int main(int argc, char **argv)
{
    struct talk talk = {.loop = loop_new(NULL)};
    CLEANUP(json_put) struct json_object *given = NULL;
    if (argc != 2 || !talk.loop || json_parse_object(slice_str(argv[1]), &given, NULL) < 0) {
        (void)fprintf(stderr, "usage: kube_talk JSON\n");
        return 2;
    }
    struct job_pool *jobs = job_pool_new(1);
    talk.kube = connect_to(&talk, jobs, given);
    if (!talk.kube) {
        return 1;
    }
    talk.input = (struct loop_watch){.fd = STDIN_FILENO, .fn = on_input, .arg = &talk};
    if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) < 0 ||
        loop_watch(talk.loop, &talk.input, EPOLLIN) < 0) {
        return 1;
    }
    loop_run(talk.loop);
    (void)kube_free(talk.kube);
    (void)job_pool_free(jobs);
    (void)loop_free(talk.loop);
    for (unsigned i = 0; i < talk.watch_count; i++) {
        free(talk.watch_questions[i]);
    }
    buf_done(&talk.bytes);
    return 0;
}
