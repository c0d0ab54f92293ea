/* The library table has its full size, but two functions point into data and nowhere. */
#include "raw.h"

RAW_INFO("test.wild_pointers", "{}", 0, FXC_PROCESSOR);
static int no_code[4];
static fxc_library library = RAW_LIBRARY(raw_find);

fxc_status flexcore_plugin_negotiate(const fxc_offer* offer, fxc_answer* answer) {
    (void)offer;
    const uintptr_t data = (uintptr_t)no_code;
    const uintptr_t nowhere = 64;
    memcpy(&library.create, &data, sizeof data);
    memcpy(&library.destroy, &nowhere, sizeof nowhere);
    answer->major = FXC_ABI_MAJOR;
    answer->library = &library;
    return FXC_OK;
}
