// plugin.hpp against a fake host: what an aggregate, its tables and its life promise.
#include "unit/sdk/loaded_plugin.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <flexcore/plugin.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace fc = flexcore::plugin;
namespace json = boost::json;
using flexcore::test::fake_host;
using flexcore::test::loaded_plugin;

namespace {

struct till_rules {
    struct state {
        long long total = 0;
    };
    static fc::decision decide(const fc::command& command, const state& now) {
        if (command.type() == "till.throw") throw std::runtime_error{"out of order"};
        if (command.type() == "till.throw_int") throw 42;
        if (command.type() == "till.busy") throw fc::failure{FXC_BUSY, "come back later"};
        if (command.type() == "till.many") {
            fc::decision many;
            for (int i = 0; i < 5; ++i) many.event("till.filled", "1");
            return many;
        }
        if (command.type() == "till.shrug") return fc::decision::reject("", "no reason given");
        if (command.type() == "till.look") return fc::decision{}.result(std::to_string(now.total));
        if (now.total == 0 && command.type() == "till.empty")
            return fc::decision::reject("till_\"empty\"", "there is nothing in it");
        return fc::decision{}
            .event("till.filled", std::string{command.payload()},
                   {"till:" + std::string{command.key()}, "b"}, 3)
            .event("till.closed", "{}")
            .result("{\"done\":true}");
    }
    static void evolve(state& now, const fc::event& event) {
        if (event.type() == "till.filled") now.total += std::stoll(std::string{event.payload()});
    }
    static std::string snapshot(const state& now) { return std::to_string(now.total); }
    static state load(std::string_view text) { return {std::stoll(std::string{text})}; }
};

/// Decides on a thread of its own and knows its plugin.
struct slow_till {
    template <class Plugin>
    struct rules {
        using state = till_rules::state;
        static void decide(const Plugin& plugin, const fc::command& command, const state&,
                           fc::completion& done) {
            if (command.type() == "slow.throw") throw std::runtime_error{"before the thread"};
            plugin.later(
                [event = std::string{command.payload()}, done = std::move(done)]() mutable {
                    done.emit({"slow.done", event, {}, 1});
                    done.succeed("{\"thread\":\"another\"}");
                });
        }
        static void evolve(state&, const fc::event&) {}
        static std::string snapshot(const state&) { return "{}"; }
        static state load(std::string_view) { return {}; }
    };
};

class till {
public:
    explicit till(const fc::host& host, std::string_view config) : host_{host}, config_{config} {
        if (config.find("broken") != std::string_view::npos)
            throw std::runtime_error{"the configuration is broken"};
    }
    static void describe(fc::description<till>& what) {
        what.id = "test.till";
        what.version = "1.2.3";
        what.config_schema = R"({"type":"object","properties":{"currency":{}}})";
        what.capabilities = {"bus.send"};
        what.in_flight_max = 7;
        what.projection_batch_max = 250;
        what.reentrant = true;
        auto& rules = what.aggregate<till_rules>("till", 4);
        rules.command("till.fill").describe("Fills \"it\".\n").schema(R"({"type":"integer"})");
        rules.event("till.filled", 3);
        what.aggregate<slow_till::rules<till>>("slow").command("slow.do");
        what.read_model("tills").indexed({"total"}).describe("The tills.");
        what.projection(
                "tills", [](const fc::event&, fc::projection_views&) {}, 2)
            .types({"till.filled"})
            .categories({"till"})
            .tags({"b"})
            .writes({"tills"})
            .inline_mode();
        what.query("till.total", [](const fc::query&, const fc::views&) { return std::string{}; })
            .params("{}")
            .reads({"tills"})
            .varies_by_principal()
            .uncached();
    }
    void start() {
        if (config_.find("no start") != std::string::npos)
            throw fc::failure{FXC_UNAVAILABLE, "cannot start"};
        host_.log(fc::level::info, "started", {{"config", config_}});
        host_.log(fc::level::trace, "not written: below the host's level");
        const auto starts = host_.counter("starts", "", "How often it started.");
        starts.record(1);
        starts.record(2, {{"label", "x"}});
        const auto refused = host_.gauge("", "", "has no name");
        refused.record(1);
    }
    void drain() {
        if (thread_.joinable()) thread_.join();
    }
    std::string health() const {
        if (config_.find("ill") != std::string::npos) return "the drawer is stuck";
        return {};
    }
    void reconfigure(std::string_view config) { config_ = config; }

