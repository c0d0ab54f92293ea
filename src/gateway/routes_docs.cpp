// The API's description: for programs, and as a page for people.
#include "gateway/api.hpp"
#include "gateway/docs_files.hpp"
#include "gateway/fingerprint.hpp"
#include "gateway/header_values.hpp"

namespace flexcore::gateway {
namespace {

/// The page loads its own files and asks its own server, and nothing else.
constexpr std::string_view page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view media_of(std::string_view name) {
    if (name.ends_with(".html")) return "text/html; charset=utf-8";
    if (name.ends_with(".css")) return "text/css; charset=utf-8";
    if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
    return "image/svg+xml";
}

/// Answers text that stays as it is for the life of the process, by its ETag.
void give_text(const request& asked, responder answer, std::string_view media,
               std::shared_ptr<const void> owner, std::string_view text) {
    response out;
    out.content_type = media;
    std::string etag = "W/\"" + fingerprint("", text).substr(0, 32) + "\"";
    if (etag_matches(asked.fields.if_none_match, etag)) {
        out.status = 304;
        out.content_type = {};
        out.unchanged_bytes = text.size();
    } else {
        out.owner = std::move(owner);
        out.shared = text;
    }
    out.headers.push_back({"ETag", std::move(etag)});
    out.headers.push_back({"Cache-Control", "no-cache"});
    out.headers.push_back({"X-Content-Type-Options", "nosniff"});
    if (media.starts_with("text/html")) {
        out.headers.push_back({"Content-Security-Policy", std::string{page_policy}});
        out.headers.push_back({"Referrer-Policy", "no-referrer"});
    }
    answer(std::move(out));
}

void give_file(const std::shared_ptr<api>& on, const request& asked, responder answer,
               std::string_view name) {
    for (const embedded_file& one : docs_files())
        if (one.name == name)
            return give_text(asked, std::move(answer), media_of(name), on, one.text);
    answer(error{make_error_code(gateway_errc::not_found), "There is nothing at this path."});
}

}  // namespace

void add_docs_routes(router& to, const std::shared_ptr<api>& on) {
    const std::vector<std::string_view> kept{"Cache-Control", "X-Content-Type-Options"};
    const answer_spec unchanged{304, "Unchanged since the ETag", {}, {}, kept};
    to.add({.method = verb::get,
            .pattern = "/openapi.json",
            .handler =
                [on](request& asked, responder answer) {
                    give_text(asked, std::move(answer), json_type, on, on->openapi);
                },
            .operation = "openapi",
            .summary = "This API's description, OpenAPI 3.1",
            .tag = "operation",
            .answers = {{200, "The document", "Anything", json_type, kept}, unchanged}});
    to.add(
        {.method = verb::get,
         .pattern = "/",
         .handler =
             [](request&, responder answer) {
                 response out;
                 out.status = 303;
                 out.content_type = {};
                 // Relative, so that it holds behind a proxy's path as well.
                 out.headers.push_back({"Location", "docs"});
                 out.headers.push_back({"Cache-Control", "no-cache"});
                 answer(std::move(out));
             },
         .operation = "root",
         .summary = "Leads to the page about this API",
         .tag = "operation",
         .answers = {{303, "The page is at its Location", {}, {}, {"Cache-Control", "Location"}}}});
    std::vector<std::string_view> page = kept;
    page.insert(page.end(), {"Content-Security-Policy", "Referrer-Policy"});
    to.add({.method = verb::get,
            .pattern = "/docs",
            .handler =
                [on](request& asked, responder answer) {
                    give_file(on, asked, std::move(answer), "index.html");
                },
            .operation = "docs",
            .summary = "This API's description as a page, where it can be tried",
            .tag = "operation",
            .answers = {{200, "The page", "Text", "text/html", page},
                        {304, "Unchanged since the ETag", {}, {}, page}}});
    to.add({.method = verb::get,
            .pattern = "/docs/{file}",
            .handler =
                [on](request& asked, responder answer) {
                    // The page itself has one address.
                    const std::string& name = asked.param(0);
                    give_file(on, asked, std::move(answer), name.ends_with(".html") ? "" : name);
                },
            .operation = "docsFile",
            .summary = "A file of that page",
            .tag = "operation",
            .answers = {{200, "The file", "Text", "text/css|text/javascript|image/svg+xml", kept},
                        unchanged,
                        {404, "No such file", "Problem", problem_type}}});
}

}  // namespace flexcore::gateway
