// flexcore commands, flexcore queries: what the loaded plugins take and answer.
#include "base/json.hpp"
#include "cli/listing_impl.hpp"
#include "cli/schema_outline.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>

#include <memory>
#include <ostream>
#include <sstream>

namespace flexcore::cli {
namespace {

struct options {
    client_options client;
    std::string name;
};

/// "lines[].sku  string  required  1 to 100 characters" per member, at every depth.
std::string members_of_schema(const boost::json::object& schema) {
    const auto rows = outline_of(schema);
    if (rows.empty()) return {};
    table t{{"  member", "type", "", "must be", "description"}};
    for (const outline_row& one : rows)
        t.add({"  " + one.path, one.type, one.required ? "required" : "", one.bounds,
               one.description});
    std::ostringstream out;
    t.print(out, terminal_columns(1));
    return std::move(out).str();
}

std::string card(const boost::json::object& item, const char* schema_member) {
    std::string out =
        fmt::format("{} (plugin {})\n", text_member(item, "name"), text_member(item, "plugin"));
    if (const auto about = text_member(item, "description"); !about.empty())
        out += fmt::format("  {}\n", about);
    const auto* schema = item.if_contains(schema_member);
    if (schema != nullptr && schema->is_object()) out += members_of_schema(schema->get_object());
    return out;
}

struct kind {
    const char *sub, *path, *title, *schema, *none, *about, *examples;
};
constexpr kind commands{"commands",
                        "/v1/commands",
                        "command",
                        "schema",
                        "no commands: no loaded plugin takes one\n",
                        "What commands there are, and what data they take",
                        "Sending one: flexcore command send NAME ID --data JSON\n"
                        "Examples:\n"
                        "  flexcore commands\n"
                        "  flexcore commands sales.place_order\n"
                        "  flexcore commands sales.place_order --json | jq .schema"};
constexpr kind queries{"queries",
                       "/v1/queries",
                       "query",
                       "schema",
                       "no queries: no loaded plugin answers one\n",
                       "What queries there are, and what parameters they take",
                       "Asking one: flexcore query NAME --param NAME=VALUE\n"
                       "Examples:\n"
                       "  flexcore queries\n"
                       "  flexcore queries sales.top_products"};

int run_catalogue(const context& c, const options& o, const kind& what) {
    const std::vector<column> columns{member_column(what.title, "name"),
                                      member_column("plugin", "plugin"),
                                      member_column("description", "description")};
    return show(c, o.client, {}, [&](http_client& client) -> result<std::string> {
        list_options everything;
        everything.all = true;
        auto got = fetch_list(client, o.client, what.path, {}, everything);
        if (!got) return fail(got.error());
        if (!o.name.empty()) {
            for (const std::string& item : got->items) {
                const auto parsed = json::to_value(item, 2 * json::depth_max_default);
                if (!parsed || !parsed->is_object()) continue;
                if (text_member(parsed->get_object(), "name") != o.name) continue;
                return o.client.json ? item + "\n" : card(parsed->get_object(), what.schema);
            }
            return fail(cli_errc::refused,
                        fmt::format("there is no {} \"{}\"; `flexcore {}` lists them", what.title,
                                    printable(o.name), what.sub));
        }
        if (o.client.json) return lines_of(got->items);
        if (got->items.empty()) return std::string{what.none};
        return table_of(got->items, columns);
    });
}

void add_kind(subcommand app, context& c, const kind& what) {
    const subcommand one = app.add_subcommand(what.sub, what.about);
    auto o = std::make_shared<options>();
    one.add_option("NAME", o->name, "Only this one, with its members").type_name("");
    add_client_options(one, o->client, c);
    one.footer(
        fmt::format("With NAME: each member, required or not, and what it must be; lines[].sku is "
                    "the sku\nof each element of lines. With --json each is one line (NDJSON), "
                    "with its JSON\nSchema.\n{}",
                    what.examples));
    one.callback(
        [o, &what, &c] { c.action = [o, &what, &c] { return run_catalogue(c, *o, what); }; });
}

}  // namespace

void add_catalogues(subcommand app, context& c) {
    add_kind(app, c, commands);
    add_kind(app, c, queries);
}

}  // namespace flexcore::cli