    template <class Work>
    void later(Work work) const {
        thread_ = std::thread{std::move(work)};
    }

private:
    fc::host host_;
    std::string config_;
    mutable std::thread thread_;
};

struct till_tag {
    using plugin = till;
};
constexpr auto entry = &fc::detail::library<till_tag>::negotiate;

}  // namespace

TEST_CASE("negotiate: only a host of this ABI gets the table") {
    fxc_offer offer{sizeof offer, FXC_ABI_MAGIC, 1, 1, 0, 0, "test"};
    fxc_answer answer{};
    answer.struct_size = sizeof answer;

    REQUIRE(entry(&offer, &answer) == FXC_OK);
    CHECK(answer.major == 1);
    CHECK(answer.minor_needed == 0);
    REQUIRE(answer.library != nullptr);
    CHECK(answer.library->struct_size == sizeof(fxc_library));
    CHECK(answer.library->plugin_count == 1);

    SECTION("a wider range of majors is fine") {
        offer.major_max = 9;
        CHECK(entry(&offer, &answer) == FXC_OK);
    }
    SECTION("another magic") {
        offer.magic = 1;
        CHECK(entry(&offer, &answer) == FXC_INVALID);
        CHECK(answer.library == nullptr);
        CHECK(std::string{answer.error} == "this is not a FlexCore host");
    }
    SECTION("a future major only") {
        offer.major_min = offer.major_max = 2;
        CHECK(entry(&offer, &answer) == FXC_UNSUPPORTED);
        CHECK(answer.library == nullptr);
    }
    SECTION("an answer without room is not written to") {
        answer.struct_size = 8;
        answer.major = 77;
        CHECK(entry(&offer, &answer) == FXC_INVALID);
        CHECK(answer.major == 77);
    }
    SECTION("a host without its functions is not opened") {
        fake_host host;
        auto shorter = *host.raw();
        shorter.struct_size = 16;
        CHECK(answer.library->open(&shorter) == FXC_UNSUPPORTED);
        CHECK(answer.library->open(nullptr) == FXC_UNSUPPORTED);
    }
}

TEST_CASE("info: says what describe said") {
    loaded_plugin plugin{entry};
    const auto& info = plugin.info();
    CHECK(std::string{info.id} == "test.till");
    CHECK(std::string{info.version} == "1.2.3");
    CHECK(info.flags == FXC_REENTRANT);
    CHECK(info.in_flight_max == 7);
    CHECK(std::string{info.config_schema}.find("currency") != std::string::npos);
    CHECK(std::string{info.capabilities[0]} == "bus.send");
    CHECK(info.capabilities[1] == nullptr);

    std::vector<std::string> interfaces;
    for (auto each = info.interfaces; *each != nullptr; ++each) {
        interfaces.emplace_back(*each);
        CHECK(plugin.find<void>(*each) != nullptr);
    }
    CHECK(interfaces == std::vector<std::string>{FXC_LIFECYCLE, FXC_AGGREGATE_NATIVE,
                                                 FXC_PROJECTION, FXC_QUERY_HANDLER});
    CHECK(plugin.find<void>(FXC_PROCESSOR) == nullptr);
    CHECK(plugin.find<void>("flexcore.unheard-of/1") == nullptr);
    CHECK(plugin.find<fxc_projection>(FXC_PROJECTION)->batch_max == 250);

    CHECK(json::parse(info.catalogue) == json::parse(R"({
        "aggregates": [
            {"category": "till", "reducer_version": 4,
             "commands": [{"type": "till.fill", "description": "Fills \"it\".\n",
                           "schema": {"type": "integer"}}],
             "events": [{"type": "till.filled", "schema_version": 3}]},
            {"category": "slow", "reducer_version": 1,
             "commands": [{"type": "slow.do"}], "events": []}],
        "projections": [
            {"name": "tills", "version": 2, "mode": "inline", "writes": ["tills"],
             "selector": {"types": ["till.filled"], "categories": ["till"], "tags": ["b"]}}],
        "read_models": [{"name": "tills", "indexed": ["total"], "description": "The tills."}],
        "queries": [{"name": "till.total", "schema": {}, "reads": ["tills"],
                     "varies_by": ["principal"], "cache": false}]})"));
}

