#include "base/environment.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"

extern char **environ;

char **environment_prepend(const char *variable, const char *value, char **ret_text)
{
    size_t count = 0, size = strlen(variable);
    while (environ[count]) {
        count++;
    }
    char **copy = xcalloc(count + 2, sizeof(char *));
    const char *before = NULL;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], variable, size) == 0 && environ[i][size] == '=') {
            before = environ[i] + size + 1;
        } else {
            copy[used++] = environ[i];
        }
    }
    bool more = before && *before;
    *ret_text = xasprintf("%s=%s%s%s", variable, value, more ? ":" : "", more ? before : "");
    copy[used] = *ret_text;
    return copy;
}
