// plugin.hpp against a fake host: processors, projections, queries and their views.
#include "unit/sdk/loaded_plugin.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <flexcore/plugin.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

namespace fc = flexcore::plugin;
namespace json = boost::json;
using flexcore::test::loaded_plugin;

namespace {

/// Sums notes by stream, one row per event; and, batch-wise, all of them.
class ledger {
public:
    static void describe(fc::description<ledger>& what) {
        what.id = "test.ledger";
        what.version = "1.0.0";
        what.read_model("notes").indexed({"sum"});
        what.read_model("total");
        what.projection("notes", &ledger::note).writes({"notes"});
        what.batch_projection<totals>("totals").writes({"total"});
        what.query("ledger.note", &ledger::find).reads({"notes"});
        what.query("ledger.text", [](const fc::query& asked, const fc::views&) {
            return "[" + std::string{asked.params} + "]";
        });
        what.query("ledger.top", &ledger::top).reads({"notes"});
        what.query("ledger.later", &ledger::later).reads({"notes"});
        what.query("ledger.throws", [](const fc::query&, const fc::views&) -> std::string {
            throw fc::failure{FXC_INVALID, "not such a parameter"};
        });
        what.query("ledger.forgets", [](const fc::query&, const fc::views&, fc::completion&) {});
    }

    void note(const fc::event& event, fc::projection_views& views) {
        if (event.type() == "ledger.bad") throw std::runtime_error{"no such page"};
        if (event.type() == "ledger.busy") throw fc::failure{FXC_BUSY, "not now"};
        if (event.type() == "ledger.foreign") views.put("somebody_elses", "k", "{}");
        if (event.type() == "ledger.torn") return views.remove("notes", event.key());
        ++noted_;
        const auto row = views.get("notes", event.key());
        const auto before = row ? json::parse(*row).at("sum").to_number<long>() : 0;
        const auto sum = before + std::stol(std::string{event.payload()});
        views.put("notes", event.key(), "{\"sum\":" + std::to_string(sum) + "}");
    }
    std::optional<std::string> find(const fc::query& asked, const fc::views& views) {
        return views.get("notes", json::parse(asked.params).at("id").as_string());
    }
    static std::string top(const fc::query& asked, const fc::views& views) {
        const auto page = views.scan("notes", asked.params);
        std::string out;
        for (const auto& row : page.rows) out += row.key + "=" + row.json + ";";
        return out + "next=" + page.next;
    }
    void later(const fc::query&, const fc::views& views, fc::completion& done) {
        thread_ = std::thread{[views, done = std::move(done)]() mutable {
            done.succeed(views.get("notes", "a").value_or("none"));
        }};
    }
    void drain() {
        if (thread_.joinable()) thread_.join();
    }
    void process(const fc::message& input, fc::completion& done) {
        done.succeed(std::string{input.payload()} + " by ledger");
    }
    void cancel(fc::call victim) { cancelled_ = victim.handle(); }
    std::string health() const {
        return cancelled_ == 0 ? "" : "cancelled " + std::to_string(cancelled_);
    }

private:
    struct totals {
        explicit totals(fc::projection_views& into) : views{into} {}
        void apply(const fc::event& event) {
            if (event.type() == "ledger.bad") throw std::runtime_error{"no such page"};
            ++count;
            last = event.position();
        }
        void finish() {
            if (count > 0)
                views.put("total", "all", "{\"count\":" + std::to_string(count) + "}", last);
        }
        fc::projection_views& views;
        int count = 0;
        std::uint64_t last = 0;
    };

