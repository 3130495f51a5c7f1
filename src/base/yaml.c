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

int yaml_read_file(const char *path, struct json_object **ret_value, struct err *err)
{
    CLEANUP(str_free) char *text = NULL;
    size_t size = 0;
    int failed = read_all(path, &text, &size, err);
    if (failed) {
        return failed;
    }
    struct fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    diag_config.fp = NULL;
    CLEANUP(diag_free) struct fy_diag *diag = fy_diag_create(&diag_config);
    fy_diag_set_collect_errors(diag, true);
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
    CLEANUP(str_free)
    char *json = fy_emit_document_to_string(document, FYECF_MODE_JSON_ONELINE | FYECF_WIDTH_INF);
    failed = json ? json_parse(slice_str(json), ret_value, err)
                  : err_set(err, EINVAL, "it has no JSON form");
    return failed ? err_wrap(err, "'%s'", path) : 0;
}
