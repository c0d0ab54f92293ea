/* Agrees to everything and gives no table. */
#include "raw.h"

fxc_status flexcore_plugin_negotiate(const fxc_offer* offer, fxc_answer* answer) {
    (void)offer;
    answer->major = FXC_ABI_MAJOR;
    answer->minor_needed = 0;
    answer->library = NULL;
    return FXC_OK;
}
