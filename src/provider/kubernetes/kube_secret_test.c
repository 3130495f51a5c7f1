#include "provider/kubernetes/kube_secret.h"

#include <errno.h>

#include "base/err.h"
#include "base/test.h"

#define VERSION "client.authentication.k8s.io/v1"
#define HEAD    "{\"apiVersion\":\"" VERSION "\",\"kind\":\"ExecCredential\",\"status\":"

static void reads_a_token_and_until_when_it_is_good(void)
{
    struct kube_secret secret = {0};
    EXPECT_INT(kube_secret_read(SLICE(HEAD "{\"token\":\"t\",\"expirationTimestamp\":"
                                           "\"2026-11-24T12:57:23Z\"}}"),
                                VERSION, &secret, NULL),
               0);
    EXPECT_STR(secret.token, "t");
    EXPECT(secret.certificate == NULL);
    EXPECT_INT(secret.expires_ms, 1795525043000);
    kube_secret_done(&secret);
}

static void reads_a_certificate_with_its_key(void)
{
    struct kube_secret secret = {0};
    EXPECT_INT(
        kube_secret_read(SLICE(HEAD "{\"clientCertificateData\":\"C\",\"clientKeyData\":\"K\"}}"),
                         VERSION, &secret, NULL),
        0);
    EXPECT_STR(secret.certificate, "C");
    EXPECT_STR(secret.key, "K");
    EXPECT_INT(secret.expires_ms, 0);
    kube_secret_done(&secret);
}

static void refuses_what_gives_no_credentials(void)
{
    static const char *const texts[] = {
        "",
        "no json",
        "{}",
        HEAD "{}}",
        HEAD "{\"token\":\"\"}}",
        HEAD "{\"token\":\"a\\r\\nX: y\"}}", /* would be a header of its own */
        HEAD "{\"clientKeyData\":\"K\"}}",
        "{\"apiVersion\":\"other/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\"}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct kube_secret secret = {0};
        struct err err = {0};
        EXPECT_INT(kube_secret_read(slice_str(texts[i]), VERSION, &secret, &err), -EINVAL);
        EXPECT(err.text[0] != '\0');
        EXPECT(secret.token == NULL && secret.key == NULL);
    }
}

static void reads_times_as_kubernetes_writes_them(void)
{
    EXPECT_INT(kube_time_read("1970-01-01T00:00:01Z"), 1000);
    EXPECT_INT(kube_time_read("1970-01-01T00:00:01.250Z"), 1250);
    EXPECT_INT(kube_time_read("1970-01-01T00:00:01.123456789Z"), 1123);
    EXPECT_INT(kube_time_read("1970-01-01T01:00:01+01:00"), 1000);
    EXPECT_INT(kube_time_read("1969-12-31T23:30:01-00:30"), 1000);
    EXPECT_INT(kube_time_read(NULL), 0);
    EXPECT_INT(kube_time_read("tomorrow"), 0);
    EXPECT_INT(kube_time_read("1970-01-01T00:00:01"), 0);
}

TEST_MAIN(reads_a_token_and_until_when_it_is_good, reads_a_certificate_with_its_key,
          refuses_what_gives_no_credentials, reads_times_as_kubernetes_writes_them)
