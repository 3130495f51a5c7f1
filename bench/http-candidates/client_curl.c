/* libcurl's easy interface on one kept connection, nothing set that costs. Argument: port. */
#include "calls.h"

#include <curl/curl.h>

static size_t take(char *data, size_t size, size_t count, void *arg)
{
    (void)data, (void)arg;
    return size * count;
}

int main(int argc, char **argv)
{
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%s/echo/", argc > 1 ? argv[1] : "80");
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, BODY);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    long status;
    do {
        call_sent();
        CURLcode code = curl_easy_perform(curl);
        if (code != CURLE_OK) {
            fprintf(stderr, "%s\n", curl_easy_strerror(code));
            return 1;
        }
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    } while (call_answered(status));
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return 0;
}
