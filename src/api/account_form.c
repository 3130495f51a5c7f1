#include "api/account_form.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/json.h"

static void complain(struct json_object *errors, const char *name, const char *text)
{
    struct json_object *list = json_object_new_array();
    (void)json_object_array_add(list, json_object_new_string(text));
    json_set(errors, name, list);
}

struct json_object *account_form_error(const char *name, const char *text)
{
    struct json_object *errors = json_object_new_object();
    complain(errors, name, text);
    return errors;
}

/* Characters, not bytes. */
static size_t utf8_length(const char *text)
{
    size_t length = 0;
    for (; *text; text++) {
        length += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return length;
}

static struct slice trim(struct slice text)
{
    while (text.size > 0 && isspace((unsigned char)text.data[0])) {
        text = slice_from(text, 1);
    }
    while (text.size > 0 && isspace((unsigned char)text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* Good enough to catch a slip; the mail that is sent is the real check. */
static bool is_email(const char *text)
{
    const char *at = strrchr(text, '@');
    if (!at || at == text || strchr(text, '@') != at) {
        return false;
    }
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("<>()[],;:\\\"", *c)) {
            return false;
        }
    }
    const char *domain = at + 1;
    size_t size = strlen(domain);
    bool dotted = strchr(domain, '.') || strcasecmp(domain, "localhost") == 0;
    return dotted && size > 0 && domain[0] != '.' && domain[size - 1] != '.' &&
           !strstr(domain, "..");
}

struct text_rule {
    const char *name;
    size_t size; /* of the target, with its zero */
    bool trimmed;
    bool may_be_blank;
};

/* Copies the field into target. False: it is absent, or wrong, which errors tells. */
static bool read_text(struct json_object *body, const struct text_rule *rule, bool required,
                      char *target, struct json_object *errors)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(body, rule->name, &value)) {
        if (required) {
            complain(errors, rule->name, "This field is required.");
        }
        return false;
    }
    if (!value) {
        complain(errors, rule->name, "This field may not be null.");
        return false;
    }
    if (!json_object_is_type(value, json_type_string) &&
        !json_object_is_type(value, json_type_int)) {
        complain(errors, rule->name, "Not a valid string.");
        return false;
    }
    const char *data = json_object_get_string(value);
    size_t size = json_object_is_type(value, json_type_string)
                      ? (size_t)json_object_get_string_len(value)
                      : strlen(data);
    struct slice text = {data, size};
    text = rule->trimmed ? trim(text) : text;
    if (memchr(data, 0, size)) {
        complain(errors, rule->name, "Null characters are not allowed.");
    } else if (text.size == 0 && !rule->may_be_blank) {
        complain(errors, rule->name, "This field may not be blank.");
    } else if (text.size >= rule->size) {
        char sentence[80];
        (void)snprintf(sentence, sizeof(sentence),
                       "Ensure this field has no more than %zu characters.", rule->size - 1);
        complain(errors, rule->name, sentence);
    } else {
        (void)snprintf(target, rule->size, "%.*s", (int)text.size, text.data);
        return true;
    }
    return false;
}

/* true and false, also as text: forms have nothing else. */
static bool read_flag(struct json_object *body, const char *name, bool *target,
                      struct json_object *errors)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(body, name, &value)) {
        return false;
    }
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    if (json_object_is_type(value, json_type_boolean)) {
        *target = json_object_get_boolean(value) != 0;
    } else if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0) {
        *target = strcasecmp(text, "true") == 0;
    } else {
        complain(errors, name, "Must be a valid boolean.");
        return false;
    }
    return true;
}

static const struct text_rule email_rule = {
    .name = "email", .size = STORE_NAME_BYTES_MAX + 1, .trimmed = true};
static const struct text_rule name_rule = {
    .name = "name", .size = STORE_NAME_BYTES_MAX + 1, .trimmed = true, .may_be_blank = true};
static const struct text_rule password_rule = {.name = "password", .size = PASSWORD_BYTES_MAX + 1};

static void lower(char *text)
{
    for (; *text; text++) {
        *text = (char)tolower((unsigned char)*text);
    }
}

static void read_email(struct json_object *body, bool required, struct account_form *form,
                       struct json_object *errors)
{
    if (!read_text(body, &email_rule, required, form->email, errors)) {
        return;
    }
    lower(form->email);
    form->given |= FORM_EMAIL;
    if (!is_email(form->email)) {
        complain(errors, "email", "Enter a valid email address.");
    }
}

static void read_password(struct json_object *body, bool required, struct account_form *form,
                          struct json_object *errors)
{
    if (!read_text(body, &password_rule, required, form->password, errors)) {
        return;
    }
    form->given |= FORM_PASSWORD;
    if (utf8_length(form->password) < PASSWORD_CHARS_MIN) {
        complain(errors, "password", "Ensure this field has at least 8 characters.");
    }
}

static struct json_object *errors_or_null(struct json_object *errors)
{
    return json_object_object_length(errors) > 0 ? errors : json_put(errors);
}

struct json_object *account_form_read(struct json_object *body, unsigned wanted, unsigned required,
                                      struct account_form *ret_form)
{
    struct json_object *errors = json_object_new_object();
    *ret_form = (struct account_form){0};
    if (wanted & FORM_EMAIL) {
        read_email(body, (required & FORM_EMAIL) != 0, ret_form, errors);
    }
    if (wanted & FORM_PASSWORD) {
        read_password(body, (required & FORM_PASSWORD) != 0, ret_form, errors);
    }
    if ((wanted & FORM_NAME) && read_text(body, &name_rule, false, ret_form->name, errors)) {
        ret_form->given |= FORM_NAME;
    }
    if ((wanted & FORM_IS_ACTIVATED) &&
        read_flag(body, "is_activated", &ret_form->is_activated, errors)) {
        ret_form->given |= FORM_IS_ACTIVATED;
    }
    if ((wanted & FORM_IS_SUPERUSER) &&
        read_flag(body, "is_superuser", &ret_form->is_superuser, errors)) {
        ret_form->given |= FORM_IS_SUPERUSER;
    }
    return errors_or_null(errors);
}

struct json_object *account_form_login(struct json_object *body, struct account_form *ret_form)
{
    struct json_object *errors = json_object_new_object();
    *ret_form = (struct account_form){0};
    if (read_text(body, &email_rule, true, ret_form->email, errors)) {
        lower(ret_form->email);
    }
    (void)read_text(body, &password_rule, true, ret_form->password, errors);
    return errors_or_null(errors);
}
