// Does nothing wrong: uses everything a host lends. The processor logs its input, counts it and
// answers what it knows about its call; items.put and items.removed change the rows that
// items.scan scans with its parameters.
#include <flexcore/plugin.hpp>

#include <string>
#include <string_view>

namespace {

namespace fc = flexcore::plugin;

class services {
public:
    explicit services(const fc::host& from)
        : host_{from},
          calls_{from.counter("inputs", "", "Inputs that came")},
          sizes_{from.histogram("size", "bytes", "Their sizes")} {}

    static void describe(fc::description<services>& what) {
        what.id = "test.services";
        what.version = "1.0.0";
        what.unloadable = true;
        what.read_model("items").indexed({"n"});
        what.projection("items",
                        [](const fc::event& event, fc::projection_views& rows) {
                            if (event.type() == "items.put")
                                rows.put("items", event.key(), event.payload());
                            else
                                rows.remove("items", event.key());
                        })
            .types({"items.put", "items.removed"})
            .writes({"items"});
        what.query("items.scan",
                   [](const fc::query& query, const fc::views& rows) {
                       const auto page = rows.scan("items", query.params);
                       std::string keys;
                       for (const auto& row : page.rows) keys += row.key + row.json + " ";
                       return "[" + fc::detail::json_text(keys) + "," +
                              fc::detail::json_text(page.next) + "]";
                   })
            .reads({"items"});
    }

    void process(const fc::message& in, fc::completion& done) {
        host_.log(fc::level::warn, "an input came",
                  {{"input", in.payload()}, {"msg", "not this one"}, {"input", "nor this"}});
        calls_.record(1, {{"kind", "plain"}});
        sizes_.record(static_cast<double>(in.payload().size()));
        const auto call = done.call();
        done.succeed(std::string{call.tenant()} + "|" + std::string{call.principal()} + "|" +
                     std::string{call.traceparent()} + "|" + std::string{call.target()} + "|" +
                     (call.deadline_ns() != 0 ? "deadline" : "none"));
    }

private:
    fc::host host_;
    fc::metric calls_, sizes_;
};

}  // namespace

FLEXCORE_PLUGIN(services)