    std::thread thread_;
    int noted_ = 0;
    fxc_call cancelled_ = 0;
};
struct ledger_tag {
    using plugin = ledger;
};
constexpr auto entry = &fc::detail::library<ledger_tag>::negotiate;

/// The two plain forms of a processor.
struct by_text {
    static void describe(fc::description<by_text>& what) { what.id = "test.by_text"; }
    static std::string process(std::string_view in) {
        if (in == "throw") throw std::runtime_error{"no"};
        return std::string{in.rbegin(), in.rend()};
    }
};
struct by_text_tag {
    using plugin = by_text;
};
struct by_message {
    static void describe(fc::description<by_message>& what) { what.id = "test.by_message"; }
    static std::string process(const fc::message& in) { return std::string{in.content_type()}; }
};
struct by_message_tag {
    using plugin = by_message;
};

loaded_plugin& with_models(loaded_plugin& plugin) {
    plugin.host.models["notes"];
    plugin.host.models["total"];
    return plugin;
}

}  // namespace

TEST_CASE("processor: takes text, a message, or a message and its completion") {
    loaded_plugin text{&fc::detail::library<by_text_tag>::negotiate};
    CHECK(text.process("abc").result == "cba");
    CHECK(text.process("").result.empty());
    CHECK(text.process("throw").message == "no");
    CHECK(text.process(std::string(1'000'000, 'x')).result.size() == 1'000'000);

    loaded_plugin message{&fc::detail::library<by_message_tag>::negotiate};
    CHECK(message.process("abc").result == "application/json");

    loaded_plugin completion{entry};
    CHECK(completion.process("abc").result == "abc by ledger");
}

TEST_CASE("processor: anything but one message is refused") {
    loaded_plugin plugin{entry};
    const auto none = plugin.host.run({}, [&](fxc_call call) {
        plugin.find<fxc_single>(FXC_PROCESSOR)->handle(plugin.instance(), call, nullptr, 0);
    });
    CHECK(none.status == FXC_INVALID);
}

TEST_CASE("projection: rows carry the position of the event that changed them") {
    loaded_plugin plugin{entry};
    with_models(plugin);
    plugin.append("note-a", "ledger.noted", "1");
    plugin.append("note-b", "ledger.noted", "10");
    plugin.append("note-a", "ledger.noted", "2");
    REQUIRE(plugin.project("notes").status == FXC_OK);
    CHECK(plugin.host.models["notes"]["a"].json == R"({"sum":3})");
    CHECK(plugin.host.models["notes"]["a"].position == 3);
    CHECK(plugin.host.models["notes"]["b"].position == 2);

    plugin.append("note-b", "ledger.torn", "{}");
    REQUIRE(plugin.project("notes").status == FXC_OK);
    CHECK(plugin.host.models["notes"].count("b") == 0);
}

TEST_CASE("projection: the event that fails is named, a bad moment is not blamed on it") {
    loaded_plugin plugin{entry};
    with_models(plugin);
    plugin.append("note-a", "ledger.noted", "1");
    SECTION("a throw") {
        plugin.append("note-a", "ledger.bad", "{}");
        const auto failed = plugin.project("notes");
        CHECK(failed.status == FXC_INTERNAL);
        CHECK(failed.message == "ledger.bad at position 2: no such page");
        CHECK(failed.problem == R"({"position":2})");
    }
    SECTION("in a batch projection") {
        plugin.append("note-a", "ledger.bad", "{}");
        const auto failed = plugin.project("totals");
        CHECK(failed.problem == R"({"position":2})");
        CHECK(plugin.host.models["total"].empty());
    }
    SECTION("the host is busy") {
        plugin.append("note-a", "ledger.busy", "{}");
        const auto failed = plugin.project("notes");
        CHECK(failed.status == FXC_BUSY);
        CHECK(failed.problem.empty());
    }
    SECTION("a read model that is not its own") {
        plugin.append("note-a", "ledger.foreign", "{}");
        const auto failed = plugin.project("notes");
        CHECK(failed.status == FXC_DENIED);
        CHECK(failed.problem == R"({"position":2})");
        CHECK(failed.message.find("somebody_elses") != std::string::npos);
    }
}