TEST_CASE("life: constructor, start, health, reconfigure and drain are the class's own") {
    SECTION("all well") {
        loaded_plugin plugin{entry, R"({"currency":"GBP"})"};
        REQUIRE(plugin.host.log.size() == 1);
        CHECK(plugin.host.log[0].level == FXC_INFO);
        CHECK(plugin.host.log[0].text == "started");
        CHECK(plugin.host.log[0].fields.at("config") == R"({"currency":"GBP"})");
        CHECK(plugin.host.metrics == std::map<std::string, double>{{"starts", 3.0}});
        CHECK(plugin.health().status == FXC_OK);

        const std::string config = "ill";
        const auto* life = plugin.find<fxc_lifecycle>(FXC_LIFECYCLE);
        const auto changed = plugin.host.run({}, [&](fxc_call call) {
            life->reconfigure(plugin.instance(), call, {config.data(), config.size()});
        });
        CHECK(changed.status == FXC_OK);
        const auto ill = plugin.health();
        CHECK(ill.status == FXC_UNAVAILABLE);
        CHECK(ill.message == "the drawer is stuck");
        CHECK(life->cancel == nullptr);
    }
    SECTION("a constructor that throws refuses, with its text") {
        CHECK_THROWS_WITH((loaded_plugin{entry, "broken"}), "the configuration is broken");
    }
    SECTION("a start that throws refuses, with its text") {
        CHECK_THROWS_WITH((loaded_plugin{entry, "no start"}), "cannot start");
    }
}

TEST_CASE("aggregate: events, tags and result of a decision reach the host") {
    loaded_plugin plugin{entry};
    const auto sold = plugin.send("till", "7", "till.fill", "5");
    REQUIRE(sold.status == FXC_OK);
    CHECK(sold.result == R"({"done":true})");
    REQUIRE(sold.events.size() == 2);
    CHECK(sold.events[0].type == "till.filled");
    CHECK(sold.events[0].data == "5");
    CHECK(sold.events[0].tags == std::vector<std::string>{"till:7", "b"});
    CHECK(sold.events[0].schema_version == 3);
    CHECK(sold.events[1].type == "till.closed");
    CHECK(sold.events[1].tags.empty());

    plugin.send("till", "7", "till.fill", "37");
    CHECK(plugin.send("till", "7", "till.look", "{}").result == "42");
    CHECK(plugin.send("till", "8", "till.look", "{}").result == "0");
}

TEST_CASE("aggregate: a refusal carries its reason and writes nothing") {
    loaded_plugin plugin{entry};
    const auto refused = plugin.send("till", "7", "till.empty", "{}");
    CHECK(refused.status == FXC_REJECTED);
    CHECK(refused.message == "there is nothing in it");
    CHECK(json::parse(refused.problem) == json::parse(R"({"reason":"till_\"empty\""})"));
    CHECK(refused.events.empty());
}

TEST_CASE("aggregate: a refusal without a reason is no acceptance") {
    loaded_plugin plugin{entry};
    const auto refused = plugin.send("till", "7", "till.shrug", "{}");
    CHECK(refused.status != FXC_OK);
    CHECK(refused.events.empty());
}

