/* The Kubernetes client, driven by lines: for system tests in Python (kube_talk.py). Each line is
 * {"id": N, "do": VERB, ...}; the answer is a line {"id": N, "outcome": ...}, and a watch goes on
 * telling {"watch": N, ...}. Ends with its input. */
#include "talk.h"

#define WATCHES_MAX 16

struct question { /* a request under way, or a watch */
    int64_t id;
    bool brief; /* tells names and versions only */
};

struct watches {
    struct kube_watch *items[WATCHES_MAX];
    struct question *questions[WATCHES_MAX];
    unsigned count;
};

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
    talk_say(line);
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
    talk_say(line);
}

static void synced(void *arg)
{
    const struct question *question = arg;
    struct json_object *line = json_object_new_object();
    json_set_int(line, "watch", question->id);
    json_set_bool(line, "synced", true);
    talk_say(line);
}

static void trouble(void *arg, const struct kube_reply *reply)
{
    const struct question *question = arg;
    struct json_object *line = json_object_new_object();
    json_set_int(line, "watch", question->id);
    json_set_str(line, "trouble", reply ? kube_outcome_name(reply->outcome) : "well");
    json_set_str(line, "error", reply ? reply->err->text : NULL);
    talk_say(line);
}

static void start_watch(struct talk *talk, struct question *question, const struct kube_ref *ref,
                        const struct kube_select *select)
{
    struct watches *watches = talk->arg;
    if (watches->count == WATCHES_MAX) {
        abort();
    }
    struct kube_watch_events events = {changed, synced, trouble, question};
    watches->questions[watches->count] = question;
    watches->items[watches->count++] = kube_watch_new(talk->kube, ref, select, &events);
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
    talk_say(line);
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
    *question = (struct question){.id = json_int(line, "id", 0)};
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

int main(int argc, char **argv)
{
    struct watches watches = {0};
    struct talk talk = {.line = ask, .arg = &watches};
    if (!talk_begin(&talk, argc, argv)) {
        return 1;
    }
    loop_run(talk.loop);
    talk_end(&talk);
    for (unsigned i = 0; i < watches.count; i++) {
        free(watches.questions[i]);
    }
    return 0;
}
