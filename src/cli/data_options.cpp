#include "cli/data_options_impl.hpp"

#include "app/settings.hpp"

#include <fmt/format.h>

#include <ostream>

namespace flexcore::cli {

void add_data_options(subcommand app, data_options& o) {
    add_data_option(app, o);
    add_store_option(app, o);
    add_config_option(app, o);
    add_set_option(app, o);
    app.add_flag("--json", o.json, "Print JSON for programs");
}

std::optional<store::store_settings> store_of(const context& c, const data_options& o) {
    const auto loaded = load_settings_of(c, o, app::named_files::unseen);
    if (!loaded) {
        c.io.err << "error: the settings are not valid\n" << app::to_text(loaded.error());
        return std::nullopt;
    }
    if (loaded->values.store.url == "memory:") {
        c.io.err << "error: store.url is memory: there is no data folder\n";
        return std::nullopt;
    }
    return loaded->values.store;
}

client_options as_client(const data_options& o) {
    client_options out;
    out.json = o.json;
    return out;
}

std::string counts_of(const store::verify_report& report) {
    if (!report.log_read) {
        return fmt::format(
            "  the log cannot be read: its events are not counted, nothing is compared with it\n"
            "  {} read models with {} rows\n",
            grouped(report.read_models), grouped(report.rows));
    }
    return fmt::format(
        "  {} events in {} streams, head {}, {} removed on purpose\n"
        "  {} idempotency keys\n  {} read models with {} rows{}\n",
        grouped(report.events), grouped(report.streams), grouped(report.head),
        grouped(report.removed), grouped(report.keys), grouped(report.read_models),
        grouped(report.rows), report.partly ? "; what cannot be read is not counted" : "");
}

}  // namespace flexcore::cli