TEST_CASE("projection: a batch projection sees the whole batch before it writes") {
    loaded_plugin plugin{entry};
    with_models(plugin);
    for (int i = 0; i < 7; ++i) plugin.append("note-a", "ledger.noted", "1");
    REQUIRE(plugin.project("totals", 5).status == FXC_OK);
    CHECK(plugin.host.row_writes == 2);
    CHECK(plugin.host.models["total"]["all"].json == R"({"count":2})");
    CHECK(plugin.host.models["total"]["all"].position == 7);
}

TEST_CASE("projection, query: an unknown name is not found") {
    loaded_plugin plugin{entry};
    with_models(plugin);
    plugin.append("note-a", "ledger.noted", "1");
    CHECK(plugin.project("unheard-of").status == FXC_NOT_FOUND);
    CHECK(plugin.ask("unheard.of", "{}").status == FXC_NOT_FOUND);
}

TEST_CASE("query: answers from the read model, or finds nothing") {
    loaded_plugin plugin{entry};
    with_models(plugin);
    plugin.host.models["notes"]["a"] = {R"({"sum":3})", 1};
    CHECK(plugin.ask("ledger.note", R"({"id":"a"})").result == R"({"sum":3})");
    CHECK(plugin.ask("ledger.note", R"({"id":"b"})").status == FXC_NOT_FOUND);
    CHECK(plugin.ask("ledger.text", "{}").result == "[{}]");
    const auto thrown = plugin.ask("ledger.throws", "{}");
    CHECK(thrown.status == FXC_INVALID);
    CHECK(thrown.message == "not such a parameter");
    CHECK(plugin.ask("ledger.forgets", "{}").message == "handler dropped the call");
}

TEST_CASE("query: scans come in pages") {
    loaded_plugin plugin{entry};
    with_models(plugin);
    auto& rows = plugin.host.models["notes"];
    rows["a"] = {R"({"sum":3})", 1};
    rows["b"] = {R"({"sum":9})", 2};
    rows["c"] = {R"({"sum":5})", 3};
    CHECK(plugin.ask("ledger.top", R"({"order":["-sum"],"limit":2})").result ==
          R"(b={"sum":9};c={"sum":5};next=2)");
    CHECK(plugin.ask("ledger.top", R"({"order":["-sum"],"limit":2,"after":"2"})").result ==
          R"(a={"sum":3};next=)");
    CHECK(plugin.ask("ledger.top", R"({"where":{"sum":{"ge":5}}})").result ==
          R"(b={"sum":9};c={"sum":5};next=)");
}

TEST_CASE("query: may answer later, reading on another thread") {
    loaded_plugin plugin{entry};
    with_models(plugin);
    plugin.host.models["notes"]["a"] = {R"({"sum":3})", 1};
    CHECK(plugin.ask("ledger.later", "{}").result == R"({"sum":3})");
}

TEST_CASE("views: a host that grants none makes calls fail, not crash") {
    struct no_views {
        static void describe(fc::description<no_views>& what) {
            what.id = "test.no_views";
            what.query("q", [](const fc::query&, const fc::views& v) { return v.get("m", "k"); });
        }
    };
    struct tag {
        using plugin = no_views;
    };
    loaded_plugin plugin{&fc::detail::library<tag>::negotiate};
    CHECK(plugin.ask("q", "{}").status == FXC_DENIED);  // "m" is not granted

    flexcore::test::fake_host host;
    host.grants_views = false;
    const fc::host without{host.raw()};
    CHECK_THROWS_AS((fc::views{without, 1}), fc::failure);
}

TEST_CASE("cancel: the hint reaches the class") {
    loaded_plugin plugin{entry};
    plugin.find<fxc_lifecycle>(FXC_LIFECYCLE)->cancel(plugin.instance(), 17);
    CHECK(plugin.health().message == "cancelled 17");
}

TEST_CASE("reconfigure: a class without it asks for a new instance") {
    loaded_plugin plugin{entry};
    CHECK(plugin.find<fxc_lifecycle>(FXC_LIFECYCLE)->reconfigure == nullptr);
}
