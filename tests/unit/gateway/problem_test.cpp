#include "gateway/problem.hpp"

#include "bus/errc.hpp"
#include "domain/errc.hpp"
#include "gateway/errc.hpp"
#include "gateway/router.hpp"
#include "plugin/plugin_host.hpp"
#include "schema/schema.hpp"
#include "store/errc.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include <set>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;

/// Checks 1 to `last`; those in `internal` are a defect of ours and answer 500 on purpose.
template <class Code>
void check_all(Code last, const std::set<Code>& internal) {
    for (int value = 1; value <= static_cast<int>(last); ++value) {
        const auto code = static_cast<Code>(value);
        const problem_kind& kind = problem_of(make_error_code(code));
        INFO(make_error_code(code).category().name() << ' ' << value << " → " << kind.code);
        CHECK((kind.code == "internal") == internal.contains(code));
        CHECK(kind.status >= 400);
        CHECK(kind.status < 600);
        CHECK((kind.status == 500) == internal.contains(code));
        CHECK(reason_of(kind.status) != "Unknown");
    }
    // The list above must end where the enumeration does.
    const auto beyond = static_cast<Code>(static_cast<int>(last) + 1);
    CHECK(problem_of(make_error_code(beyond)).code == "internal");
}

}  // namespace

TEST_CASE("problem: every error of every module has a status, 500 only where it is meant") {
    check_all(base_errc::internal, {base_errc::io, base_errc::internal});
    check_all(gateway_errc::upgrade_required, {});
    check_all(store::store_errc::stopped,
              {store::store_errc::corrupt, store::store_errc::newer_schema,
               store::store_errc::checkpoint_conflict, store::store_errc::unknown_generation});
    check_all(bus::bus_errc::duplicate_name, {bus::bus_errc::handler_failed});
    check_all(domain::domain_errc::log_incompatible,
              {domain::domain_errc::behavior_failed, domain::domain_errc::log_incompatible});
    check_all(schema_errc::invalid_value, {});
    check_all(plugin::plugin_errc::drain_timeout, {});
    CHECK(problem_of(std::make_error_code(std::errc::io_error)).code == "internal");
}

TEST_CASE("problem: the codes of the contract have its statuses") {
    using bus::bus_errc;
    using store::store_errc;
    const std::vector<std::tuple<std::error_code, int, std::string_view>> table{
        {make_error_code(store_errc::version_conflict), 409, "version_conflict"},
        {make_error_code(store_errc::condition_failed), 409, "append_conflict"},
        {make_error_code(store_errc::event_id_conflict), 409, "event_id_conflict"},
        {make_error_code(store_errc::key_conflict), 422, "idempotency_conflict"},
        {make_error_code(store_errc::stream_not_found), 404, "stream_not_found"},
        {make_error_code(store_errc::stream_deleted), 410, "stream_deleted"},
        {make_error_code(store_errc::busy), 503, "busy"},
        {make_error_code(store_errc::unavailable), 503, "store_unavailable"},
        {make_error_code(store_errc::full), 507, "store_full"},
        {make_error_code(bus_errc::command_rejected), 422, "command_rejected"},
        {make_error_code(bus_errc::request_in_progress), 409, "request_in_progress"},
        {make_error_code(bus_errc::read_model_behind), 409, "read_model_behind"},
        {make_error_code(bus_errc::deadline_exceeded), 504, "deadline_exceeded"},
        {make_error_code(bus_errc::unauthorized), 401, "unauthorized"},
        {make_error_code(bus_errc::forbidden), 403, "forbidden"},
        {make_error_code(gateway_errc::payload_too_large), 413, "payload_too_large"},
        {make_error_code(gateway_errc::unsupported_media_type), 415, "unsupported_media_type"},
        {make_error_code(gateway_errc::method_not_allowed), 405, "method_not_allowed"},
    };
    for (const auto& [code, status, name] : table) {
        CHECK(problem_of(code).status == status);
        CHECK(problem_of(code).code == name);
    }
}

TEST_CASE("problem: the document has every member and keeps the operator's text to itself") {
    const error e =
        error{make_error_code(store::store_errc::version_conflict), "It is at 3.", "secret"}
            .with("current_version", 3)
            .with("status", "mine")
            .with("replayed", true);
    const std::string text = problem_json(e, "/v1/streams/a/events", "r-1");
    CHECK(text.find("secret") == text.npos);
    const auto root = boost::json::parse(text).as_object();
    CHECK(root.at("type") == "/problems/version_conflict");
    CHECK_FALSE(root.at("title").as_string().empty());
    CHECK(root.at("status") == 409);
    CHECK(root.at("detail") == "It is at 3.");
    CHECK(root.at("instance") == "/v1/streams/a/events");
    CHECK(root.at("code") == "version_conflict");
    CHECK(root.at("request_id") == "r-1");
    CHECK(root.at("current_version") == 3);
    CHECK(root.size() == 8);

    request asked;
    asked.target = "/a?b";
    const response answer = problem_response(e, asked);
    CHECK(answer.status == 409);
    CHECK(answer.content_type == "application/problem+json");
    REQUIRE(answer.headers.size() == 1);
    CHECK(answer.headers[0].name == "Idempotent-Replay");
    CHECK(boost::json::parse(answer.body).as_object().at("instance") == "/a");
    const response busy = problem_response({make_error_code(bus::bus_errc::busy), ""}, asked);
    CHECK(busy.headers.at(0).name == "Retry-After");
}

TEST_CASE("problem: a detail that is not UTF-8 is made so") {
    const std::string text = problem_json({make_error_code(base_errc::internal), "a\xFF"}, "/", "");
    CHECK(boost::json::parse(text).as_object().at("detail") == "a\xEF\xBF\xBD");
}

TEST_CASE("problem: an item of a batch carries status, code, detail and the error's members") {
    std::string out;
    append_problem_item(
        out, error{make_error_code(bus::bus_errc::command_rejected), "No lines."}.with("reason",
                                                                                       "no_lines"));
    CHECK(out ==
          R"({"status":422,"code":"command_rejected","detail":"No lines.","reason":"no_lines"})");
}
