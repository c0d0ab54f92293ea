#include "contract/log_operations.hpp"

#include "contract/rules_fixture.hpp"

#include <fmt/format.h>

#include <random>
#include <utility>

namespace contract {
namespace {

const std::vector<std::string> tenants{"default", "other"};
const std::vector<std::string> streams{"a-1", "a-2", "b", "b-1", "kept-1", "kept-2"};
const std::vector<std::string> types{"t", "t.more", "u"};
const std::vector<std::string> tags{"x", "y:1", "z"};
const std::vector<std::string> categories{"a", "b", "kept"};
const std::vector<std::string> prefixes{"", "a", "b-", "kept-1", "nobody"};
constexpr const char* kept_category = "kept";
constexpr std::size_t runs_to_shrink_max = 400;

class maker {
public:
    explicit maker(std::uint64_t seed) : random_{seed} {}

    operation next() {
        const auto dice = below(100);
        if (dice < 3) return reopen_operation{};
        if (dice < 25) return change();
        if (dice < 35 && !appends_.empty()) return again();
        auto made = fresh();
        appends_.push_back(made);
        return made;
    }

private:
    std::size_t below(std::size_t end) { return random_() % end; }
    bool one_in(std::size_t n) { return below(n) == 0; }
    template <class T>
    const T& any_of(const std::vector<T>& all) {
        return all[below(all.size())];
    }
    std::vector<std::string> some_of(const std::vector<std::string>& all) {
        std::vector<std::string> some;
        for (const auto& one : all) {
            if (one_in(all.size())) some.push_back(one);
        }
        return some;
    }
    uuid id() {
        uuid made;
        for (auto& byte : made.bytes) byte = static_cast<std::uint8_t>(random_());
        return made;
    }
    expected_version expectation() {
        return {any_of(std::vector{rule::any, rule::any, rule::none, rule::exists, rule::exact,
                                   rule::exact}),
                0};
    }
    int offset() { return any_of(std::vector{0, 0, 0, 0, -1, 1}); }

    append_operation fresh() {
        append_operation made;
        made.what.tenant = one_in(4) ? tenants[1] : tenants[0];
        std::vector<std::string> left = streams;
        const std::size_t count = one_in(4) ? 2 : 1;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t place = below(left.size());
            to_stream one{.stream = left[place], .expected = expectation(), .events = {}};
            left.erase(left.begin() + static_cast<std::ptrdiff_t>(place));
            const std::size_t events = i != 0 && one_in(3) ? 0 : 1 + below(3);
            for (std::size_t e = 0; e < events; ++e) {
                one.events.push_back({.type = any_of(types),
                                      .tags = some_of(tags),
                                      .data = std::to_string(random_() % 1000),
                                      .id = one_in(3) ? uuid{} : id()});
            }
            made.what.appends.push_back(std::move(one));
            made.offsets.push_back(offset());
        }
        if (one_in(4)) {
            made.what.condition =
                append_condition{.none_match = {clause()}, .after = below(2) * below(60)};
            if (one_in(3)) made.what.condition->none_match.push_back(clause());
        }
        if (one_in(4)) {
            made.what.keys.push_back({.name = fmt::format("k{}", below(12)),
                                      .fingerprint = fmt::format("f{}", below(2)),
                                      .answer = fmt::format("answer {}", random_() % 1000)});
        }
        return made;
    }
    selector_clause clause() {
        return {.types = some_of(types),
                .tags = some_of(tags),
                .categories = some_of(categories),
                .stream_prefix = any_of(prefixes)};
    }
    /// An earlier append once more: as it was, in part, with more, elsewhere, or anew under its
    /// key.
    append_operation again() {
        append_operation made = any_of(appends_);
        auto& first = made.what.appends.front();
        switch (below(6)) {
            case 0:
                if (first.events.size() > 1) first.events.pop_back();
                break;
            case 1:
                first.events.push_back({.type = "t", .id = id()});
                break;
            case 2:
                first.stream = any_of(streams);
                for (std::size_t i = 1; i < made.what.appends.size(); ++i) {
                    if (made.what.appends[i].stream == first.stream) made.what.appends.resize(i);
                }
                made.offsets.resize(made.what.appends.size());
                break;
            case 3:
                for (auto& one : first.events) one.id = uuid{};
                break;
            default:
                break;
        }
        return made;
    }
    change_operation change() {
        change_operation made;
        made.what.tenant = one_in(4) ? tenants[1] : tenants[0];
        made.what.stream = any_of(streams);
        made.what.expected = one_in(3) ? expectation() : any;
        made.offset = offset();
        const auto dice = below(20);
        made.what.what = dice < 12   ? change_kind::settings
                         : dice < 18 ? change_kind::soft_delete
                                     : change_kind::tombstone;
        if (made.what.what != change_kind::settings) return made;
        if (one_in(2)) made.what.settings.max_count = 1 + below(6);
        made.more = one_in(3) ? 1 + below(3) : 0;
        return made;
    }

