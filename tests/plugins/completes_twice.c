/* Ends every call twice: first well, then badly. Then emits into it and asks about it, too. */
#include "raw.h"

RAW_INFO("test.completes_twice",
         "{\"queries\":[{\"name\":\"completes_twice.query\",\"reads\":[],\"cache\":false}]}", 0,
         FXC_PROCESSOR, FXC_QUERY_HANDLER);

static void twice(fxc_instance* self, fxc_call call, const fxc_message* const* messages,
                  size_t count) {
    (void)self, (void)messages, (void)count;
    raw_succeed_text(call, "{\"time\":\"first\"}");
    raw_succeed_text(call, "{\"time\":\"second\"}");
    raw_host->call_fail(raw_host, call, FXC_INTERNAL, raw_view("third"), raw_view(""));
    raw_emit(call, "completes_twice.late", "{}");
    if (raw_host->call_info(raw_host, call) != NULL) abort();
}
static const fxc_single single = {sizeof(fxc_single), 0, twice};

static const void* find(fxc_instance* self, const char* id) {
    if (strcmp(id, FXC_PROCESSOR) == 0 || strcmp(id, FXC_QUERY_HANDLER) == 0) return &single;
    return raw_find(self, id);
}
static const fxc_library library = RAW_LIBRARY(find);
RAW_ENTRY(&library);
