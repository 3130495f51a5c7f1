#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "provider/kubernetes/kube_priv.h"

static void encode(struct buf *path, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-._~";
    for (; *text; text++) {
        buf_printf(path, strchr(plain, *text) ? "%c" : "%%%02X", (unsigned char)*text);
    }
}

void kube_path_query(struct buf *path, const char *name, const char *value)
{
    if (value) {
        struct slice text = buf_slice(path);
        bool first = text.size == 0 || !memchr(text.data, '?', text.size);
        buf_printf(path, "%c%s=", first ? '?' : '&', name);
        encode(path, value);
    }
}

char *kube_path_take(struct buf *path)
{
    struct slice text = buf_slice(path);
    char *copy = xstrndup(text.data ? text.data : "", text.size);
    buf_done(path);
    return copy;
}

static int segment(struct buf *path, const char *what, const char *text, struct err *err)
{
    if (!text || !kube_is_segment(text)) {
        return err_set(err, EINVAL, "'%s' cannot be the %s of an object", text ? text : "", what);
    }
    buf_printf(path, "/%s", text);
    return 0;
}

int kube_path_object(struct buf *path, const struct kube_config *config,
                     const struct kube_resource *resource, const struct kube_ref *ref,
                     struct err *err)
{
    const char *namespace = ref->namespace ? ref->namespace : config->namespace;
    bool core = !strchr(ref->api_version, '/');
    int failed = 0;
    buf_printf(path, "/%s/%s", core ? "api" : "apis", ref->api_version);
    if (resource->namespaced && strcmp(namespace, KUBE_NAMESPACES) != 0) {
        buf_printf(path, "/namespaces");
        failed = segment(path, "namespace", namespace, err);
    } else if (resource->namespaced && ref->name) {
        return err_set(err, EINVAL, "%s '%s' is of one namespace: name it", ref->kind, ref->name);
    }
    buf_printf(path, "/%s", resource->plural);
    if (!failed && ref->name) {
        failed = segment(path, "name", ref->name, err);
    }
    if (!failed && ref->subresource) {
        failed = segment(path, "subresource", ref->subresource, err);
    }
    return failed;
}
