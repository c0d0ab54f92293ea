// Its projection writes rows that cannot be: each event type names what is wrong. It goes on as if
// nothing had been refused, so that it is the host who must not commit.
#include "rules.hpp"

namespace {

/// The call behind the views, for what the wrapper does not let pass.
struct bare : fc::views {
    using views::handle_;
};

void scan_without_a_function(const fc::host& host, fxc_call call) {
    host.views_table()->scan(host.raw(), call, fc::view("bad_row_rows"), fc::view("{}"), nullptr,
                             nullptr, nullptr);
}
void put_into_nowhere(const fc::host& host, fxc_call call, std::uint64_t position) {
    host.views_table()->put(host.raw(), call, {nullptr, 5}, fc::view("key"), fc::view("{}"),
                            position);
}

void project(const fc::host& host, const fc::event& event, fc::projection_views& views) {
    const auto type = event.type();
    try {
        if (type == "bad_row.text") views.put("bad_row_rows", "key", "{bro");
        if (type == "bad_row.array") views.put("bad_row_rows", "key", "[1]");
        if (type == "bad_row.empty_key") views.put("bad_row_rows", "", "{}");
        if (type == "bad_row.undeclared") views.put("somebody_elses_rows", "key", "{}");
        if (type == "bad_row.scan")
            static_cast<void>(views.scan("bad_row_rows", R"({"where":{"not_indexed":{"eq":1}}})"));
        if (type == "bad_row.other_model") static_cast<void>(views.get("bad_row_others", "key"));
        if (type == "bad_row.no_function") scan_without_a_function(host, views.*&bare::handle_);
        if (type == "bad_row.nowhere")
            put_into_nowhere(host, views.*&bare::handle_, event.position());
        if (type == "bad_row.fine") views.put("bad_row_rows", event.key(), R"({"fine":true})");
    } catch (const fc::failure&) {
        // Swallowed: that is the misdeed.
    }
}

class bad_row {
public:
    explicit bad_row(const fc::host& host) : host_{host} {}
    static void describe(fc::description<bad_row>& what) {
        what.id = "test.bad_row";
        what.version = "1.0.0";
        what.read_model("bad_row_rows").indexed({"fine"});
        what.projection("bad_row",
                        [](bad_row& self, const fc::event& event, fc::projection_views& views) {
                            project(self.host_, event, views);
                        })
            .types({"bad_row.text", "bad_row.array", "bad_row.empty_key", "bad_row.undeclared",
                    "bad_row.scan", "bad_row.other_model", "bad_row.no_function", "bad_row.nowhere",
                    "bad_row.fine"})
            .writes({"bad_row_rows"});
        what.read_model("bad_row_others");
        what.projection("bad_row_others", [](const fc::event&, fc::projection_views&) {})
            .types({"bad_row.never"})
            .writes({"bad_row_others"});
    }

private:
    fc::host host_;
};

}  // namespace

FLEXCORE_PLUGIN(bad_row)
