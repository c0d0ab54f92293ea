#include "store/postgres/view_reader.hpp"

#include "store/postgres/literal.hpp"
#include "store/postgres/view_scan.hpp"
#include "store/view_errors_impl.hpp"

#include <fmt/format.h>
#include <pqxx/row>

#include <algorithm>

namespace flexcore::store::postgres {
namespace {

constexpr std::string_view begin_text = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;";

}  // namespace

/// One transaction, opened late.
class view_moments::moment {
public:
    moment(std::shared_ptr<view_moments> of, sessions::loan session)
        : of_{std::move(of)}, session_{std::move(session)} {}

    /// The rows of `make(table)`, a statement. `Verify` tells whether they were read while the
    /// catalogue had changed that often; without it that is asked for beforehand.
    template <class Make, class Verify = std::nullptr_t>
    result<pqxx::result> ask(std::string_view model, Make make, Verify verify = {}) {
        const std::lock_guard lock{mutex_};
        if (failed_) return fail(*failed_);
        if (!tables_) {
            auto first = ask_first(model, make, verify);
            if (first || !may_begin_anew(first.error())) return first;
            if (auto ok = begin(); !ok) return fail(std::move(ok.error()));
        }
        const auto* table = tables_->find(model);
        if (table == nullptr) return fail(unknown_model(model));
        auto text = make(*table);
        if (!text) return fail(std::move(text.error()));
        return kept((*session_)->script(*text));
    }

    /// Unless it has begun, or is about to.
    void fix() {
        const std::unique_lock lock{mutex_, std::try_to_lock};
        if (!lock || tables_ || failed_ || !session_ || !(*session_)->usable()) return;
        // On failure the first question tries again, with another session: whoever writes must
        // not wait for one.
        (void)begin(false);
    }

    void end() {
        const std::lock_guard lock{mutex_};
        if (session_ && tables_) (*session_)->end_read();
        session_.reset();
    }

private:
    /// Opens the transaction, verifies that the tables known still serve, and asks: in one go.
    template <class Make, class Verify>
    result<pqxx::result> ask_first(std::string_view model, Make& make, Verify& verify) {
        constexpr bool beforehand = std::is_same_v<Verify, std::nullptr_t>;
        auto known = of_->known();
        const auto* table = known->find(model);
        if (table == nullptr) return fail(unknown_model(model));
        auto text = make(*table);
        if (!text) return fail(std::move(text.error()));
        std::string whole{begin_text};
        if (beforehand) whole += fmt::format("SELECT expect_catalogue({});", known->changes);
        auto answer = with_live_session(whole + *text);
        if (!answer) return answer;
        if constexpr (!beforehand) {
            if (!verify(*answer, known->changes)) {
                (void)(*session_)->script("ROLLBACK");
                return fail(unknown_model(model));
            }
        }
        tables_ = std::move(known);
        of_->begun(*this);
        return answer;
    }

    /// Other tables serve than those known, or there was another reason: the transaction that
    /// reads the catalogue itself will tell.
    static bool may_begin_anew(const error& why) {
        return why.code == base_errc::internal || why.code == store_errc::unknown_model ||
               why.code == store_errc::not_indexed;
    }

    result<void> begin(bool may_replace = true) {
        const auto rows =
            with_live_session(std::string{begin_text} + serving_tables_text(), may_replace);
        if (!rows) return fail(rows.error());
        auto tables = serving_tables_in(*rows);
        if (!tables) {
            failed_ = tables.error();
            (void)(*session_)->script("ROLLBACK");
            return fail(std::move(tables.error()));
        }
        of_->learn(*tables);
        tables_ = std::move(*tables);
        of_->begun(*this);
        return {};
    }

    /// Runs what opens the transaction; after a failure none is open. A session may have died
    /// while it lay in the pool: then once more with another.
    result<pqxx::result> with_live_session(const std::string& text, bool may_replace = true) {
        for (bool again = may_replace;; again = false) {
            if (!session_ || !(*session_)->usable()) {
                session_.reset();
                auto lent = of_->pool_->lend();
                if (!lent) return fail(std::move(lent.error()));
                session_.emplace(std::move(*lent));
            }
            auto answer = (*session_)->script(text);
            if (answer) return answer;
            if ((*session_)->usable()) {
                (void)(*session_)->script("ROLLBACK");
                return answer;
            }
            if (!again) return answer;
        }
    }

    /// A failure ends the moment: what came after it would be of another one.
    result<pqxx::result> kept(result<pqxx::result> answer) {
        if (answer) return answer;
        failed_ = error{make_error_code(store_errc::unavailable),
                        "the read was interrupted; try again", answer.error().log};
        return fail(*failed_);
    }

    const std::shared_ptr<view_moments> of_;
    std::mutex mutex_;  ///< of everything below; `fix` comes from another thread
    std::optional<sessions::loan> session_;
    std::shared_ptr<const serving_tables> tables_;  ///< once it has begun
    std::optional<error> failed_;
};

class view_moments::reader final : public view_reader {
public:
    explicit reader(std::shared_ptr<view_moments> of, std::shared_ptr<moment> at)
        : of_{std::move(of)}, at_{std::move(at)} {}
    ~reader() override {
        of_->begun(*at_);
        at_->end();
    }

    result<std::optional<row>> get(std::string_view tenant, std::string_view model,
                                   std::string_view key) override {
        const bool possible = is_storable(tenant) && is_storable(key);
        const auto rows = at_->ask(model, [&](const model_table& table) -> result<std::string> {
            return possible ? get_text(table, tenant, key) : get_text(table, "", "");
        });
        if (!rows) return fail(rows.error());
        return possible ? row_in(*rows, key) : std::nullopt;
    }
    result<row_page> scan(std::string_view tenant, std::string_view model,
                          const scan_query& query) override {
        model_table asked;
        const auto rows = at_->ask(model, [&](const model_table& table) {
            asked = table;
            return scan_text(table, is_storable(tenant) ? tenant : std::string_view{}, query);
        });
        if (!rows) return fail(rows.error());
        return page_in(*rows, asked, query);
    }
    result<position> changed_at(std::string_view model) override {
        const auto rows = at_->ask(model, [](const model_table& table) -> result<std::string> {
            return changed_at_text(table);
        });
        if (!rows) return fail(rows.error());
        return rows->empty() ? position{0} : (*rows)[0][0].as<position>();
    }

private:
    const std::shared_ptr<view_moments> of_;
    const std::shared_ptr<moment> at_;
};

result<std::unique_ptr<view_reader>> view_moments::read() {
    auto lent = pool_->lend();
    if (!lent) return fail(std::move(lent.error()));
    auto made = std::make_shared<moment>(shared_from_this(), std::move(*lent));
    {
        const std::lock_guard lock{mutex_};
        waiting_.push_back(made);
    }
    return std::make_unique<reader>(shared_from_this(), std::move(made));
}

void view_moments::fix() {
    std::vector<std::shared_ptr<moment>> waiting;
    {
        const std::lock_guard lock{mutex_};
        waiting.swap(waiting_);
    }
    for (const auto& one : waiting) one->fix();
}

std::shared_ptr<const serving_tables> view_moments::known() const {
    const std::lock_guard lock{mutex_};
    return known_;
}

void view_moments::learn(std::shared_ptr<const serving_tables> seen) {
    const std::lock_guard lock{mutex_};
    if (seen->changes > known_->changes) known_ = std::move(seen);
}

void view_moments::begun(const moment& one) {
    const std::lock_guard lock{mutex_};
    std::erase_if(waiting_, [&](const auto& other) { return other.get() == &one; });
}

}  // namespace flexcore::store::postgres
