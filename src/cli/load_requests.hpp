// load_requests: heads and bodies of a load's requests.
//
// Threads: one.
#pragma once

#include "cli/load_run.hpp"
#include "cli/load_template.hpp"

namespace flexcore::cli {

class load_requests {
public:
    /// `first` and `step` keep the numbers of several threads apart.
    [[nodiscard]] static result<load_requests> of(const load_plan&, std::uint64_t first = 1,
                                                  std::uint64_t step = 1);
    /// Appends the next request.
    void render(std::string& out, std::size_t index);

private:
    load_requests(load_template head, load_template body, std::uint64_t first, std::uint64_t step)
        : head_{std::move(head)}, body_{std::move(body)}, n_{first}, step_{step} {}
    load_template head_, body_;
    std::string text_;
    std::uint64_t n_, step_;
};

}  // namespace flexcore::cli
