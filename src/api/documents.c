#include "api/documents.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"
#include "loop/job.h"

struct reading {
    struct json_object *files;
    struct json_object *documents;
    documents_fn fn;
    void *arg;
    struct err err;
};

static int add_text(struct reading *reading, struct slice text, const char *name)
{
    CLEANUP(json_put) struct json_object *documents = NULL;
    int failed = yaml_read_documents(text, name, &documents, &reading->err);
    for (size_t i = 0; !failed && i < json_object_array_length(documents); i++) {
        struct json_object *document = json_object_array_get_idx(documents, i);
        if (document) {
            (void)json_object_array_add(reading->documents, json_ref(document));
        }
    }
    return failed;
}

static int add_file(struct reading *reading, const char *path)
{
    struct stat status;
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_errno(&reading->err, errno, "cannot read '%s'", path);
    }
    if (!S_ISREG(status.st_mode) || status.st_size > YAML_BYTES_MAX) {
        return err_set(&reading->err, EINVAL, "'%s' is no file of at most %d bytes", path,
                       YAML_BYTES_MAX);
    }
    CLEANUP(str_free) char *text = xcalloc(1, (size_t)status.st_size + 1);
    ssize_t got = read(fd, text, (size_t)status.st_size);
    return got < 0 ? err_errno(&reading->err, errno, "cannot read '%s'", path)
                   : add_text(reading, (struct slice){text, (size_t)got}, path);
}

static int add_base64(struct reading *reading, const char *base64, const char *name)
{
    size_t size = strlen(base64), used = 0;
    CLEANUP(str_free) char *bytes = xcalloc(1, size + 1);
    if (sodium_base642bin((unsigned char *)bytes, size, base64, size, " \r\n", &used, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        return err_set(&reading->err, EINVAL, "'%s' is no base64", name);
    }
    return add_text(reading, (struct slice){bytes, used}, name);
}

/* A manifest has a colon and an end of line, a path of a file begins with a slash. */
static int add_one(struct reading *reading, struct json_object *file)
{
    if (json_object_is_type(file, json_type_string)) {
        const char *text = json_object_get_string(file);
        return text[0] == '/' ? add_file(reading, text)
                              : add_text(reading, slice_str(text), "the text");
    }
    const char *base64 = json_str(file, "base64"), *text = json_str(file, "text");
    const char *name = json_str(file, "name");
    name = name ? name : "the file";
    return base64 ? add_base64(reading, base64, name)
           : text ? add_text(reading, slice_str(text), name)
                  : err_set(&reading->err, EINVAL,
                            "a file is an absolute path, a text, or an upload with base64");
}

static void work(void *arg)
{
    struct reading *reading = arg;
    int failed = 0;
    if (!json_object_is_type(reading->files, json_type_array)) {
        (void)add_one(reading, reading->files);
        return;
    }
    for (size_t i = 0; !failed && i < json_object_array_length(reading->files); i++) {
        failed = add_one(reading, json_object_array_get_idx(reading->files, i));
    }
}

static void done(void *arg)
{
    struct reading *reading = arg;
    bool well = reading->err.code == 0;
    reading->fn(reading->arg, well ? reading->documents : NULL, well ? NULL : reading->err.text);
    (void)json_put(reading->documents);
    (void)json_put(reading->files);
    free(reading);
}

void documents_read(struct api *api, struct json_object *files, documents_fn fn, void *arg)
{
    struct reading *reading = xcalloc(1, sizeof(*reading));
    *reading = (struct reading){.documents = json_object_new_array(), .fn = fn, .arg = arg};
    if (json_object_deep_copy(files, &reading->files, NULL) < 0) { /* the job's alone */
        abort();
    }
    job_submit(api->jobs, api->loop, work, done, reading);
}
