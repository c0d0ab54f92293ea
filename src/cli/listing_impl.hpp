// Private to src/cli: what is shown of a server: one document, a list page by page, and either of
// them again and again (--watch).
#pragma once

#include "cli/subcommands_impl.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::cli {

using query_parameters = std::vector<std::pair<std::string, std::string>>;

/// An answer as it came, and parsed. Errors: as `ask`, cli_errc::bad_answer when it is no object.
struct document {
    std::string text;
    boost::json::object members;
};
[[nodiscard]] result<document> fetch(http_client&, const client_options&, http_request);

/// A page of a list, each item as its JSON text. Errors: cli_errc::bad_answer.
struct page {
    std::vector<std::string> items;
    std::string next;  ///< empty at the end
};
[[nodiscard]] result<page> page_of(std::string_view body);

/// --limit, --after, --all.
struct list_options {
    std::uint64_t limit = 100;
    std::string after;
    bool all = false;
};
void add_list_options(subcommand, list_options&);
/// The items that are asked for, over as many pages as that takes; `next` when there are more.
[[nodiscard]] result<page> fetch_list(http_client&, const client_options&, const std::string& path,
                                      const query_parameters&, const list_options&);

/// A column of a table: its title, and the cell of an item.
struct column {
    std::string title;
    std::function<std::string(const boost::json::object&)> cell;
};
/// The member of this name; empty when there is none.
[[nodiscard]] column member_column(std::string title, std::string member);
[[nodiscard]] std::string table_of(const std::vector<std::string>& items,
                                   const std::vector<column>&);
/// All members of all items, in the order in which they first appear.
[[nodiscard]] std::string table_of(const std::vector<boost::json::object>& items);
/// Name and value of each member.
[[nodiscard]] std::string fields_of(const boost::json::object&);
/// A list of objects as a table, an object as fields, everything else as it is.
[[nodiscard]] std::string text_of(const boost::json::value&);
/// One line per item: for --json.
[[nodiscard]] std::string lines_of(const std::vector<std::string>& items);

/// --watch, --every.
struct watch_options {
    bool on = false;
    double every_s = 1;
};
void add_watch_options(subcommand, watch_options&);

/// Prints what `render` gives. With --watch until SIGINT or SIGTERM, and then 0: on a terminal
/// drawn anew in place, otherwise printed again when it has changed. A server that goes away
/// meanwhile is said and asked again.
[[nodiscard]] int show(const context&, const client_options&, const watch_options&,
                       const std::function<result<std::string>(http_client&)>& render);

/// One request whose answer is printed: as it came with --json, else as `text` says it.
[[nodiscard]] int act(const context&, const client_options&, http_request,
                      const std::function<std::string(const boost::json::object&)>& text);

/// A member as text for people, empty when there is none.
[[nodiscard]] std::string text_member(const boost::json::object&, std::string_view name);

/// "a/b" as a segment of a path.
[[nodiscard]] std::string path_of(std::string_view collection, std::string_view name,
                                  std::string_view rest = {});

}  // namespace flexcore::cli
