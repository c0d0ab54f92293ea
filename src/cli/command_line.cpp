#include "cli/command_line_impl.hpp"

#include "base/nearest.hpp"
#include "cli/subcommands_impl.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <charconv>
#include <ostream>
#include <string_view>
#include <utility>

namespace flexcore::cli {
namespace {

/// The sub-command that was reached, and how it was called.
const CLI::App& deepest(const CLI::App& app, std::string& path) {
    const CLI::App* at = &app;
    path = app.get_name();
    while (!at->get_subcommands().empty()) {
        at = at->get_subcommands().front();
        path += " " + at->get_name();
    }
    return *at;
}

std::vector<std::string> names_in(const CLI::App& app, bool options) {
    std::vector<std::string> names;
    if (options)
        for (const CLI::Option* one : app.get_options())
            for (const std::string& name : one->get_lnames()) names.push_back("--" + name);
    else
        for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
            names.push_back(sub->get_name());
    return names;
}

/// What CLI11 says names the texts it could not place; the nearest right one is ours to find.
std::string usage_error(const CLI::App& app, const CLI::ParseError& e) {
    std::string path;
    const CLI::App& reached = deepest(app, path);
    const std::vector<std::string> extra = app.remaining(true);
    // A misspelt sub-command is also a missing one, which CLI11 says first.
    const bool misplaced = dynamic_cast<const CLI::ExtrasError*>(&e) != nullptr ||
                           dynamic_cast<const CLI::RequiredError*>(&e) != nullptr;
    if (extra.empty() && misplaced && !names_in(reached, false).empty())
        return fmt::format("{}: a sub-command is missing; there are {}", path,
                           fmt::join(names_in(reached, false), ", "));
    if (extra.empty() || !misplaced) return fmt::format("{}: {}", path, e.what());
    const std::string& word = extra.front();
    const bool dashed = word.starts_with('-');
    const std::vector<std::string> names = names_in(reached, dashed);
    const auto near = nearest_name(word.substr(0, word.find('=')), names);
    const char* kind = dashed ? "option" : names.empty() ? "argument" : "sub-command";
    if (dashed && near == word.substr(0, word.find('=')))
        return fmt::format("{0}: {1} stands after the sub-command: {0} {1} …", path, *near);
    std::string text = fmt::format("{}: unknown {} \"{}\"", path, kind, word);
    if (!dashed && reached.get_option_no_throw("--param") != nullptr)
        text += word.find('=') == std::string::npos
                    ? "; parameters are given as --param NAME=VALUE"
                    : fmt::format("; did you mean --param {}?", word);
    else if (near)
        text += fmt::format("; did you mean {}?", *near);
    else if (!dashed && !names.empty())
        text += fmt::format("; there are {}", fmt::join(names, ", "));
    return text;
}

/// What a function says is wrong, as CLI11 hears of it.
void refuse_unless_empty(const std::string& wrong) {
    if (!wrong.empty()) throw CLI::ValidationError(wrong);
}

option repeated(CLI::Option& one) {
    return option{*one.expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)};
}

}  // namespace

option option::type_name(const char* name) const { return option{*of_->type_name(name)}; }

option option::required() const { return option{*of_->required()}; }

option option::excludes(option other) const { return option{*of_->excludes(other.of_)}; }

option option::needs(option other) const { return option{*of_->needs(other.of_)}; }

option option::range(long long least, long long most) const {
    return option{*of_->check(CLI::Range(least, most))};
}

option option::between(double least, double most) const {
    const auto wrong = [least, most](const std::string& text) {
        double value = 0;
        const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool number = ec == std::errc{} && end == text.data() + text.size();
        // So written, it refuses "nan" too, which CLI11's Range takes.
        if (number && value >= least && value <= most) return std::string{};
        return fmt::format("must be from {} to {}, not \"{}\"", least, most, text);
    };
    return option{*of_->check(CLI::Validator{wrong, fmt::format("FROM {} TO {}", least, most)})};
}

