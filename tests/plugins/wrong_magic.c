/* Built for another kind of host: it expects another magic and so refuses ours. */
#include "raw.h"

fxc_status flexcore_plugin_negotiate(const fxc_offer* offer, fxc_answer* answer) {
    if (offer->magic != 0x58585858u) {
        answer->error = "this plugin is for another host";
        return FXC_INVALID;
    }
    return FXC_OK;
}
