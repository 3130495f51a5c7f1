#include "base/err.h"

#include <errno.h>

#include "base/test.h"

static void adds_one_context_a_layer(void)
{
    struct err err = {0};
    EXPECT_INT(err_errno(&err, ENOENT, "cannot open '%s'", "a.yaml"), -ENOENT);
    EXPECT_INT(err_wrap(&err, "cannot load the configuration"), -ENOENT);
    EXPECT_STR(err.text, "cannot load the configuration: cannot open 'a.yaml': "
                         "No such file or directory");
}

static void cuts_a_text_that_is_too_long(void)
{
    struct err err = {0};
    char text[2 * ERR_TEXT_MAX];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    EXPECT_INT(err_set(&err, EINVAL, "%s", text), -EINVAL);
    EXPECT_INT(err_wrap(&err, "outer"), -EINVAL);
    EXPECT_INT(strlen(err.text), ERR_TEXT_MAX - 1);
}

static void may_be_left_out(void)
{
    EXPECT_INT(err_set(NULL, EINVAL, "lost"), -EINVAL);
    EXPECT_INT(err_wrap(NULL, "lost"), -EIO);
}

TEST_MAIN(adds_one_context_a_layer, cuts_a_text_that_is_too_long, may_be_left_out)