option option::check(value_function wrong) const {
    return option{*of_->check(CLI::Validator{std::move(wrong), ""})};
}

subcommand subcommand::add_subcommand(const char* name, const char* about) const {
    return subcommand{*of_->add_subcommand(name, about)};
}

void subcommand::require_subcommand() const { of_->require_subcommand(1); }

void subcommand::footer(const std::string& text) const { of_->footer(text); }

void subcommand::callback(std::function<void()> chosen) const { of_->callback(std::move(chosen)); }

option subcommand::add_option(const char* name, std::string& into, const char* about) const {
    return option{*of_->add_option(name, into, about)};
}

option subcommand::add_option(const char* name, std::optional<std::string>& into,
                              const char* about) const {
    // CLI11 would take "" for a value that is not there.
    return option{*of_->add_option_function<std::string>(
        name, [&into](const std::string& text) { into = text; }, about)};
}

option subcommand::add_option(const char* name, int& into, const char* about) const {
    return option{*of_->add_option(name, into, about)};
}

option subcommand::add_option(const char* name, std::size_t& into, const char* about) const {
    return option{*of_->add_option(name, into, about)};
}

option subcommand::add_option(const char* name, double& into, const char* about) const {
    return option{*of_->add_option(name, into, about)};
}

option subcommand::add_option(const char* name, const value_function& take,
                              const char* about) const {
    return option{*of_->add_option_function<std::string>(
        name, [take](const std::string& text) { refuse_unless_empty(take(text)); }, about)};
}

option subcommand::add_flag(const char* name, bool& into, const char* about) const {
    return option{*of_->add_flag(name, into, about)};
}

option subcommand::add_repeatable(const char* name, std::vector<std::string>& into,
                                  const char* about) const {
    return repeated(*of_->add_option(name, into, about));
}

option subcommand::add_repeatable(const char* name, const values_function& take,
                                  const char* about) const {
    using texts = std::vector<std::string>;
    return repeated(*of_->add_option_function<texts>(
        name, [take](const texts& all) { refuse_unless_empty(take(all)); }, about));
}

subcommand_shape shape_of(subcommand at) {
    subcommand_shape out{at.of_->get_name(), at.of_->get_description(), {}, {}};
    for (const CLI::Option* one : std::as_const(*at.of_).get_options()) {
        const bool flag = one->get_items_expected_max() == 0;
        option_shape shape{{}, one->get_description(), flag ? "" : one->get_type_name()};
        for (const std::string& name : one->get_lnames()) shape.names.push_back("--" + name);
        for (const std::string& name : one->get_snames()) shape.names.push_back("-" + name);
        out.options.push_back(std::move(shape));
    }
    for (CLI::App* sub : at.of_->get_subcommands([](CLI::App*) { return true; }))
        out.subs.push_back(shape_of(subcommand{*sub}));
    return out;
}

command_line::command_line(const char* about, const std::string& version, const char* footer)
    : app_{std::make_unique<CLI::App>(about, "flexcore")} {
    app_->require_subcommand(1);
    app_->set_version_flag("--version", version);
    app_->footer(footer);
}

command_line::~command_line() = default;

std::optional<int> command_line::parse(std::span<const std::string> args, streams io) {
    // CLI11 takes them from the back.
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    if (!reversed.empty() && reversed.back() == "help") {  // `help query` is `query --help`
        reversed.pop_back();
        reversed.insert(reversed.begin(), "--help");
    }
    try {
        app_->parse(std::move(reversed));
    } catch (const CLI::Success& e) {
        return app_->exit(e, io.out, io.err);  // --help, --version
    } catch (const CLI::ParseError& e) {
        std::string path;
        (void)deepest(*app_, path);
        io.err << fmt::format("error: {}\n`{} --help` tells more\n", usage_error(*app_, e), path);
        return exit_usage;
    }
    return std::nullopt;
}

}  // namespace flexcore::cli
