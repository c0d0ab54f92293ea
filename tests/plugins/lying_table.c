/* Its interface tables claim their full size, but the handlers behind them are NULL. */
#include "raw.h"

RAW_INFO("test.lying_table",
         "{\"aggregates\":[{\"category\":\"lying\",\"reducer_version\":1,"
         "\"commands\":[{\"type\":\"lying.do\"}],\"events\":[]}]}",
         0, FXC_AGGREGATE_NATIVE, FXC_PROCESSOR);

static const fxc_aggregate_native aggregate = {
    sizeof(fxc_aggregate_native), 0, NULL, NULL, NULL, NULL, NULL};
static const fxc_single processor = {sizeof(fxc_single), 0, NULL};

static const void* find(fxc_instance* self, const char* id) {
    if (strcmp(id, FXC_AGGREGATE_NATIVE) == 0) return &aggregate;
    if (strcmp(id, FXC_PROCESSOR) == 0) return &processor;
    return raw_find(self, id);
}
static const fxc_library library = RAW_LIBRARY(find);
RAW_ENTRY(&library);
