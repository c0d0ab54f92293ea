#include "telemetry/log.hpp"
#include "unit/plugin/house.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <fstream>

using namespace flexcore;
using namespace flexcore::plugin;
using flexcore::plugin::testing::house;
using flexcore::plugin::testing::misbehaving;
using flexcore::plugin::testing::must;
using flexcore::plugin::testing::pending;

namespace {

std::string read(const std::filesystem::path& from) {
    std::ifstream in{from};
    return {std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace

TEST_CASE("services: what a plugin logs and measures appears under its name") {
    const auto file = std::filesystem::temp_directory_path() /
                      ("flexcore-plugin-log-" + std::to_string(::getpid()));
    must(telemetry::log_start({.level_min = telemetry::level::info,
                               .format = telemetry::log_format::json,
                               .colour = false,
                               .file = file.native()}));
    {
        house in;
        must(in.load(misbehaving("services")));
        pending<std::string> answer;
        bus::caller who;
        who.tenant = "acme";
        who.principal = "ada";
        who.traceparent = "00-1-2-01";
        in.host->execute("services", who, "text/plain", "hello \xff", no_deadline,
                         answer.callback());
        CHECK(answer.get().value() == "acme|ada|00-1-2-01|services|deadline");
        const std::string metrics = in.metrics.text();
        CHECK(metrics.contains(
            R"(flexcore_plugin_services_inputs_total{kind="plain",plugin="services"} 1)"));
        CHECK(metrics.contains(R"(flexcore_plugin_services_size_bytes_sum{plugin="services"} 7)"));
    }
    telemetry::log_stop();
    const std::string log = read(file);
    CHECK(log.contains(R"("logger":"plugin.services")"));
    CHECK(log.contains(R"("msg":"an input came")"));
    CHECK(log.contains(R"("input":"hello )"));
    CHECK_FALSE(log.contains('\xff'));
    // Nothing a plugin logs takes the place of what the host says.
    CHECK(log.contains(R"("_msg":"not this one","_input":"nor this"})"));
    std::filesystem::remove(file);
}

TEST_CASE("views: a projection puts and removes rows, a query scans them page by page") {
    house in;
    must(in.load(misbehaving("services")));
    for (int i = 1; i <= 5; ++i)
        (void)in.append("item-" + std::to_string(i), "items.put",
                        R"({"n":)" + std::to_string(i) + "}");
    const auto last = in.append("item-3", "items.removed", "{}");
    const auto first =
        in.query("items.scan", R"({"where":{"n":{"ge":2}},"order":["-n"],"limit":2})", last);
    must(first);
    CHECK(first->starts_with(R"(["5{\"n\":5} 4{\"n\":4} ",)"));
    CHECK_FALSE(first->ends_with(R"(,""])"));
    const auto cursor = first->substr(first->find(",\"") + 2);
    const auto rest = in.query("items.scan",
                               R"({"where":{"n":{"ge":2}},"order":["-n"],"limit":2,"after":")" +
                                   cursor.substr(0, cursor.size() - 2) + R"("})",
                               last);
    must(rest);
    CHECK(*rest == R"(["2{\"n\":2} ",""])");
    const auto wrong = in.query("items.scan", R"({"where":{"unknown":{"eq":1}}})", last);
    REQUIRE_FALSE(wrong.has_value());
}
