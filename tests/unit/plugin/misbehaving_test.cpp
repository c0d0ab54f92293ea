#include "unit/plugin/house.hpp"

#include <catch2/catch.hpp>

using namespace flexcore;
using namespace flexcore::plugin;
using namespace std::chrono_literals;
using flexcore::plugin::testing::eventually;
using flexcore::plugin::testing::house;
using flexcore::plugin::testing::misbehaving;
using flexcore::plugin::testing::must;
using flexcore::plugin::testing::pending;
using flexcore::plugin::testing::shipped;

namespace {

/// After whatever happened: another plugin still works.
void check_alive(house& in) {
    if (!in.host->status("counter")) must(in.load(shipped("counter")));
    CHECK(in.command("counter.increment", "alive", "{}").has_value());
}

std::error_code code_of(bus::bus_errc code) { return make_error_code(code); }

}  // namespace

TEST_CASE("exceptions: end the call that threw, nothing else") {
    house in;
    must(in.load(misbehaving("throws")));
    const auto command = in.command("throws.do", "a", "{}");
    REQUIRE_FALSE(command.has_value());
    CHECK(command.error().code == code_of(bus::bus_errc::handler_failed));
    CHECK(in.query("throws.query", "{}").error().code == code_of(bus::bus_errc::handler_failed));
    CHECK(in.execute("throws", "int").error().code == make_error_code(plugin_errc::failed));
    const auto failure = in.execute("throws", "failure");
    CHECK(failure.error().code == make_error_code(plugin_errc::invalid_input));
    const auto thrown = in.execute("throws", "anything");
    CHECK(thrown.error().code == make_error_code(plugin_errc::failed));
    CHECK(thrown.error().client.contains("process threw"));
    CHECK(in.events_in_log() == 0);
    CHECK(in.status("throws").failures >= 4);
    CHECK(in.status("throws").last_error.contains("threw"));
    check_alive(in);
}

TEST_CASE("exceptions: one that does come through the table is caught at the wall") {
    house in;
    must(in.load(misbehaving("throws_through")));
    const auto thrown = in.execute("throws_through", "x");
    REQUIRE_FALSE(thrown.has_value());
    CHECK(thrown.error().code == make_error_code(plugin_errc::failed));
    CHECK(thrown.error().log.contains("through the table"));
    const auto released = in.execute("throws_through", "release");
    REQUIRE_FALSE(released.has_value());
    CHECK(released.error().log.contains("through the release"));
    CHECK(in.status("throws_through").in_flight == 0);
    check_alive(in);
}

TEST_CASE("evolve: events that cannot be folded fail the commands of that aggregate only") {
    house in;
    must(in.load(misbehaving("evolve_fails")));
    CHECK_FALSE(in.command("evolve_fails.do", "a", R"({"type":"evolve_fails.bad"})").has_value());
    CHECK(in.events_in_log() == 0);
    const auto good = in.command("evolve_fails.do", "b", R"({"type":"evolve_fails.good"})");
    CAPTURE(good ? std::string{} : good.error().client + good.error().log);
    CHECK(good.has_value());
    (void)in.append("evolve_fails-c", "evolve_fails.bad", "{}");
    CHECK_FALSE(in.command("evolve_fails.do", "c", R"({"type":"evolve_fails.good"})").has_value());
    CHECK(in.command("evolve_fails.do", "b", R"({"type":"evolve_fails.good"})").has_value());
    check_alive(in);
}

TEST_CASE("invalid_input: what decide finds wrong is validation_failed, with its pointers") {
    house in;
    must(in.load(misbehaving("invalid_input")));
    REQUIRE(in.command("invalid_input.do", "a", "{}").has_value());
    const auto wrong = in.command("invalid_input.do", "a", R"({"date":"1999-12-31"})");
    REQUIRE_FALSE(wrong.has_value());
    CHECK(wrong.error().code == code_of(bus::bus_errc::validation_failed));
    CHECK(wrong.error().client == "the date is in the past");
    REQUIRE(wrong.error().members);
    CHECK(wrong.error().members->at("errors").at(0).at("pointer") == "/data/date");
    CHECK(in.status("invalid_input").failures == 0);
    CHECK(in.command("invalid_input.do", "a", "{}")->ver == 2);
}

