/* The environment of a child process. */
#pragma once

/* A copy of ours in which the path list variable begins with value. The array is the caller's, its
 * texts are borrowed but for *ret_text, which is the caller's too. */
char **environment_prepend(const char *variable, const char *value, char **ret_text);
