// The binary layout of flexcore/plugin_abi.h, as it was released: a plugin that was built against
// an earlier header must find every field where it was. New fields go to the end of a table: a line
// more here, and a larger size; no other number may ever change within a major version.
#include <flexcore/plugin_abi.h>
#include <catch2/catch.hpp>

#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

namespace {

struct place {
    const char* field;
    std::size_t is, was;
};

#define AT(table, field, offset) \
    place { #table "." #field, offsetof(table, field), offset }
#define SIZE(table, bytes) \
    place { "sizeof " #table, sizeof(table), bytes }

const std::vector<place> layout{
    SIZE(fxc_view, 16),
    AT(fxc_view, data, 0),
    AT(fxc_view, size, 8),
    SIZE(fxc_field, 32),
    AT(fxc_field, key, 0),
    AT(fxc_field, value, 16),
    SIZE(fxc_buffer, 32),
    AT(fxc_buffer, data, 0),
    AT(fxc_buffer, size, 8),
    AT(fxc_buffer, release, 16),
    AT(fxc_buffer, owner, 24),
    SIZE(fxc_message, 144),
    AT(fxc_message, struct_size, 0),
    AT(fxc_message, flags, 4),
    AT(fxc_message, type, 8),
    AT(fxc_message, id, 24),
    AT(fxc_message, stream, 40),
    AT(fxc_message, content_type, 56),
    AT(fxc_message, metadata, 72),
    AT(fxc_message, payload, 88),
    AT(fxc_message, version, 104),
    AT(fxc_message, position, 112),
    AT(fxc_message, time_unix_us, 120),
    AT(fxc_message, schema_version, 128),
    AT(fxc_message, tag_count, 132),
    AT(fxc_message, tags, 136),
    SIZE(fxc_call_info, 112),
    AT(fxc_call_info, struct_size, 0),
    AT(fxc_call_info, attempt, 4),
    AT(fxc_call_info, deadline_ns, 8),
    AT(fxc_call_info, idempotency_key, 16),
    AT(fxc_call_info, tenant, 32),
    AT(fxc_call_info, principal, 48),
    AT(fxc_call_info, traceparent, 64),
    AT(fxc_call_info, state, 80),
    AT(fxc_call_info, target, 96),
    SIZE(fxc_host, 64),
    AT(fxc_host, struct_size, 0),
    AT(fxc_host, abi_minor, 4),
    AT(fxc_host, ctx, 8),
    AT(fxc_host, call_info, 16),
    AT(fxc_host, call_cancelled, 24),
    AT(fxc_host, call_emit, 32),
    AT(fxc_host, call_succeed, 40),
    AT(fxc_host, call_fail, 48),
    AT(fxc_host, service, 56),
    SIZE(fxc_log, 16),
    AT(fxc_log, struct_size, 0),
    AT(fxc_log, level_min, 4),
    AT(fxc_log, write, 8),
    SIZE(fxc_metrics, 24),
    AT(fxc_metrics, struct_size, 0),
    AT(fxc_metrics, reserved, 4),
    AT(fxc_metrics, define, 8),
    AT(fxc_metrics, record, 16),
    SIZE(fxc_bus, 16),
    AT(fxc_bus, struct_size, 0),
    AT(fxc_bus, reserved, 4),
    AT(fxc_bus, send, 8),
    SIZE(fxc_views, 40),
    AT(fxc_views, struct_size, 0),
    AT(fxc_views, reserved, 4),
    AT(fxc_views, get, 8),
    AT(fxc_views, put, 16),
    AT(fxc_views, remove, 24),
    AT(fxc_views, scan, 32),
    SIZE(fxc_lifecycle, 48),
    AT(fxc_lifecycle, struct_size, 0),
    AT(fxc_lifecycle, reserved, 4),
    AT(fxc_lifecycle, start, 8),
    AT(fxc_lifecycle, drain, 16),
    AT(fxc_lifecycle, health, 24),
    AT(fxc_lifecycle, cancel, 32),
    AT(fxc_lifecycle, reconfigure, 40),
    SIZE(fxc_single, 16),
    AT(fxc_single, struct_size, 0),
    AT(fxc_single, reserved, 4),
    AT(fxc_single, handle, 8),
    SIZE(fxc_connector, 24),
    AT(fxc_connector, struct_size, 0),
    AT(fxc_connector, batch_max, 4),
    AT(fxc_connector, read, 8),
    AT(fxc_connector, write, 16),
    SIZE(fxc_aggregate, 24),
    AT(fxc_aggregate, struct_size, 0),
    AT(fxc_aggregate, reserved, 4),
    AT(fxc_aggregate, decide, 8),
    AT(fxc_aggregate, evolve, 16),
    SIZE(fxc_aggregate_native, 48),
    AT(fxc_aggregate_native, struct_size, 0),
    AT(fxc_aggregate_native, reserved, 4),
    AT(fxc_aggregate_native, load, 8),
    AT(fxc_aggregate_native, release, 16),
    AT(fxc_aggregate_native, decide, 24),
    AT(fxc_aggregate_native, evolve, 32),
    AT(fxc_aggregate_native, snapshot, 40),
    SIZE(fxc_projection, 16),
    AT(fxc_projection, struct_size, 0),
    AT(fxc_projection, batch_max, 4),
    AT(fxc_projection, apply, 8),
    SIZE(fxc_workflow_step, 24),
    AT(fxc_workflow_step, struct_size, 0),
    AT(fxc_workflow_step, reserved, 4),
    AT(fxc_workflow_step, execute, 8),
    AT(fxc_workflow_step, compensate, 16),
    SIZE(fxc_plugin_info, 64),
    AT(fxc_plugin_info, struct_size, 0),
    AT(fxc_plugin_info, flags, 4),
    AT(fxc_plugin_info, id, 8),
    AT(fxc_plugin_info, version, 16),
    AT(fxc_plugin_info, interfaces, 24),
    AT(fxc_plugin_info, capabilities, 32),
    AT(fxc_plugin_info, config_schema, 40),
    AT(fxc_plugin_info, catalogue, 48),
    AT(fxc_plugin_info, in_flight_max, 56),
    AT(fxc_plugin_info, reserved, 60),
    SIZE(fxc_library, 56),
    AT(fxc_library, struct_size, 0),
    AT(fxc_library, plugin_count, 4),
    AT(fxc_library, info, 8),
    AT(fxc_library, open, 16),
    AT(fxc_library, close, 24),
    AT(fxc_library, create, 32),
    AT(fxc_library, destroy, 40),
    AT(fxc_library, find_interface, 48),
    SIZE(fxc_offer, 32),
    AT(fxc_offer, struct_size, 0),
    AT(fxc_offer, magic, 4),
    AT(fxc_offer, major_min, 8),
    AT(fxc_offer, major_max, 12),
    AT(fxc_offer, minor, 16),
    AT(fxc_offer, reserved, 20),
    AT(fxc_offer, host_version, 24),
    SIZE(fxc_answer, 32),
    AT(fxc_answer, struct_size, 0),
    AT(fxc_answer, major, 4),
    AT(fxc_answer, minor_needed, 8),
    AT(fxc_answer, reserved, 12),
    AT(fxc_answer, library, 16),
    AT(fxc_answer, error, 24),
};

#undef AT
#undef SIZE

static_assert(sizeof(void*) == 8, "the layout is that of 64 bits");
static_assert(std::is_same_v<fxc_status, std::int32_t> && std::is_same_v<fxc_call, std::uint64_t>);

}  // namespace

TEST_CASE("abi: every released field stands where it was") {
    for (const auto& each : layout) {
        INFO(each.field);
        CHECK(each.is == each.was);
    }
}

TEST_CASE("abi: released numbers and names mean what they meant") {
    CHECK(FXC_ABI_MAGIC == 0x46584331u);
    CHECK(FXC_ABI_MAJOR == 1u);
    CHECK(std::vector<int>{FXC_OK, FXC_INVALID, FXC_NOT_FOUND, FXC_CONFLICT, FXC_DENIED,
                           FXC_UNSUPPORTED, FXC_BUSY, FXC_TIMEOUT, FXC_CANCELLED, FXC_UNAVAILABLE,
                           FXC_INTERNAL,
                           FXC_REJECTED} == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    CHECK(std::vector<int>{FXC_TRACE, FXC_DEBUG, FXC_INFO, FXC_WARN, FXC_ERROR} ==
          std::vector<int>{0, 1, 2, 3, 4});
    CHECK(std::vector<int>{FXC_COUNTER, FXC_GAUGE, FXC_HISTOGRAM} == std::vector<int>{0, 1, 2});
    CHECK(std::vector<int>{FXC_REENTRANT, FXC_UNLOADABLE, FXC_ISOLATE} ==
          std::vector<int>{1, 2, 4});
    CHECK(std::vector<std::string>{FXC_ENTRY_SYMBOL, FXC_LIFECYCLE, FXC_PROCESSOR,
                                   FXC_QUERY_HANDLER, FXC_AGGREGATE, FXC_AGGREGATE_NATIVE,
                                   FXC_PROJECTION} ==
          std::vector<std::string>{"flexcore_plugin_negotiate", "flexcore.lifecycle/1",
                                   "flexcore.processor/1", "flexcore.query-handler/1",
                                   "flexcore.aggregate/1", "flexcore.aggregate-native/1",
                                   "flexcore.projection/1"});
}
