#include "base/trace_context.h"

#include "base/random.h"

/* Only lower case is allowed. */
static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False also when all bytes are 0: such an id is none. */
static bool read_id(const char *text, unsigned char *id, size_t count)
{
    unsigned any = 0;
    for (size_t i = 0; i < count; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        id[i] = (unsigned char)(high << 4 | low);
        any |= id[i];
    }
    return any != 0;
}

bool trace_context_read(struct trace_context *context, struct slice text)
{
    struct trace_context read = *context;
    unsigned char version, flags;
    if (text.size < TRACE_PARENT_SIZE || text.data[2] != '-' || text.data[35] != '-' ||
        text.data[52] != '-' || !read_id(text.data + 3, read.trace_id, 16) ||
        !read_id(text.data + 36, read.parent_id, 8)) {
        return false;
    }
    bool is_00 = text.data[0] == '0' && text.data[1] == '0';
    if (is_00 ? text.size != TRACE_PARENT_SIZE
              : !read_id(text.data, &version, 1) || version == 0xff ||
                    (text.size > TRACE_PARENT_SIZE && text.data[TRACE_PARENT_SIZE] != '-')) {
        return false;
    }
    if (digit(text.data[53]) < 0 || digit(text.data[54]) < 0) {
        return false;
    }
    flags = (unsigned char)digit(text.data[54]);
    read.sampled = flags & 1;
    read.known = true;
    *context = read;
    return true;
}

static bool is_zero(const unsigned char *id, size_t count)
{
    unsigned any = 0;
    for (size_t i = 0; i < count; i++) {
        any |= id[i];
    }
    return any == 0;
}

static void make_id(unsigned char *id, size_t count, uint64_t *random)
{
    while (is_zero(id, count)) {
        for (size_t i = 0; i < count; i += sizeof(uint64_t)) {
            uint64_t part = random_bits(random);
            memcpy(id + i, &part, sizeof(part));
        }
    }
}

void trace_context_make(struct trace_context *context, uint64_t *random)
{
    make_id(context->trace_id, sizeof(context->trace_id), random);
    make_id(context->span_id, sizeof(context->span_id), random);
    make_id(context->hop_id, sizeof(context->hop_id), random);
    make_id(context->exec_id, sizeof(context->exec_id), random);
    context->known = true;
}

void trace_hex(const unsigned char *bytes, size_t count, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void trace_context_write(const struct trace_context *context, const unsigned char span_id[8],
                         char *text)
{
    memcpy(text, "00-", 3);
    trace_hex(context->trace_id, 16, text + 3);
    text[35] = '-';
    trace_hex(span_id, 8, text + 36);
    memcpy(text + 52, context->sampled ? "-01" : "-00", 3);
}