TEST_CASE("drops_call: a dropped completion fails at once") {
    house in;
    must(in.load(misbehaving("drops_call")));
    CHECK(in.command("drops_call.do", "a", "{}").error().code ==
          code_of(bus::bus_errc::handler_failed));
    CHECK(in.query("drops_call.query", "{}").error().code ==
          code_of(bus::bus_errc::handler_failed));
    CHECK(in.execute("drops_call", "x").error().client.contains("dropped"));
    CHECK(in.status("drops_call").in_flight == 0);
    check_alive(in);
}

TEST_CASE("completes_twice: the first completion counts, the others are stale") {
    house in;
    must(in.load(misbehaving("completes_twice")));
    CHECK(in.execute("completes_twice", "x").value() == R"({"time":"first"})");
    CHECK(in.status("completes_twice").stale_completions == 2);
    CHECK(in.query("completes_twice.query", "{}").value() == R"({"time":"first"})");
    CHECK(in.status("completes_twice").stale_completions == 4);
    CHECK(in.status("completes_twice").failures == 0);
    CHECK(in.host->unload("completes_twice").has_value());
    check_alive(in);
}

TEST_CASE("completes_late: the caller has its timeout, the completion is stale") {
    house in;
    must(in.load(misbehaving("completes_late")));
    CHECK(in.execute("completes_late", "x", 50ms).error().code ==
          make_error_code(plugin_errc::timeout));
    CHECK(in.query("completes_late.query", "{}", 0, 50ms).error().code ==
          code_of(bus::bus_errc::deadline_exceeded));
    CHECK(in.command("completes_late.do", "a", "{}", 50ms).error().code ==
          code_of(bus::bus_errc::deadline_exceeded));
    CHECK(eventually([&] { return in.status("completes_late").stale_completions == 3; }));
    CHECK(eventually([&] { return in.status("completes_late").in_flight == 0; }));
    CHECK(in.status("completes_late").overdue == 0);
    CHECK(in.host->unload("completes_late").has_value());
    check_alive(in);
}

TEST_CASE("completes_locked: a late completion does not call the plugin back on its own thread") {
    house in;
    must(in.load(misbehaving("completes_locked")));
    CHECK(in.command("completes_locked.do", "a", "{}", 100ms).error().code ==
          code_of(bus::bus_errc::deadline_exceeded));
    REQUIRE(eventually([&] { return in.status("completes_locked").overdue == 1; }));
    // The lane has gone on: the late call is the last that holds the first state.
    REQUIRE(in.command("completes_locked.fine", "a", "{}").has_value());
    REQUIRE(in.execute("completes_locked", "released").value() == "0");
    CHECK(in.execute("completes_locked", "complete").value() == "outside");
    CHECK(eventually([&] { return in.execute("completes_locked", "released").value() == "1"; }));
    CHECK(in.execute("completes_locked", "where").value() == "outside");
    must(in.host->unload("completes_locked"));
}

TEST_CASE("never_completes: callers get a timeout, the calls are overdue, health says so") {
    auto settings = house::quick();
    settings.in_flight_max = 4;
    house in{settings};
    must(in.load(misbehaving("never_completes")));
    CHECK(in.execute("never_completes", "x", 50ms).error().code ==
          make_error_code(plugin_errc::timeout));
    CHECK(in.query("never.query", "{}", 0, 50ms).error().code ==
          code_of(bus::bus_errc::deadline_exceeded));
    CHECK(in.command("never.do", "a", "{}", 50ms).error().code ==
          code_of(bus::bus_errc::deadline_exceeded));
    REQUIRE(eventually([&] { return in.status("never_completes").overdue == 3; }));
    CHECK(in.status("never_completes").health == telemetry::health::degraded);
    CHECK(in.execute("never_completes", "x", 50ms).error().code ==
          make_error_code(plugin_errc::timeout));
    REQUIRE(eventually([&] { return in.status("never_completes").overdue == 4; }));
    CHECK(in.execute("never_completes", "x", 50ms).error().code ==
          make_error_code(plugin_errc::busy));

    const auto gone = in.host->unload("never_completes");
    REQUIRE_FALSE(gone.has_value());
    CHECK(gone.error().code == make_error_code(plugin_errc::drain_timeout));
    CHECK(gone.error().client.contains("4 calls, oldest"));
    CHECK(in.status("never_completes").state == "draining");
    CHECK(in.execute("never_completes", "x").error().code ==
          make_error_code(plugin_errc::draining));
    CHECK(in.host->unload("never_completes").error().code ==
          make_error_code(plugin_errc::drain_timeout));
    check_alive(in);
}

