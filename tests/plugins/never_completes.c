/* Takes every call and never ends it. Health and lifecycle are fine. */
#include "raw.h"

RAW_INFO("test.never_completes",
         "{\"aggregates\":[{\"category\":\"never\",\"reducer_version\":1,"
         "\"commands\":[{\"type\":\"never.do\"}],\"events\":[]}],"
         "\"projections\":[{\"name\":\"never\",\"version\":1,"
         "\"selector\":{\"types\":[\"never.happened\"]},\"writes\":[\"never_rows\"]}],"
         "\"read_models\":[{\"name\":\"never_rows\",\"indexed\":[]}],"
         "\"queries\":[{\"name\":\"never.query\",\"reads\":[]}]}",
         0, FXC_AGGREGATE, FXC_PROJECTION, FXC_QUERY_HANDLER, FXC_PROCESSOR);

static void never(fxc_instance* self, fxc_call call, const fxc_message* const* messages,
                  size_t count) {
    (void)self, (void)call, (void)messages, (void)count;
}
static const fxc_single single = {sizeof(fxc_single), 0, never};
static const fxc_aggregate aggregate = {sizeof(fxc_aggregate), 0, never, never};
static const fxc_projection projection = {sizeof(fxc_projection), 0, never};

static const void* find(fxc_instance* self, const char* id) {
    if (strcmp(id, FXC_PROCESSOR) == 0 || strcmp(id, FXC_QUERY_HANDLER) == 0) return &single;
    if (strcmp(id, FXC_AGGREGATE) == 0) return &aggregate;
    if (strcmp(id, FXC_PROJECTION) == 0) return &projection;
    return raw_find(self, id);
}
static const fxc_library library = RAW_LIBRARY(find);
RAW_ENTRY(&library);
