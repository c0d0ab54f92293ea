// view_moments: hands out readers, each of which sees one moment of the serving read models.
//
// Cost:    the first question opens its transaction in the same round trip; a reader that asks
//          nothing costs none. So the moment lies between `read` and the first answer, and no
//          change of this process that is written after `read` is in it: whoever writes says so
//          before (`fix`), and readers that have not begun begin then.
// Tables:  which ones serve is remembered here and verified by each reader's first statement.
// Threads: any; a reader's calls one at a time.
#pragma once

#include "store/postgres/sessions.hpp"
#include "store/postgres/view_catalogue.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace flexcore::store::postgres {

class view_moments : public std::enable_shared_from_this<view_moments> {
public:
    explicit view_moments(std::shared_ptr<sessions> pool) : pool_{std::move(pool)} {}

    [[nodiscard]] result<std::unique_ptr<view_reader>> read();
    /// Readers that have not begun see what is there now, before anything changes. A reader that
    /// is just beginning is not waited for.
    void fix();

private:
    class moment;
    class reader;

    [[nodiscard]] std::shared_ptr<const serving_tables> known() const;
    void learn(std::shared_ptr<const serving_tables>);
    void begun(const moment&);

    const std::shared_ptr<sessions> pool_;
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<moment>> waiting_;  ///< not begun
    std::shared_ptr<const serving_tables> known_ = std::make_shared<serving_tables>();
};

}  // namespace flexcore::store::postgres