TEST_CASE("never_completes: a projection that does not answer stops, the others go on") {
    house in;
    for (int i = 0; i < 32; ++i) (void)in.append("x-1", "never.happened", "{}");
    must(in.load(misbehaving("never_completes")));
    must(in.load(shipped("counter")));
    REQUIRE(eventually([&] {
        const auto status = in.projections.status("never");
        return status && status->state == domain::projection_state::stopped;
    }));
    // Each try costs all projections the time of its deadline: there was one.
    CHECK(eventually([&] { return in.status("never_completes").overdue == 1; }));
    const auto counted = in.command("counter.increment", "a", "{}");
    REQUIRE(counted.has_value());
    CHECK(in.query("counter.value", R"({"id":"a"})", counted->pos).has_value());
}

TEST_CASE("endless_emit: fails at the limit, writes nothing") {
    house in;
    must(in.load(misbehaving("endless_emit")));
    const auto flooded = in.command("endless.do", "a", "{}");
    REQUIRE_FALSE(flooded.has_value());
    CHECK(flooded.error().code == code_of(bus::bus_errc::handler_failed));
    CHECK(flooded.error().log.contains("more than 1000 events"));
    CHECK(in.events_in_log() == 0);
    check_alive(in);
}

TEST_CASE("slow_handler: a deadline holds though the handler blocks, others are not held up") {
    house in;
    must(in.load(misbehaving("slow_handler")));
    must(in.load(shipped("counter")));
    // On a busy machine a call may miss its deadline before it began: then it owes nothing.
    REQUIRE(eventually([&] {
        CHECK(in.execute("slow_handler", "1500", 50ms).error().code ==
              make_error_code(plugin_errc::timeout));
        return in.status("slow_handler").overdue == 1;
    }));
    CHECK(in.command("counter.increment", "a", "{}").has_value());
    // One at a time: this one waits for its turn until its own deadline, and owes nothing after.
    CHECK(in.execute("slow_handler", "0", 50ms).error().code ==
          make_error_code(plugin_errc::timeout));
    CHECK(eventually([&] { return in.status("slow_handler").in_flight == 0; }));
    CHECK(in.execute("slow_handler", "0").value() == "0");
    CHECK(in.query("slow.query", R"({"ms":500})", 0, 50ms).error().code ==
          code_of(bus::bus_errc::deadline_exceeded));
    // Once the query is known to be stuck, nobody waits behind it for a new state: busy.
    const auto refused = in.command("slow.do", "a", R"({"ms":500})", 50ms).error().code;
    CHECK((refused == code_of(bus::bus_errc::deadline_exceeded) ||
           refused == code_of(bus::bus_errc::busy)));
    CHECK(eventually([&] { return in.status("slow_handler").in_flight == 0; }));
    CHECK(in.command("slow.do", "a", R"({"ms":0})").has_value());
}

TEST_CASE("bad_event: what cannot be an event fails the command and writes nothing") {
    house in;
    must(in.load(misbehaving("bad_event")));
    const auto* const which = GENERATE("name", "empty_name", "payload", "no_payload", "utf8",
                                       "duplicate_member", "tag", "result");
    const auto refused = in.command(std::string{"bad_event."} + which, "a", "{}");
    CAPTURE(which);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == code_of(bus::bus_errc::handler_failed));
    CHECK(in.events_in_log() == 0);
    CHECK(in.command("bad_event.fine", "a", "{}").has_value());
    CHECK(in.events_in_log() == 1);
}

TEST_CASE("bad_event: an event the catalogue does not declare is named in the log text") {
    house in;
    must(in.load(misbehaving("undeclared_event")));
    const auto refused = in.command("undeclared.do", "a", "{}");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == code_of(bus::bus_errc::handler_failed));
    CHECK(refused.error().log.contains("undeclared.happened"));
    CHECK(in.events_in_log() == 0);
}

TEST_CASE("bad_answer: what is no JSON, or reads what was not declared, fails the query") {
    house in;
    must(in.load(misbehaving("bad_answer")));
    const auto* const which = GENERATE("text", "empty", "utf8", "reads");
    CAPTURE(which);
    const auto answer = in.query(std::string{"bad_answer."} + which, "{}");
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().code == code_of(bus::bus_errc::handler_failed));
    check_alive(in);
}

