#include "store/postgres/event_lists.hpp"

#include "base/names.hpp"
#include "store/postgres/event_row.hpp"

#include <pqxx/result>

#include <algorithm>
#include <map>

namespace flexcore::store::postgres {
namespace {

// Entries by which a list's density is judged; all of a selector's together.
constexpr std::size_t entries_probed_max = 4'096;
constexpr std::size_t probe_max = 256;
constexpr std::size_t probe_min = 8;
constexpr std::size_t categories_joined_max = 256;

/// Of the list of the name `n`, among $1 to $2: how many of the first $3 there are, and the last
/// of them.
std::string probe(bool forward) {
    const auto of = [&](std::string_view table, std::string_view column, name_kind kind) {
        return fmt::format(
            "(SELECT x.position FROM {} x WHERE n.kind = {} AND x.{} = n.id"
            " AND x.position >= $1 AND x.position <= $2 ORDER BY x.position{} LIMIT $3)",
            table, static_cast<int>(kind), column, forward ? "" : " DESC");
    };
    return fmt::format(
        " LEFT JOIN LATERAL (SELECT count(*) AS entries, {}(p.position) AS edge FROM"
        " ({} UNION ALL {} UNION ALL {}) p) l ON true",
        forward ? "max" : "min", of("events", "category", name_kind::category),
        of("events", "type", name_kind::type), of("event_tags", "tag", name_kind::tag));
}

constexpr const char* columns = "SELECT n.kind, n.name, n.id, l.entries, l.edge FROM ";
constexpr const char* tenant_4 =
    "(SELECT id FROM names WHERE kind = 1 AND tenant = 0 AND name = $4) t";

struct texts {
    explicit texts(bool forward)
        : of_all{fmt::format(
              "{}unnest($4::smallint[], $5::text[]) AS a(kind, name) LEFT JOIN LATERAL"
              " (SELECT * FROM names WHERE kind = a.kind AND name = a.name OFFSET 0) n ON true{}",
              columns, probe(forward))},
          of_tenant{fmt::format(
              "{}{} LEFT JOIN unnest($5::smallint[], $6::text[]) AS a(kind, name) ON true"
              " LEFT JOIN LATERAL (SELECT * FROM names n WHERE {} LIMIT 1) n ON true{}",
              columns, tenant_4, is_name_of("a.kind", "t.id", "a.name"), probe(forward))},
          categories{fmt::format(
              "{}{} LEFT JOIN LATERAL (SELECT * FROM names WHERE kind = 2 AND tenant = t.id"
              " LIMIT {}) n ON true{}",
              columns, tenant_4, categories_joined_max + 1, probe(forward))} {}
    const std::string of_all, of_tenant, categories;
};

const texts& texts_of(bool forward) {
    static const texts there{true};
    static const texts back{false};
    return forward ? there : back;
}

using name_key = std::pair<name_kind, std::string>;
using known_names = std::map<name_key, id_list>;

std::vector<std::string> categories_of(const selector_clause& clause) {
    // A prefix that goes beyond the category says which one it is.
    if (clause.categories.empty() && clause.stream_prefix.find('-') != std::string::npos) {
        return {std::string{category_of(clause.stream_prefix)}};
    }
    return clause.categories;
}

void ask(known_names& into, name_kind kind, const std::vector<std::string>& names) {
    for (const auto& name : names) {
        if (is_storable(name)) into.try_emplace({kind, name});
    }
}

/// Ids that any of the names has; none when it has no names.
std::optional<id_list> any_of(const known_names& known, name_kind kind,
                              const std::vector<std::string>& names) {
    if (names.empty()) return std::nullopt;
    id_list all;
    for (const auto& name : names) {
        const auto found = known.find({kind, name});
        if (found == known.end()) continue;
        all.ids.insert(all.ids.end(), found->second.ids.begin(), found->second.ids.end());
        all.density += found->second.density;
    }
    return all;
}

void take(selector_lists& all, id_list selector_lists::* into, const id_list& from) {
    auto& ids = (all.*into).ids;
    ids.insert(ids.end(), from.ids.begin(), from.ids.end());
    all.density += from.density;
}

/// Adds the clause and the sparsest list it has, if it can match at all.
void add_clause(selector_lists& all, const selector_clause& clause, const known_names& known) {
    clause_lists made{.types = any_of(known, name_kind::type, clause.types),
                      .categories = any_of(known, name_kind::category, categories_of(clause)),
                      .tags = clause.tags,
                      .stream_prefix = clause.stream_prefix};
    if (!is_storable(made.stream_prefix)) return;
    const id_list* sparsest = nullptr;
    id_list selector_lists::* kind = nullptr;
    bool possible = true;
    const auto consider = [&](const id_list& one, id_list selector_lists::* of) {
        possible = possible && !one.ids.empty();
        if (sparsest != nullptr && sparsest->density <= one.density) return;
        sparsest = &one;
        kind = of;
    };
    if (made.types) consider(*made.types, &selector_lists::types);
    if (made.categories) consider(*made.categories, &selector_lists::categories);
    for (const auto& tag : made.tags) {
        static const id_list unknown;
        const auto found = known.find({name_kind::tag, tag});
        consider(found == known.end() ? unknown : found->second, &selector_lists::tags);
    }
    if (!possible) return;
    if (sparsest == nullptr) {
        all.density += 1;
    } else {
        take(all, kind, *sparsest);
    }
    all.clauses.push_back(std::move(made));
}

void unite(id_list& list) {
    std::sort(list.ids.begin(), list.ids.end());
    list.ids.erase(std::unique(list.ids.begin(), list.ids.end()), list.ids.end());
}

/// What a row says of a list's density.
double density_of(const pqxx::result& rows, int row, std::size_t probed, const log_range& range) {
    const auto entries = integer(rows, row, static_cast<column>(3));
    if (entries == 0) return 0;
    auto span = range.high - range.low + 1;
    if (static_cast<std::size_t>(entries) == probed) {
        const auto edge = static_cast<position>(integer(rows, row, static_cast<column>(4)));
        span = (range.forward ? edge - range.low : range.high - edge) + 1;
    }
    return static_cast<double>(entries) / static_cast<double>(span);
}

}  // namespace

result<selector_lists> find_lists(connection& db, const log_filter& filter,
                                  const log_range& range) {
    known_names names;
    for (const auto& clause : filter.what) {
        ask(names, name_kind::type, clause.types);
        ask(names, name_kind::category, categories_of(clause));
        ask(names, name_kind::tag, clause.tags);
    }
    array_text kinds;
    array_text asked;
    for (const auto& [key, list] : names) {
        kinds.add(static_cast<int>(key.first));
        asked.add(key.second);
    }
    const auto lists = filter.what.empty() ? categories_joined_max : names.size() + 1;
    const auto probed = std::clamp(entries_probed_max / lists, probe_min, probe_max);
    params with;
    with.add(range.low).add(range.high).add(probed);
    const auto& texts = texts_of(range.forward);
    sql what{range.forward ? "lists_forward" : "lists_backward", texts.of_all.c_str()};
    if (filter.tenant) {
        with.add(*filter.tenant);
        what = {range.forward ? "tenant_lists_forward" : "tenant_lists_backward",
                texts.of_tenant.c_str()};
    }
    if (filter.what.empty()) {
        what = {range.forward ? "categories_forward" : "categories_backward",
                texts.categories.c_str()};
    } else {
        with.add(kinds).add(asked);
    }
    const auto rows = db.run(what, with);
    if (!rows) return fail(rows.error());

    selector_lists all;
    all.known_tenant = !filter.tenant || !rows->empty();
    for (int row = 0; row < static_cast<int>(rows->size()); ++row) {
        if (is_null(*rows, row, static_cast<column>(2))) continue;
        const auto id = integer(*rows, row, static_cast<column>(2));
        const auto density = density_of(*rows, row, probed, range);
        auto& of = filter.what.empty()
                       ? all.categories
                       : names[{static_cast<name_kind>(integer(*rows, row, column{})),
                                std::string{text(*rows, row, static_cast<column>(1))}}];
        of.ids.push_back(id);
        of.density += density;
    }
    if (filter.what.empty()) {
        all.density =
            all.categories.ids.size() > categories_joined_max ? 1 : all.categories.density;
        return all;
    }
    for (const auto& clause : filter.what) add_clause(all, clause, names);
    for (auto* list : {&all.types, &all.categories, &all.tags}) unite(*list);
    return all;
}

}  // namespace flexcore::store::postgres
