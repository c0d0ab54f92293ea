#include "cli/data_options_impl.hpp"

#include "app/settings.hpp"

#include <fmt/format.h>

#include <ostream>

namespace flexcore::cli {

void add_data_options(subcommand app, data_options& o) {
    app.add_option("--data", o.data, "Data folder [store.data]").type_name("FOLDER");
    app.add_option("--config", o.config,
                   "Settings file that names it (default: FLEXCORE_CONFIG, else none)")
        .type_name("FILE");
    app.add_flag("--json", o.json, "Print JSON for programs");
}

std::optional<std::string> data_of(const context& c, const data_options& o) {
    app::setting_inputs in{std::nullopt, c.environment, {}};
    const auto variable = c.environment.find("FLEXCORE_CONFIG");
    if (o.config)
        in.file = *o.config;
    else if (variable != c.environment.end() && !variable->second.empty())
        in.file = variable->second;
    if (o.data) in.flags.push_back({"store.data", *o.data, "--data"});
    const auto loaded = app::load_settings(in);
    if (loaded && loaded->values.store.url == "memory:") {
        c.io.err << "error: store.url is memory: there is no data folder\n";
        return std::nullopt;
    }
    if (loaded && store::is_postgres_url(loaded->values.store.url)) {
        c.io.err << "error: store.url is a PostgreSQL database, not a data folder: pg_dump or "
                    "pg_basebackup copy it, pg_amcheck looks it through\n";
        return std::nullopt;
    }
    if (loaded) return loaded->values.store.data.string();
    c.io.err << "error: the settings are not valid\n" << app::to_text(loaded.error());
    return std::nullopt;
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
