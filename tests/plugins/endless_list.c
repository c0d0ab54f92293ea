/* The list of interfaces does not end in NULL. */
#include "raw.h"

static const char* list[4096];
static fxc_plugin_info the_info = {
    sizeof(fxc_plugin_info), 0, "test.endless_list", "1.0.0", list, NULL, NULL, "{}", 0, 0};
static const fxc_plugin_info* raw_info(uint32_t index) {
    static char names[4096][48];
    for (int i = 0; i < 4096; ++i) {
        snprintf(names[i], sizeof names[i], "flexcore.made-up-%d/1", i);
        list[i] = names[i];
    }
    return index == 0 ? &the_info : NULL;
}
static const fxc_library library = RAW_LIBRARY(raw_find);
RAW_ENTRY(&library);
