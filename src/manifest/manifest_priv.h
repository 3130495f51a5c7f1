/* Shared by manifest.c (forms), resolve.c (placeholders), own.c (labels) and pod.c (short form). */
#pragma once

struct json_object;

/* Borrowed; NULL when it has none. */
struct json_object *manifest_metadata(const struct json_object *object);

/* The member object of that name, made when there is none; borrowed. */
struct json_object *manifest_child(struct json_object *object, const char *name);
