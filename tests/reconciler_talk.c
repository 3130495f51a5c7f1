/* The reconciler, driven by lines: for system tests in Python. {"want": NAME, "manifest": {...}}
 * wants these objects for the service NAME, with "manifest" left out none; {"state": NAME} is
 * answered by {"id": NAME, "settled": ..., "objects": [...]}. */
#include "talk.h"

#include "manifest/manifest.h"
#include "provider/kubernetes/reconciler.h"

#define SETS_MAX 16

struct sets {
    struct reconciler *reconciler;
    struct reconciler_set *items[SETS_MAX];
    char *names[SETS_MAX];
    unsigned count;
    struct loop_timer told; /* the answer about the set asked, after the reconciler's turn */
    const struct reconciler_set *asked;
    const char *asked_name;
};

static struct reconciler_set **find(struct sets *sets, const char *name)
{
    for (unsigned i = 0; i < sets->count; i++) {
        if (strcmp(sets->names[i], name) == 0) {
            return &sets->items[i];
        }
    }
    return NULL;
}

static struct manifest *read_manifest(const struct talk *talk, struct json_object *text)
{
    struct manifest *manifest = NULL;
    struct err err = {0};
    if (manifest_read(text, &manifest, &err) < 0) {
        (void)fprintf(stderr, "talk: %s\n", err.text);
        abort();
    }
    manifest_rewrite(manifest, MANIFEST_DEDICATED,
                     kube_config_namespace(kube_configuration(talk->kube)), NULL);
    return manifest;
}

static void want(struct talk *talk, const char *name, struct json_object *text)
{
    struct sets *sets = talk->arg;
    struct reconciler_set **set = find(sets, name);
    const struct manifest_owner owner = {.kind = MANIFEST_SERVICE, .name = name};
    if (!text) {
        reconciler_unwant(*set);
    } else if (set) {
        reconciler_change(*set, read_manifest(talk, text));
    } else if (sets->count < SETS_MAX) {
        sets->names[sets->count] = xstrdup(name);
        sets->items[sets->count++] =
            reconciler_want(sets->reconciler, &owner, read_manifest(talk, text), NULL, NULL);
    }
}

static void tell_state(void *arg)
{
    const struct sets *sets = arg;
    struct json_object *line = json_object_new_object();
    json_set_str(line, "id", sets->asked_name);
    json_set_bool(line, "settled", reconciler_is_settled(sets->asked));
    json_set(line, "objects", reconciler_objects(sets->asked));
    talk_say(line);
}

static void ask_state(struct talk *talk, const char *name)
{
    struct sets *sets = talk->arg;
    for (unsigned i = 0; i < sets->count; i++) {
        if (strcmp(sets->names[i], name) == 0) {
            sets->asked = sets->items[i];
            sets->asked_name = sets->names[i];
        }
    }
    loop_timer_set(talk->loop, &sets->told, loop_now_ms(talk->loop) + 1);
}

static void on_line(struct talk *talk, struct json_object *line)
{
    const char *wanted = json_str(line, "want");
    if (wanted) {
        want(talk, wanted, json_member(line, "manifest", json_type_object));
    } else {
        ask_state(talk, json_str(line, "state"));
    }
}

int main(int argc, char **argv)
{
    struct sets sets = {0};
    struct talk talk = {.line = on_line, .arg = &sets};
    sets.told = (struct loop_timer){.fn = tell_state, .arg = &sets};
    if (!talk_begin(&talk, argc, argv)) {
        return 1;
    }
    sets.reconciler = reconciler_new(talk.loop, talk.kube, "faults", 1);
    loop_run(talk.loop);
    (void)reconciler_free(sets.reconciler);
    talk_end(&talk);
    for (unsigned i = 0; i < sets.count; i++) {
        free(sets.names[i]);
    }
    return 0;
}
