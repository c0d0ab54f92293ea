/* Refuses to be created, with a text for the operator. */
#include "raw.h"

RAW_INFO("test.create_fails", "{}", 0, FXC_PROCESSOR);

static fxc_status create(uint32_t index, fxc_view config, fxc_instance** out,
                         fxc_buffer* error_out) {
    (void)index, (void)config, (void)out;
    *error_out = raw_copy("the licence has run out", strlen("the licence has run out"));
    return FXC_UNAVAILABLE;
}
static const fxc_library library = {sizeof(fxc_library), 1,      raw_info,    raw_open,
                                    raw_close,           create, raw_destroy, raw_find};
RAW_ENTRY(&library);
