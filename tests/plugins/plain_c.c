/* Well-behaved, to show that nothing above is needed to load: C11 without the C++ wrapper, an
 * aggregate whose state is bytes (flexcore.aggregate/1), and tables larger than the host knows, as
 * a plugin built for a later minor version has them. It may be unmapped.
 *
 * plain.add {"by": 3} → plain.added {"by": 3}, result {"total": …}; the state is the decimal total.
 * Ten or more at once is refused: "too_much". */
#include "raw.h"

RAW_INFO("test.plain_c",
         "{\"aggregates\":[{\"category\":\"plain\",\"reducer_version\":1,"
         "\"commands\":[{\"type\":\"plain.add\",\"schema\":{\"type\":\"object\","
         "\"required\":[\"by\"],\"properties\":{\"by\":{\"type\":\"integer\"}}}}],"
         "\"events\":[{\"type\":\"plain.added\",\"schema_version\":1}]}]}",
         FXC_REENTRANT | FXC_UNLOADABLE, FXC_AGGREGATE, FXC_PROCESSOR);

static long number_in(fxc_view text) {
    char digits[32] = {0};
    size_t used = 0;
    const char* bytes = text.data;
    for (uint64_t i = 0; i < text.size && used < sizeof digits - 1; ++i)
        if (bytes[i] >= '0' && bytes[i] <= '9') digits[used++] = bytes[i];
    return strtol(digits, NULL, 10);
}
static void decide(fxc_instance* self, fxc_call call, const fxc_message* const* messages,
                   size_t count) {
    (void)self, (void)count;
    const long by = number_in(messages[0]->payload);
    if (by >= 10) {
        raw_host->call_fail(raw_host, call, FXC_REJECTED, raw_view("not so much at once"),
                            raw_view("{\"reason\":\"too_much\",\"limit\":10}"));
        return;
    }
    char text[64];
    snprintf(text, sizeof text, "{\"by\":%ld}", by);
    const fxc_status status = raw_emit(call, "plain.added", text);
    if (status != FXC_OK) {
        raw_host->call_fail(raw_host, call, status, raw_view("the host took no event"),
                            raw_view(""));
        return;
    }
    snprintf(text, sizeof text, "{\"total\":%ld}",
             number_in(raw_host->call_info(raw_host, call)->state) + by);
    raw_succeed_text(call, text);
}
static void evolve(fxc_instance* self, fxc_call call, const fxc_message* const* messages,
                   size_t count) {
    (void)self;
    long total = number_in(raw_host->call_info(raw_host, call)->state);
    for (size_t i = 0; i < count; ++i) total += number_in(messages[i]->payload);
    char text[32];
    snprintf(text, sizeof text, "%ld", total);
    raw_succeed_text(call, text);
}

static const struct {
    fxc_aggregate known;
    void* later[4];
} aggregate = {{sizeof aggregate, 0, decide, evolve}, {NULL, NULL, NULL, NULL}};

static const void* find(fxc_instance* self, const char* id) {
    return strcmp(id, FXC_AGGREGATE) == 0 ? (const void*)&aggregate : raw_find(self, id);
}
static const struct {
    fxc_library known;
    void* later[4];
} library = {{sizeof library, 1, raw_info, raw_open, raw_close, raw_create, raw_destroy, find},
             {NULL, NULL, NULL, NULL}};
RAW_ENTRY(&library.known);