    std::mt19937_64 random_;
    std::vector<append_operation> appends_;
};

version moved(version from, int offset) {
    return offset < 0 && from == 0 ? 0 : from + static_cast<version>(offset);
}

std::string text(const log_model::answer& of) {
    if (of.code) return of.code.message();
    if (of.stored_answer) return "stored answer " + *of.stored_answer;
    std::string out = fmt::format("{}position {}", of.repeated ? "repeated, " : "", of.pos);
    for (const auto& [first, last] : of.versions) out += fmt::format(", {} to {}", first, last);
    return out;
}

/// One store and one model that are told the same.
class pair_of_logs {
public:
    pair_of_logs(const backend& which, log_model::mistake made) : store_{which}, model_{made} {
        keep();
    }

    std::optional<std::string> run(const operation& one) {
        return std::visit([this](const auto& of) { return told(of); }, one);
    }

    /// Every read there is.
    std::optional<std::string> reads_differ() {
        for (const auto& in : tenants) {
            for (const auto& stream : streams) {
                if (auto differs = stream_differs(in, stream)) return differs;
            }
            if (auto differs = list_differs(in)) return differs;
            for (const auto& what :
                 {selector{}, selector{{.types = {"t"}}}, selector{{.tags = {"x"}}},
                  selector{{.tags = {"x", "z"}}, {.types = {"u"}, .categories = {"b", "kept"}}},
                  selector{{.stream_prefix = "a-"}}}) {
                if (auto differs = log_differs(in, what)) return differs;
            }
        }
        for (const auto& one : model_.log()) {
            const auto read = store_.log().read_event(one.tenant, one.what.id);
            if (read.has_value() != model_.is_served(one))
                return fmt::format("event {} is {}served", one.pos, read ? "" : "not ");
        }
        return std::nullopt;
    }

private:
    void keep() { store_.log().keep_history(kept_category); }

    std::optional<std::string> told(const reopen_operation&) {
        store_.reopen();
        keep();
        if (store_.log().head() != model_.head())
            return fmt::format("reopened at {}, not {}", store_.log().head(), model_.head());
        return std::nullopt;
    }
    std::optional<std::string> told(const append_operation& one) {
        request what = one.what;
        for (std::size_t i = 0; i < what.appends.size(); ++i) {
            auto& to = what.appends[i];
            to.expected.exact = moved(model_.current(what.tenant, to.stream), one.offsets[i]);
        }
        const auto done = append(store_.log(), what);
        const position before = model_.head();
        const auto wanted = model_.append(what);
        if (done && model_.head() > before) model_.learn(done->ids);
        return compare(done, wanted);
    }
    std::optional<std::string> told(const change_operation& one) {
        auto what = one.what;
        const version current = model_.current(what.tenant, what.stream);
        what.expected.exact = moved(current, one.offset);
        const version first = model_.first_served(what.tenant, what.stream);
        if (what.what == change_kind::settings && first + one.more > 1)
            what.settings.truncate_before = first + one.more;
        struct names {
            std::string tenant, stream;
        };
        auto owned = std::make_shared<names>(names{what.tenant, what.stream});
        append_request made;
        made.tenant = owned->tenant;
        made.change = stream_change{.stream = owned->stream,
                                    .what = what.what,
                                    .expected = what.expected,
                                    .settings = what.settings};
        made.backing = std::move(owned);
        return compare(sent(store_.log(), std::move(made)), model_.apply(what));
    }
    std::optional<std::string> compare(const result<append_outcome>& done,
                                       log_model::answer wanted) {
        log_model::answer got;
        if (!done) {
            got.code = done.error().code;
        } else if (done->stored_answer) {
            got.stored_answer = done->stored_answer;
        } else {
            got.pos = done->pos;
            got.repeated = done->repeated;
            for (const auto& one : done->appends)
                got.versions.emplace_back(one.first_version, one.last_version);
        }
        if (got == wanted) return std::nullopt;
        return fmt::format("answered: {}; expected: {}", text(got), text(wanted));
    }

