/* Lists interfaces that find_interface then does not have. */
#include "raw.h"

RAW_INFO("test.missing_interface", "{\"queries\":[{\"name\":\"missing.query\",\"reads\":[]}]}", 0,
         FXC_PROCESSOR, FXC_QUERY_HANDLER);

static const void* find(fxc_instance* self, const char* id) {
    return strcmp(id, FXC_LIFECYCLE) == 0 ? raw_find(self, id) : NULL;
}
static const fxc_library library = RAW_LIBRARY(find);
RAW_ENTRY(&library);
