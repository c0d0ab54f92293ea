// flexcore backup
#include "app/data_folder.hpp"
#include "cli/data_options_impl.hpp"
#include "cli/interrupt_impl.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <memory>
#include <ostream>
#include <string>

namespace flexcore::cli {
namespace {

struct backup_options : data_options {
    std::string to;
};

int back_up(const context& c, const backup_options& o) {
    const auto settings = store_of(c, o);
    if (!settings) return exit_usage;
    const interrupt until_then;
    auto done = with_progress(o, "bytes copied, then looked at", [&](const auto& tell) {
        return app::back_up_store(*settings, o.to, tell, [] { return interrupt::caught() != 0; });
    });
    if (!done) {
        const int code = report(c, as_client(o), done.error());
        return interrupt::caught() == 0 ? code : exit_by_signal + interrupt::caught();
    }
    const store::verify_report& copy = done->copy;
    if (o.json) {
        const boost::json::object said{
            {"backup", o.to},
            {"data", copy.database ? copy.place : settings->data.string()},
            {"bytes", done->bytes},
            {"head", copy.head},
            {"events", copy.events},
            {"removed_events", copy.removed},
            {"streams", copy.streams},
            {"idempotency_keys", copy.keys},
            {"read_models", copy.read_models},
            {"rows", copy.rows},
            {"left_out", boost::json::array(done->left_out.begin(), done->left_out.end())}};
        c.io.out << boost::json::serialize(said) << '\n';
    } else {
        c.io.out << fmt::format(
            "{}: {} bytes\n{}{}\n", printable(o.to), grouped(done->bytes), counts_of(copy),
            copy.database
                ? fmt::format("every event and row was looked at in the moment that was copied and "
                              "is sound; {}/restore.txt says how to use it",
                              printable(o.to))
                : "every page, event and row of it was looked at and is sound");
        for (const std::string& name : done->left_out)
            c.io.err << fmt::format("warning: {} is damaged and was left out: it is made again\n",
                                    name);
    }
    return exit_done;
}

}  // namespace

void add_backup(subcommand app, context& c) {
    const subcommand one = app.add_subcommand("backup", "Copy a store, also while its servers run");
    auto o = std::make_shared<backup_options>();
    one.add_option("--to", o->to, "The copy: a new folder").required().type_name("FOLDER");
    add_data_options(one, *o);
    one.footer(
        "The copy is consistent, is looked at as `flexcore verify` does, and gets its name only\n"
        "when it is sound and on the disk. Writes of running servers go on.\n"
        "SQLite: to use it, copy it and serve that: flexcore serve --data COPY. The server's WAL\n"
        "grows meanwhile.\n"
        "PostgreSQL: database.dump, by pg_dump, which must be on this machine (postgresql-client)\n"
        "and not older than the server, and restore.txt, which says how pg_restore makes a\n"
        "database of it. The password reaches pg_dump in its environment.\n"
        "The store is the one that `flexcore serve` would take with the same flags, variables\n"
        "(DATABASE_URL) and file. Until it is whole the copy is in a folder --to.partial-…. The\n"
        "first Ctrl-C takes it away; a second one, SIGKILL or a power cut leaves it behind: it "
        "may\n"
        "be removed.\n"
        "Exit code: 0 done; 1 it cannot be read or written, or is damaged; 2 wrong usage, no data\n"
        "folder or schema, or --to is there already; 130 (143) broken off by SIGINT (SIGTERM).\n"
        "Examples:\n"
        "  flexcore backup --data /var/lib/flexcore --to /backups/flexcore-2026-11-29\n"
        "  flexcore backup --store postgresql://flexcore@db/shop --to /backups/today\n"
        "  flexcore backup --config config/flexcore.toml --to /backups/today --json");
    one.callback([o, &c] { c.action = [o, &c] { return back_up(c, *o); }; });
}

}  // namespace flexcore::cli