    std::optional<std::string> stream_differs(const std::string& in, const std::string& stream) {
        event_log& log = store_.log();
        const auto wanted = model_.state(in, stream);
        const auto info = log.stream(in, stream);
        if (code_of(info) != wanted)
            return fmt::format("{} {} is: {}", in, stream, code_of(info).message());
        if (wanted) {
            const auto read = code_of(log.read_stream(in, stream, 0, 9, direction::forward));
            if (read == wanted) return std::nullopt;
            return fmt::format("{} {} reads as: {}", in, stream, read.message());
        }
        if (info->ver != model_.current(in, stream) ||
            info->settings != model_.settings(in, stream))
            return fmt::format("{} {} is at {}, or has other settings", in, stream, info->ver);
        std::vector<version> versions;
        for (const auto& one : model_.served(in)) {
            if (one.stream == stream) versions.push_back(one.ver);
        }
        for (const auto way : {direction::forward, direction::backward}) {
            std::vector<version> read;
            version from = 0;
            do {
                const auto page = log.read_stream(in, stream, from, 3, way);
                if (!page) return page.error().client;
                for (const auto& one : page->batch->events) read.push_back(one.ver);
                from = page->next;
            } while (from != 0);
            if (way == direction::backward) std::reverse(read.begin(), read.end());
            if (read != versions)
                return fmt::format("{} {} has versions [{}], expected [{}]", in, stream,
                                   fmt::join(read, " "), fmt::join(versions, " "));
        }
        if (!stream.starts_with(kept_category)) return std::nullopt;
        const auto history = log.read_history(in, stream, 0, 1000);
        if (!history) return history.error().client;
        std::vector<version> read;
        for (const auto& one : history->batch->events) read.push_back(one.ver);
        if (read == model_.history(in, stream)) return std::nullopt;
        return fmt::format("the history of {} {} is [{}]", in, stream, fmt::join(read, " "));
    }
    std::optional<std::string> list_differs(const std::string& in) {
        std::vector<std::string> read;
        std::string after;
        do {
            const auto page = store_.log().streams(in, {}, {}, after, 2);
            if (!page) return page.error().client;
            for (const auto& one : page->items) read.push_back(one.stream);
            after = page->next;
        } while (!after.empty());
        if (read == model_.streams(in)) return std::nullopt;
        return fmt::format("streams of {}: [{}]", in, fmt::join(read, " "));
    }
    std::optional<std::string> log_differs(const std::string& in, const selector& what) {
        std::vector<std::string> wanted;
        for (const auto& one : model_.served(in, what))
            wanted.push_back(
                fmt::format("{} {} {} {}", one.pos, one.stream, one.ver, one.what.data));
        for (const auto way : {direction::forward, direction::backward}) {
            std::vector<std::string> read;
            position from = 0;
            for (bool end = false; !end;) {
                const auto page = store_.log().read_log({.tenant = in, .what = what}, from, 5, way);
                if (!page) return page.error().client;
                for (const auto& one : page->batch->events)
                    read.push_back(
                        fmt::format("{} {} {} {}", one.pos, one.stream, one.ver, one.data));
                from = page->scanned_to;
                end = page->at_end;
            }
            if (way == direction::backward) std::reverse(read.begin(), read.end());
            if (read != wanted)
                return fmt::format("the log of {} has [{}], expected [{}]", in,
                                   fmt::join(read, ", "), fmt::join(wanted, ", "));
        }
        return std::nullopt;
    }

