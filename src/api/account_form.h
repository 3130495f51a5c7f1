/* What a client sends about an account, checked: the fields and the original's sentences about what
 * is wrong with them. Pure. */
#pragma once

#include <stdbool.h>

#include "api/password.h"
#include "store/store.h"

struct json_object;

enum { /* bits of fields */
       FORM_EMAIL = 1,
       FORM_PASSWORD = 2,
       FORM_NAME = 4,
       FORM_IS_ACTIVATED = 8,
       FORM_IS_SUPERUSER = 16,
};

struct account_form {
    unsigned given;                       /* bits: which fields were sent */
    char email[STORE_NAME_BYTES_MAX + 1]; /* lower case */
    char name[STORE_NAME_BYTES_MAX + 1];
    char password[PASSWORD_BYTES_MAX + 1];
    bool is_activated;
    bool is_superuser;
};

/* Reads the fields that are in wanted (bits) from body; those in required must be there. Returns
 * NULL, or what is wrong: {"email": ["This field is required."]}, owned by the caller. */
struct json_object *account_form_read(struct json_object *body, unsigned wanted, unsigned required,
                                      struct account_form *ret_form);

/* As account_form_read of e-mail and password for a login: they need only be there. */
struct json_object *account_form_login(struct json_object *body, struct account_form *ret_form);

/* {NAME: [TEXT]}; owned by the caller. */
struct json_object *account_form_error(const char *name, const char *text);
