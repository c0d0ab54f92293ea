/* The library table has its full size, but create and find_interface are NULL. */
#include "raw.h"

RAW_INFO("test.null_functions", "{}", 0, FXC_PROCESSOR);
static const fxc_library library = {sizeof(fxc_library), 1,    raw_info,    raw_open,
                                    raw_close,           NULL, raw_destroy, NULL};
RAW_ENTRY(&library);
