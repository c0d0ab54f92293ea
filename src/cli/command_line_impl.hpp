// Private to src/cli: the command line as the sub-commands declare it.
//
// CLI11 reads it; it is headers only and half a megabyte of code in each file that includes it, so
// command_line.cpp alone does. Handles are cheap to copy, and live as long as their command_line.
#pragma once

#include "cli/cli.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

// NOLINTBEGIN(readability-identifier-naming): CLI11 names them
namespace CLI {
class App;
class Option;
}  // namespace CLI
// NOLINTEND(readability-identifier-naming)

namespace flexcore::cli {

/// Takes or looks at a value; what it returns says what is wrong with it, nothing when it is fine.
using value_function = std::function<std::string(const std::string&)>;
using values_function = std::function<std::string(const std::vector<std::string>&)>;

/// An option or argument that was declared.
class option {
public:
    explicit option(CLI::Option& of) : of_{&of} {}

    /// What `--help` calls the value; completion offers files for FILE, folders for FOLDER, and
    /// the words of a|b. "": nothing.
    option type_name(const char*) const;
    option required() const;
    /// May not stand beside the other one.
    option excludes(option other) const;
    /// May only stand beside the other one.
    option needs(option other) const;
    /// A whole number of these bounds, both included.
    option range(long long least, long long most) const;
    /// A number of these bounds, both included.
    option between(double least, double most) const;
    option check(value_function) const;

private:
    CLI::Option* of_;
};

/// A sub-command, or the program itself. What is filled in must live until its callback has run.
class subcommand {
public:
    explicit subcommand(CLI::App& of) : of_{&of} {}

    subcommand add_subcommand(const char* name, const char* about) const;
    /// One of its sub-commands must be named.
    void require_subcommand() const;
    /// What `--help` says last.
    void footer(const std::string&) const;
    /// Runs when it was the one chosen and the whole command line was right.
    void callback(std::function<void()>) const;

    /// `--name`, or an argument when the name has no dashes. A number that is none is refused.
    option add_option(const char* name, std::string& into, const char* about) const;
    option add_option(const char* name, std::optional<std::string>& into, const char* about) const;
    option add_option(const char* name, int& into, const char* about) const;
    option add_option(const char* name, std::size_t& into, const char* about) const;
    option add_option(const char* name, double& into, const char* about) const;
    option add_option(const char* name, const value_function& take, const char* about) const;
    option add_flag(const char* name, bool& into, const char* about) const;
    /// May be given again and again, a value each time.
    option add_repeatable(const char* name, std::vector<std::string>& into,
                          const char* about) const;
    option add_repeatable(const char* name, const values_function& take, const char* about) const;

private:
    friend struct subcommand_shape shape_of(subcommand);
    CLI::App* of_;
};

/// What a sub-command takes, for completion.
struct option_shape {
    std::vector<std::string> names;  ///< "--file", "-h"; none: an argument
    std::string about;
    std::string type;  ///< empty: a flag
};
struct subcommand_shape {
    std::string name, about;
    std::vector<option_shape> options;
    std::vector<subcommand_shape> subs;
};
[[nodiscard]] subcommand_shape shape_of(subcommand);

/// The whole of it.
class command_line {
public:
    command_line(const char* about, const std::string& version, const char* footer);
    ~command_line();
    command_line(const command_line&) = delete;
    command_line& operator=(const command_line&) = delete;

    [[nodiscard]] subcommand root() const { return subcommand{*app_}; }
    /// Fills in what was declared and runs the chosen callback. An exit code when nothing is left
    /// to do: --help or --version was printed (0), or what is wrong was said on `err`, with the
    /// nearest right name (2).
    [[nodiscard]] std::optional<int> parse(std::span<const std::string> args, streams io);

private:
    std::unique_ptr<CLI::App> app_;
};

}  // namespace flexcore::cli
