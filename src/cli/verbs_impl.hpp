// Private to src/cli: sub-commands of a sub-command, as `streams list` and `streams delete`.
#pragma once

#include "cli/subcommands_impl.hpp"

#include <memory>
#include <utility>

namespace flexcore::cli {

/// Adds verbs to `flexcore NOUN`, each with its own options and one function that runs it.
/// `Options` has a member `name`, which a verb about one thing takes as its argument.
template <class Options>
class verbs {
public:
    using runner = int (*)(const context&, const Options&);

    verbs(subcommand app, context& c, const char* noun, const char* about, const char* examples)
        : noun_{app.add_subcommand(noun, about)}, context_{c} {
        noun_.require_subcommand();
        noun_.footer(examples);
    }

    std::pair<subcommand, std::shared_ptr<Options>> add(const char* verb, const char* about,
                                                        runner run) {
        const subcommand one = noun_.add_subcommand(verb, about);
        auto o = std::make_shared<Options>();
        one.callback([o, run, &c = context_] { c.action = [o, run, &c] { return run(c, *o); }; });
        return {one, o};
    }

    /// The same for a verb that needs a name; `what` describes it.
    std::pair<subcommand, std::shared_ptr<Options>> add_named(const char* verb, const char* about,
                                                              runner run, const char* argument,
                                                              const char* what) {
        auto made = add(verb, about, run);
        made.first.add_option(argument, made.second->name, what).required().type_name("");
        return made;
    }

private:
    subcommand noun_;
    context& context_;
};

}  // namespace flexcore::cli
