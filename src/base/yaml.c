#include "base/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <libfyaml.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"

static struct fy_document *document_free(struct fy_document *document)
{
    fy_document_destroy(document);
    return NULL;
}
DEFINE_CLEANUP(struct fy_document *, document_free)

static struct fy_diag *diag_free(struct fy_diag *diag)
{
    fy_diag_destroy(diag);
    return NULL;
}
DEFINE_CLEANUP(struct fy_diag *, diag_free)

static struct fy_parser *parser_free(struct fy_parser *parser)
{
    fy_parser_destroy(parser);
    return NULL;
}
DEFINE_CLEANUP(struct fy_parser *, parser_free)

static int read_all(const char *path, char **ret_text, size_t *ret_size, struct err *err)
{
    struct stat status;
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_errno(err, errno, "cannot read '%s'", path);
    }
    if (!S_ISREG(status.st_mode) || status.st_size > YAML_BYTES_MAX) {
        return err_set(err, EINVAL, "'%s' is no file of at most %d bytes", path, YAML_BYTES_MAX);
    }
    CLEANUP(str_free) char *text = xcalloc(1, (size_t)status.st_size + 1);
    ssize_t got = read(fd, text, (size_t)status.st_size);
    if (got < 0) {
        return err_errno(err, errno, "cannot read '%s'", path);
    }
    *ret_size = (size_t)got;
    *ret_text = TAKE(text);
    return 0;
}

/* 0 when nothing is wrong: the text holds no document. */
static int explain(struct fy_diag *diag, const char *path, struct err *err)
{
    void *previous = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &previous);
    if (!error) {
        return 0;
    }
    return err_set(err, EINVAL, "'%s' line %d column %d: %s", path, error->line + 1,
                   error->column + 1, error->msg);
}

/* Diagnostics that are kept, not printed. */
static struct fy_diag *diag_new(void)
{
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    config.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&config);
    fy_diag_set_collect_errors(diag, true);
    return diag;
}

static int to_json(struct fy_document *document, const char *name, struct json_object **ret_value,
                   struct err *err)
{
    CLEANUP(str_free)
    char *json = fy_emit_document_to_string(document, FYECF_MODE_JSON_ONELINE | FYECF_WIDTH_INF);
    int failed = json ? json_parse(slice_str(json), ret_value, err)
                      : err_set(err, EINVAL, "it has no JSON form");
    return failed ? err_wrap(err, "'%s'", name) : 0;
}

int yaml_read_file(const char *path, struct json_object **ret_value, struct err *err)
{
    CLEANUP(str_free) char *text = NULL;
    size_t size = 0;
    int failed = read_all(path, &text, &size, err);
    if (failed) {
        return failed;
    }
    CLEANUP(diag_free) struct fy_diag *diag = diag_new();
    struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_RESOLVE_DOCUMENT, .diag = diag};
    CLEANUP(document_free)
    struct fy_document *document = fy_document_build_from_string(&config, text, size);
    if (!document || !fy_document_root(document)) {
        failed = explain(diag, path, err);
        if (!failed) {
            *ret_value = NULL;
        }
        return failed;
    }
    return to_json(document, path, ret_value, err);
}

static int add_document(struct json_object *documents, struct fy_document *document,
                        const char *name, struct err *err)
{
    struct json_object *value = NULL;
    int failed = fy_document_root(document) ? to_json(document, name, &value, err) : 0;
    if (!failed && json_object_array_length(documents) == YAML_DOCUMENTS_MAX) {
        failed = err_set(err, E2BIG, "'%s' has more than %d documents", name, YAML_DOCUMENTS_MAX);
    }
    if (failed) {
        (void)json_put(value);
    } else {
        (void)json_object_array_add(documents, value);
    }
    return failed;
}

int yaml_read_documents(struct slice text, const char *name, struct json_object **ret_documents,
                        struct err *err)
{
    if (text.size > YAML_BYTES_MAX) {
        return err_set(err, E2BIG, "'%s' has more than %d bytes", name, YAML_BYTES_MAX);
    }
    CLEANUP(json_put) struct json_object *documents = json_object_new_array();
    CLEANUP(diag_free) struct fy_diag *diag = diag_new();
    struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_RESOLVE_DOCUMENT, .diag = diag};
    CLEANUP(parser_free) struct fy_parser *parser = fy_parser_create(&config);
    int failed = fy_parser_set_string(parser, text.data ? text.data : "", text.size);
    while (!failed) {
        struct fy_document *document = fy_parse_load_document(parser);
        if (!document) {
            break;
        }
        failed = add_document(documents, document, name, err);
        fy_parse_document_destroy(parser, document);
    }
    failed = failed ? failed : explain(diag, name, err);
    if (!failed) {
        *ret_documents = TAKE(documents);
    }
    return failed;
}
