// counter: the shortest plugin with a command, an event, a read model and a query.
//
//   counter.increment {"by": 2}  →  counter.incremented {"by": 2}  →  counters: {"value": 2}
#include <boost/json.hpp>
#include <flexcore/plugin.hpp>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

namespace fc = flexcore::plugin;
namespace json = boost::json;

// Far below the int64 limit, so that no sum the schema allows can overflow.
constexpr std::int64_t value_max = 1'000'000'000'000'000;

std::int64_t number(std::string_view object, std::string_view field, std::int64_t otherwise) {
    const auto parsed = json::parse(object);
    const auto* value = parsed.as_object().if_contains(field);
    return value == nullptr ? otherwise : value->to_number<std::int64_t>();
}

/// Events can also come from elsewhere than `decide`: what cannot be right is refused, not folded.
std::int64_t sum(std::int64_t value, std::int64_t by) {
    if (by < 0 || by > value_max - value) throw std::out_of_range{"`by` is out of range"};
    return value + by;
}

struct counter_rules {
    struct state {
        std::int64_t value = 0;
    };

    static fc::decision decide(const fc::command& command, const state& now) {
        const auto by = number(command.payload(), "by", 1);
        if (by > value_max - now.value)
            return fc::decision::reject("counter_full", "the counter would pass its limit");
        return fc::decision{}
            .event("counter.incremented", R"({"by":)" + std::to_string(by) + "}")
            .result(R"({"value":)" + std::to_string(now.value + by) + "}");
    }
    static void evolve(state& counted, const fc::event& event) {
        if (event.type() == "counter.incremented")
            counted.value = sum(counted.value, number(event.payload(), "by", 0));
    }
    static std::string snapshot(const state& counted) { return std::to_string(counted.value); }
    static state load(std::string_view snapshot) { return {std::stoll(std::string{snapshot})}; }
};

class counter {
public:
    static void describe(fc::description<counter>& what) {
        what.id = "flexcore.counter";
        what.version = "1.0.0";
        what.reentrant = true;
        what.unloadable = true;

        constexpr auto by = R"({"type":"integer","minimum":1,"maximum":1000000000,"default":1})";
        auto& rules = what.aggregate<counter_rules>("counter");
        rules.command("counter.increment")
            .describe("Adds `by` to the counter; its result is the new value.")
            .schema(std::string{R"({"type":"object","additionalProperties":false,)"} +
                    R"("properties":{"by":)" + by + "}}");
        rules.event("counter.incremented")
            .describe("`by` was added.")
            .schema(std::string{R"({"type":"object","required":["by"],"properties":{"by":)"} + by +
                    "}}");

        what.read_model("counters").indexed({"value"}).describe("The value of each counter.");
        what.projection("counters", &count).types({"counter.incremented"}).writes({"counters"});
        what.query("counter.value", &value)
            .describe("The value of one counter.")
            .params(R"({"type":"object","required":["id"],"additionalProperties":false,)"
                    R"("properties":{"id":{"type":"string","minLength":1,"maxLength":255}}})")
            .reads({"counters"});
    }

    static void count(const fc::event& event, fc::projection_views& views) {
        const auto row = views.get("counters", event.key());
        const auto value =
            sum(row ? number(*row, "value", 0) : 0, number(event.payload(), "by", 0));
        views.put("counters", event.key(), R"({"value":)" + std::to_string(value) + "}");
    }

    static std::optional<std::string> value(const fc::query& query, const fc::views& views) {
        const auto params = json::parse(query.params);
        return views.get("counters", params.at("id").as_string());
    }
};

}  // namespace

FLEXCORE_PLUGIN(counter)
