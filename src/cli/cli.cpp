#include "cli/cli.hpp"

#include "app/application.hpp"
#include "app/settings.hpp"
#include "cli/command_line_impl.hpp"
#include "cli/subcommands_impl.hpp"

#include <ostream>

namespace flexcore::cli {

int run(std::span<const std::string> args, streams io) {
    context c{io, app::environment(), {}};
    command_line line{
        "FlexCore: an event-sourced application server in one executable",
        "flexcore " + std::string{app::version()},
        "Examples:\n"
        "  flexcore serve --plugin build/release/plugins/counter.so\n"
        "  flexcore command send counter.increment c1 --data '{\"by\": 1}'\n"
        "  flexcore events tail --from start\n"
        "Exit code: 0 done; 1 refused or failed; 2 the command line, the settings or a file they "
        "name\n"
        "are wrong as they stand.\n"
        "`flexcore SUBCOMMAND --help` tells more."};
    const subcommand app = line.root();
    add_serve(app, c);
    add_config(app, c);
    add_command(app, c);
    add_query(app, c);
    add_events(app, c);
    add_catalogues(app, c);
    add_streams(app, c);
    add_read_model(app, c);
    add_projections(app, c);
    add_plugins(app, c);
    add_status(app, c);
    add_bench(app, c);
    add_doctor(app, c);
    add_completion(app, c);
    add_verify(app, c);
    add_backup(app, c);

    if (const auto done = line.parse(args, io)) return *done;
    const int code = c.action();
    io.out.flush();
    if (io.out) return code;
    // A full disk must not pass for success.
    io.err << "error: the output cannot be written\n";
    return code == exit_done ? exit_refused : code;
}

}  // namespace flexcore::cli
