/* Kubernetes objects as people write them down, and what becomes of them before they are sent: the
 * forms of the original's manifests and action configs, namespaces, placeholders, labels. Pure: no
 * I/O, no clock. Used by whoever wants objects in a cluster (provider/kubernetes, services).
 *
 * The steps, in their order: manifest_read, manifest_rewrite, manifest_resolve, manifest_own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct err;
struct json_object;

#define MANIFEST_OBJECTS_MAX  1024               /* Elastic's has 20; beyond, it is generated */
#define MANIFEST_INSERTED_MAX (16 * 1024 * 1024) /* bytes that placeholders may bring in */

struct manifest_object {
    char *key;                 /* its name where it was written: what placeholders call it; owned */
    struct json_object *value; /* apiVersion, kind and metadata.name are there; owned */
};

struct manifest {
    struct manifest_object *objects; /* in the order of the text */
    size_t count;
    bool may_delete_claims; /* the phrase was in it */
};

struct manifest *manifest_free(struct manifest *manifest); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(struct manifest *, manifest_free)

/* Takes what is written in any of these forms: {"KIND": {"NAME": OBJECT}}, {"KIND": [OBJECT]},
 * {"KIND": OBJECT}, one OBJECT, a List of them, an array of any of these. Members that are null are
 * left out, as are a kind's name and apiVersion filled in where they follow from the form. source
 * is not changed. -EINVAL: an object lacks what it needs, the text says which; -E2BIG. */
int manifest_read(struct json_object *source, struct manifest **ret_manifest, struct err *err);

/* {"KIND": {"NAME": OBJECT}}: how the original shows and keeps it. Owned by the caller; the objects
 * are references. */
struct json_object *manifest_map(const struct manifest *manifest);

/* ---- objects ---- */

/* Borrowed; NULL when absent or no text. */
const char *manifest_kind(const struct json_object *object);
const char *manifest_name(const struct json_object *object);
const char *manifest_namespace(const struct json_object *object);

/* A Namespace with the label `name`, as the original makes it; the caller's. */
struct json_object *manifest_make_namespace(const char *name);
const char *manifest_label(const struct json_object *object, const char *label);

/* A kind that has no namespace, of those that Kubernetes itself has. */
bool manifest_is_cluster_wide(const char *kind);

/* Whose data are lost with it: never deleted without the phrase. */
bool manifest_is_guarded(const char *kind);

/* Objects of a lower rank are made first and deleted last. */
unsigned manifest_rank(const char *kind);

/* ---- namespaces ---- */

enum manifest_space {
    MANIFEST_DEDICATED, /* all into our own namespace */
    MANIFEST_SOURCE,    /* as it is written */
    MANIFEST_MANUAL,    /* all into the one that is given */
};

/* Objects of a namespace that begins with this stay there: one copy serves all installations. */
#define MANIFEST_SHARED_SPACE "jsorc-dedicated"

/* "DEDICATED", "SOURCE", "MANUAL", any case. -EINVAL. */
int manifest_space_of(const char *text, enum manifest_space *ret_space, struct err *err);

/* Afterwards each object that has a namespace names it. own: ours; given: for MANIFEST_MANUAL. */
void manifest_rewrite(struct manifest *manifest, enum manifest_space space, const char *own,
                      const char *given);

/* What an environment variable as REDIS_NAMESPACE asks for: NULL or "" DEDICATED, "SOURCE", else
 * MANUAL with that text in *ret_given (borrowed from text). */
enum manifest_space manifest_space_from(const char *text, const char **ret_given);

/* ---- placeholders (resolve.c) ---- */

/* "$j{Secret.creds.data.user}" or "$j{Role[\"a-b\"].metadata.name}" in keys and values becomes what
 * is at that path of the manifest: alone with its type (null when there is nothing), within a
 * longer text as text. In one pass, in the order of the text. -EINVAL: not a path, or no text
 * there; -E2BIG: it grows without end. */
int manifest_resolve(struct manifest *manifest, struct err *err);

/* The same, where "$j{config.NAME}" is what config (an object, not NULL) has under that name: how a
 * service's config gets into the manifest that jsorc brings for it. */
int manifest_fill(struct manifest *manifest, struct json_object *config, struct err *err);

/* ---- whose they are (own.c) ---- */

#define MANIFEST_MANAGED_BY "app.kubernetes.io/managed-by" /* = MANIFEST_MANAGER */
#define MANIFEST_MANAGER    "jsorc"
#define MANIFEST_OWNER      "jsorc/owner"         /* which installation made it */
#define MANIFEST_ACTION     "jsorc/action"        /* for which module */
#define MANIFEST_SERVICE    "jsorc/service"       /* or for which service */
#define MANIFEST_HASH       "jsorc/manifest-hash" /* annotation: what was applied last */
#define MANIFEST_VERSION    "config_version"      /* the original's label */

#define MANIFEST_LABEL_MAX 63 /* bytes: Kubernetes' limit of a label's value */
#define MANIFEST_HASH_SIZE 33 /* 32 hexadecimal digits and the zero */

struct manifest_owner { /* borrowed */
    const char *owner;  /* of the installation; a label's value */
    const char *kind;   /* MANIFEST_ACTION or MANIFEST_SERVICE */
    const char *name;   /* of the module or service */
};

/* Labels each object, and the pods that it makes, as the owner's, makes labels and annotations of
 * other types texts, and notes the hash of all that. */
void manifest_own(struct manifest *manifest, const struct manifest_owner *owner);

/* name as a label's value: itself when it can be one, else what can and tells it apart. */
void manifest_label_of(const char *name, char label[MANIFEST_LABEL_MAX + 1]);

/* As the name of an object (RFC 1123 label): small letters, digits, '-'. As above, so that the
 * objects of word_tools and word.tools are not the same. */
void manifest_object_name_of(const char *name, char object_name[MANIFEST_LABEL_MAX + 1]);

/* BLAKE2b-128 of the object with its members in order of their names. */
void manifest_hash(struct json_object *object, char hash[MANIFEST_HASH_SIZE]);

/* Objects without the label config_version get it: a change of text is applied at any rate. */
void manifest_stamp(struct manifest *manifest, const char *version);

/* Whether live has every member of wanted with the same value: nobody has changed what we asked
 * for. Lists must be equal in length, quantities in writing. */
bool manifest_is_within(struct json_object *wanted, struct json_object *live);

#define MANIFEST_CHANGES_MAX 200 /* of one object: more is another object */

/* What distinguishes two states of an object, without what the server notes by itself (status,
 * managedFields, versions, times): [{"path": "/spec/replicas", "from": 1, "to": 2}], from or to
 * left out where there is none. before may be NULL. The caller's. */
struct json_object *manifest_changes(struct json_object *before, struct json_object *after);

/* ---- the claim guard ---- */

#define MANIFEST_PHRASE_KEY "__UNSAFE_PARAPHRASE__"
#define MANIFEST_PHRASE     "I know what I'm doing!"
#define MANIFEST_OLD_KEY    "__OLD_CONFIG__" /* the older version's own note; not an object */

/* ---- what was applied before ---- */

#define MANIFEST_HISTORY_MAX 10 /* an undo of ten steps; the original's grew without end */

/* history: array of maps, newest first. Puts map (referenced) in front when it differs from the
 * newest, and drops what is beyond the maximum. */
void manifest_history_push(struct json_object *history, struct json_object *map);