TEST_CASE("aggregate: what decide throws fails the command and does not cross") {
    loaded_plugin plugin{entry};
    const auto thrown = plugin.send("till", "7", "till.throw", "{}");
    CHECK(thrown.status == FXC_INTERNAL);
    CHECK(thrown.message == "out of order");
    CHECK(plugin.send("till", "7", "till.throw_int", "{}").message == "unknown exception");
    CHECK(plugin.send("till", "7", "till.busy", "{}").status == FXC_BUSY);
    plugin.host.events_max = 3;
    const auto flooded = plugin.send("till", "7", "till.many", "{}");
    CHECK(flooded.status == FXC_BUSY);
    CHECK(plugin.log.empty());
    CHECK(plugin.host.stale_uses == 0);
}

TEST_CASE("aggregate: a snapshot stands for the events before it") {
    loaded_plugin plugin{entry};
    plugin.send("till", "7", "till.fill", "30");
    CHECK(plugin.snapshot_of("till", "7") == "30");
    CHECK(plugin.snapshot_of("till", "7", "12") == "12");
    CHECK_THROWS(plugin.snapshot_of("till", "7", "not a number"));
}

TEST_CASE("aggregate: events that do not fold, and unknown categories, are errors with a text") {
    loaded_plugin plugin{entry};
    plugin.append("till-7", "till.filled", "not a number");
    CHECK_FALSE(plugin.fold_error("till", "7").empty());
    CHECK(plugin.fold_error("till", "8").empty());
    CHECK(plugin.fold_error("unheard-of", "8") == "no aggregate unheard-of");
}

TEST_CASE("aggregate: decide may answer later, from another thread") {
    loaded_plugin plugin{entry};
    const auto answer = plugin.send("slow", "1", "slow.do", "{\"n\":1}");
    CHECK(answer.status == FXC_OK);
    CHECK(answer.result == R"({"thread":"another"})");
    REQUIRE(answer.events.size() == 1);
    CHECK(answer.events[0].data == "{\"n\":1}");
    plugin.drain();
    CHECK(plugin.send("slow", "1", "slow.throw", "{}").message == "before the thread");
    CHECK(plugin.host.stale_uses == 0);
}

TEST_CASE("completion: ends its call exactly once") {
    fake_host host;
    SECTION("dropped, it fails the call") {
        const auto dropped =
            host.run({}, [&](fxc_call call) { const fc::completion forgotten{host.raw(), call}; });
        CHECK(dropped.status == FXC_INTERNAL);
        CHECK(dropped.message == "handler dropped the call");
    }
    SECTION("the first answer counts, later ones are not sent") {
        const auto first = host.run({}, [&](fxc_call call) {
            fc::completion done{host.raw(), call};
            done.succeed("one");
            done.succeed("two");
            done.succeed();
            done.fail(FXC_INTERNAL, "three");
            CHECK_FALSE(done.open());
        });
        CHECK(first.result == "one");
    }
    SECTION("moved, only the new one answers") {
        const auto moved = host.run({}, [&](fxc_call call) {
            fc::completion done{host.raw(), call};
            fc::completion taken{std::move(done)};
            CHECK(taken.open());
            taken.fail(FXC_NOT_FOUND, "nowhere", "{\"looked\":1}");
        });
        CHECK(moved.status == FXC_NOT_FOUND);
        CHECK(moved.message == "nowhere");
        CHECK(moved.problem == "{\"looked\":1}");
    }
    CHECK(host.stale_uses == 0);
}

TEST_CASE("call: tells about itself, and nothing after its end") {
    fake_host host;
    const auto handle = host.begin({"the.target", "acme"});
    const fc::call call{host.raw(), handle};
    CHECK(call.target() == "the.target");
    CHECK(call.tenant() == "acme");
    CHECK(call.principal() == "somebody");
    CHECK(call.idempotency_key().empty());
    CHECK(call.deadline_ns() == 0);
    CHECK_FALSE(call.cancelled());
    host.cancel(handle);
    CHECK(call.cancelled());
    fc::completion{host.raw(), handle}.succeed();
    CHECK(call.target().empty());
    CHECK(call.cancelled());
    CHECK(host.end(handle).status == FXC_OK);
}