    store_under_test store_;
    log_model model_;
};

}  // namespace

std::vector<operation> random_operations(std::uint64_t seed, std::size_t count) {
    maker made{seed};
    std::vector<operation> all;
    while (all.size() < count) all.push_back(made.next());
    return all;
}

std::optional<std::string> difference(const std::vector<operation>& all, const backend& which,
                                      log_model::mistake made) {
    pair_of_logs both{which, made};
    std::size_t number = 0;
    for (const auto& one : all) {
        ++number;
        if (!which.keeps && std::holds_alternative<reopen_operation>(one)) continue;
        auto differs = both.run(one);
        if (!differs) differs = both.reads_differ();
        if (differs) return fmt::format("after operation {}: {}", number, *differs);
    }
    return std::nullopt;
}

std::vector<operation> shrunk(std::vector<operation> all, const backend& which,
                              log_model::mistake made) {
    std::size_t runs = 0;
    for (std::size_t size = (all.size() + 1) / 2; size > 0; size /= 2) {
        for (std::size_t from = 0; from < all.size() && runs < runs_to_shrink_max;) {
            auto fewer = all;
            const auto begin = fewer.begin() + static_cast<std::ptrdiff_t>(from);
            fewer.erase(begin,
                        begin + static_cast<std::ptrdiff_t>(std::min(size, all.size() - from)));
            ++runs;
            if (difference(fewer, which, made)) {
                all = std::move(fewer);
            } else {
                from += size;
            }
        }
    }
    return all;
}

namespace {

std::string text(const expected_version& expected, int offset) {
    switch (expected.what) {
        case rule::any:
            return "any";
        case rule::none:
            return "none";
        case rule::exists:
            return "exists";
        case rule::exact:
            return fmt::format("current{:+}", offset);
    }
    return {};
}

std::string text(const reopen_operation&) { return "reopen"; }

std::string text(const append_operation& one) {
    std::string out = "append to " + one.what.tenant;
    for (std::size_t i = 0; i < one.what.appends.size(); ++i) {
        const auto& to = one.what.appends[i];
        out += fmt::format(" | {} expected {}:", to.stream, text(to.expected, one.offsets[i]));
        for (const auto& event : to.events)
            out += fmt::format(" {} {} [{}]", event.id.is_nil() ? "-" : event.id.to_string(),
                               event.type, fmt::join(event.tags, " "));
    }
    if (one.what.condition) {
        out += fmt::format(" | none after {} of", one.what.condition->after);
        for (const auto& clause : one.what.condition->none_match)
            out += fmt::format(" (types [{}] tags [{}] categories [{}] prefix \"{}\")",
                               fmt::join(clause.types, " "), fmt::join(clause.tags, " "),
                               fmt::join(clause.categories, " "), clause.stream_prefix);
    }
    for (const auto& key : one.what.keys)
        out += fmt::format(" | key {} {}", key.name, key.fingerprint);
    return out;
}

std::string text(const change_operation& one) {
    const char* what = one.what.what == change_kind::settings      ? "settings"
                       : one.what.what == change_kind::soft_delete ? "soft delete"
                                                                   : "tombstone";
    return fmt::format("{} of {} {} expected {}, max count {}, truncate {} more", what,
                       one.what.tenant, one.what.stream, text(one.what.expected, one.offset),
                       one.what.settings.max_count.value_or(0), one.more);
}

}  // namespace

std::string describe(const std::vector<operation>& all) {
    std::string out;
    std::size_t number = 0;
    for (const auto& one : all)
        out += fmt::format("{:3}. {}\n", ++number,
                           std::visit([](const auto& of) { return text(of); }, one));
    return out;
}

}  // namespace contract
