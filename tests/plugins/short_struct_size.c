/* Its library table says that it ends before the functions of 1.0. */
#include "raw.h"

RAW_INFO("test.short_struct_size", "{}", 0, FXC_PROCESSOR);
static const fxc_library library = {8,         1,          raw_info,    raw_open,
                                    raw_close, raw_create, raw_destroy, raw_find};
RAW_ENTRY(&library);