TEST_CASE("bad_row: a projection that was refused a row stops there and commits nothing of it") {
    house in;
    must(in.load(misbehaving("bad_row")));
    const auto fine = in.append("row-1", "bad_row.fine", "{}");
    const auto* const which = GENERATE("text", "array", "empty_key", "undeclared", "scan",
                                       "other_model", "no_function", "nowhere");
    const auto bad = in.append("row-2", std::string{"bad_row."} + which, "{}");
    CAPTURE(which);
    REQUIRE(eventually([&] {
        const auto status = in.projections.status("bad_row");
        return status && status->state == domain::projection_state::stopped;
    }));
    const auto status = in.projections.status("bad_row");
    CHECK(status->poison == bad);
    CHECK(status->checkpoint == fine);
    CHECK(status->error.contains("contract"));
    const auto reader = in.store.views->read();
    REQUIRE(reader.has_value());
    CHECK((*reader)->get("default", "bad_row_rows", "key").value().has_value() == false);
}

TEST_CASE("joins_in_apply: rows written by a thread that apply waits for are rows") {
    house in;
    must(in.load(misbehaving("joins_in_apply")));
    (void)in.append("joined-1", "joined.happened", "{}");
    const auto last = in.append("joined-1", "joined.happened", "{}");
    REQUIRE(eventually([&] {
        const auto status = in.projections.status("joins_in_apply");
        return status && status->checkpoint >= last;
    }));
    const auto row = in.store.views->read().value()->get("default", "joined_rows", "1");
    REQUIRE(row.value().has_value());
    CHECK(row.value()->json == R"({"n":2})");
    check_alive(in);
}

TEST_CASE("dependency_down: a projection that cannot now blames no event, and goes on later") {
    house in;
    must(in.load(misbehaving("dependency_down")));
    for (int i = 0; i < 8; ++i) (void)in.append("dependent-1", "dependent.happened", "{}");
    REQUIRE(eventually([&] {
        const auto status = in.projections.status("dependency_down");
        return status && status->state == domain::projection_state::stopped;
    }));
    const auto status = in.projections.status("dependency_down");
    CHECK(status->poison == 0);
    CHECK(status->error.contains("the dictionary is not there"));
    REQUIRE(in.execute("dependency_down", "up").has_value());
    CHECK(eventually([&] {
        return in.projections.status("dependency_down")->checkpoint >= in.store.log->head();
    }));
}

TEST_CASE("poison_projection: stops at the event, says where and why, goes on when cured") {
    house in;
    must(in.load(misbehaving("poison_projection")));
    const auto food = in.command("poison.serve", "table", "{}");
    CAPTURE(food ? std::string{} : food.error().client + food.error().log);
    REQUIRE(food.has_value());
    const auto pill = in.append("poison-other", "poison.pill", "{}");
    REQUIRE(eventually([&] {
        const auto status = in.projections.status("poison_meals");
        return status && status->state == domain::projection_state::stopped;
    }));
    CHECK(in.projections.status("poison_meals")->poison == pill);
    REQUIRE(in.execute("poison_projection", "antidote").has_value());
    CHECK(eventually([&] { return in.projections.status("poison_meals")->checkpoint >= pill; }));
}

TEST_CASE("health: a plugin that is unwell shows it, and recovers") {
    house in;
    must(in.load(misbehaving("unhealthy")));
    REQUIRE(eventually([&] {
        return in.status("unhealthy").health != telemetry::health::healthy &&
               in.status("unhealthy").last_error.contains("the cache is cold");
    }));
    bool listed = false;
    for (const auto& each : in.health.all())
        listed = listed || (each.name == "plugin.unhealthy" &&
                            each.report.text.contains("the cache is cold"));
    CHECK(listed);
    pending<telemetry::health_report> now;
    in.host->health("unhealthy", now.callback());
    CHECK(now.get()->text.contains("the cache is cold"));
    REQUIRE(in.execute("unhealthy", "well").has_value());
    CHECK(eventually([&] { return in.status("unhealthy").health == telemetry::health::healthy; }));
}

TEST_CASE("health_hangs: unhealthy after the deadline, asked no second time meanwhile") {
    house in;
    must(in.load(misbehaving("health_hangs")));
    REQUIRE(eventually(
        [&] { return in.status("health_hangs").health == telemetry::health::unhealthy; }));
    const auto calls = in.status("health_hangs").calls;
    for (int i = 0; i < 5; ++i) {
        pending<telemetry::health_report> now;
        in.host->health("health_hangs", now.callback());
        CHECK(now.get()->state == telemetry::health::unhealthy);
    }
    CHECK(in.execute("health_hangs", "works").value() == "works");
    CHECK(in.status("health_hangs").overdue == 1);
    CHECK(in.status("health_hangs").calls == calls + 1);
}
