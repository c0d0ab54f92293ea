// Lets an exception out of its table, which the contract forbids; with the input `release` out of
// the release of its result.
#include <flexcore/plugin_abi.h>

#include <cstring>
#include <stdexcept>
#include <string_view>

namespace {

const fxc_host* host;
int nothing;

void well(fxc_instance*, fxc_call call) { host->call_succeed(host, call, nullptr); }
[[noreturn]] void release(fxc_buffer*) { throw std::runtime_error{"straight through the release"}; }
void handle(fxc_instance*, fxc_call call, const fxc_message* const* messages, std::size_t) {
    const std::string_view input{static_cast<const char*>(messages[0]->payload.data),
                                 messages[0]->payload.size};
    if (input != "release") throw std::runtime_error{"straight through the table"};
    fxc_buffer result{"x", 1, release, nullptr};
    host->call_succeed(host, call, &result);
}
const fxc_lifecycle lifecycle{sizeof(fxc_lifecycle), 0, well, well, well, nullptr, nullptr};
const fxc_single processor{sizeof(fxc_single), 0, handle};

const char* const interfaces[] = {FXC_LIFECYCLE, FXC_PROCESSOR, nullptr};
const fxc_plugin_info the_info{sizeof(fxc_plugin_info),
                               0,
                               "test.throws_through",
                               "1.0.0",
                               interfaces,
                               nullptr,
                               nullptr,
                               nullptr,
                               0,
                               0};

const fxc_plugin_info* info(std::uint32_t index) { return index == 0 ? &the_info : nullptr; }
fxc_status open(const fxc_host* given) {
    host = given;
    return FXC_OK;
}
void close() {}
fxc_status create(std::uint32_t, fxc_view, fxc_instance** out, fxc_buffer*) {
    *out = reinterpret_cast<fxc_instance*>(&nothing);
    return FXC_OK;
}
void destroy(fxc_instance*) {}
const void* find(fxc_instance*, const char* id) {
    if (std::strcmp(id, FXC_LIFECYCLE) == 0) return &lifecycle;
    return std::strcmp(id, FXC_PROCESSOR) == 0 ? &processor : nullptr;
}
const fxc_library library{sizeof(fxc_library), 1, info, open, close, create, destroy, find};

}  // namespace

extern "C" FXC_EXPORT fxc_status flexcore_plugin_negotiate(const fxc_offer*, fxc_answer* answer) {
    answer->major = FXC_ABI_MAJOR;
    answer->library = &library;
    return FXC_OK;
}
