// router: the route table. Requests are matched against it and /openapi.json is made from it, so
// that the two cannot differ.
//
// Threads: filled before the server starts, then immutable.
#pragma once

#include "base/result.hpp"
#include "gateway/request.hpp"
#include "gateway/response.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::gateway {

class responder;

enum class param_type : std::uint8_t {
    text,
    integer,
    position,
    time,
    list,
    flag,
    choice,
    object,  ///< names the route does not know: members, or name[member]
};
struct query_param {
    std::string_view name;
    param_type type = param_type::text;
    std::string_view text;             ///< what it does
    std::int64_t least = 0, most = 0;  ///< integers
    std::string_view choices = {};     ///< "forward|backward"
};

enum class body_kind : std::uint8_t { none, json, json_or_ndjson, optional_json, any };

struct answer_spec {
    int status;
    std::string_view text;
    std::string_view schema = {};               ///< a component of /openapi.json; empty: no body
    std::string_view media = json_type;         ///< several: "text/css|text/javascript"
    std::vector<std::string_view> fields = {};  ///< header fields of its own
};

struct route {
    verb method = verb::get;
    std::string pattern;  ///< "/v1/streams/{stream}/events"
    std::function<void(request&, responder)> handler;
    std::string operation, summary, tag;
    std::string_view description = {};
    std::vector<query_param> query = {};
    bool open_query = false;  ///< the handler checks names beyond `query`
    body_kind body = body_kind::none;
    std::string_view request_schema = {};
    std::string_view line_schema = {}, line_answer_schema = {};  ///< of NDJSON
    std::vector<answer_spec> answers = {};
    bool idempotency_key = false;
    std::size_t index = 0;  ///< set by `add`
};

class router {
public:
    router();
    ~router();
    /// A second route with the same method and pattern is a defect (FLEXCORE_CHECK).
    void add(route);
    [[nodiscard]] const std::vector<std::unique_ptr<route>>& all() const noexcept {
        return routes_;
    }

    struct match {
        const std::array<const route*, verbs>* by_verb = nullptr;  ///< null: no such path
        std::vector<std::string> params;
        /// HEAD is answered by GET's route.
        [[nodiscard]] const route* of(verb) const noexcept;
        [[nodiscard]] std::string allow() const;  ///< for the Allow field
    };
    [[nodiscard]] match find(const std::vector<std::string>& segments) const;
    /// The methods any path takes, for the Allow field of `OPTIONS *`.
    [[nodiscard]] std::string allow() const;

private:
    struct node;
    [[nodiscard]] static const node* descend(const node&, const std::vector<std::string>&,
                                             std::size_t at, std::vector<std::string>& params);
    std::vector<std::unique_ptr<route>> routes_;
    std::unique_ptr<node> root_;
};

/// Leads a request's target to its route and checks the names of its query arguments.
/// Errors: bad_request, not_found, method_not_allowed (member "allow" is its Allow field).
[[nodiscard]] result<std::shared_ptr<const resolved_target>> resolve(const router&, verb,
                                                                     std::string_view target);

}  // namespace flexcore::gateway
