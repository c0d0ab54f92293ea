// flexcore completion: scripts for shells, made from the tree of sub-commands itself.
//
// The variables' names are none that a shell gives a meaning: `path` and `options` have one in zsh.
// All three walk the words before the cursor to the sub-command they name, and then offer what
// that one has. What an option takes follows from its type's name: FILE, FOLDER, or a|b|c.
#include "cli/subcommands_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <ostream>

namespace flexcore::cli {
namespace {

struct node {
    std::string path;  ///< "flexcore events read"
    std::string name, about;
    std::vector<option_shape> options;
    std::vector<node> subs;
    std::string positional;  ///< the type of its first argument
};

/// One line without what shells would make something of.
std::string plain_line(std::string text) {
    text = text.substr(0, text.find('\n'));
    std::erase_if(text, [](char c) {
        return c == '\'' || c == '"' || c == '`' || c == '$' || c == '\\' || c == '[' || c == ']';
    });
    return text;
}

node node_of(const subcommand_shape& of, const std::string& above) {
    node out;
    out.name = of.name;
    out.path = above.empty() ? out.name : above + " " + out.name;
    out.about = plain_line(of.about);
    for (const option_shape& one : of.options) {
        if (!one.names.empty())
            out.options.push_back({one.names, plain_line(one.about), one.type});
        else if (out.positional.empty())
            out.positional = one.type;
    }
    for (const subcommand_shape& sub : of.subs) out.subs.push_back(node_of(sub, out.path));
    return out;
}

template <class Visit>
void visit(const node& at, const Visit& each) {
    each(at);
    for (const node& sub : at.subs) visit(sub, each);
}

bool is_file(const std::string& type) { return type.starts_with("FILE"); }
bool is_folder(const std::string& type) { return type.starts_with("FOLDER"); }
bool is_choice(const std::string& type) { return type.find('|') != std::string::npos; }
std::string choices_of(std::string type) {
    std::ranges::replace(type, '|', ' ');
    return type;
}

/// "'flexcore serve --data'|…": a pattern of bash and zsh.
std::string patterns_of(const node& at, const option_shape& option) {
    std::string out;
    for (const std::string& name : option.names)
        out += fmt::format("{}'{} {}'", out.empty() ? "" : "|", at.path, name);
    return out;
}

/// The lines that walk from the words to the path of the sub-command; the same in bash and zsh.
std::string walk_cases(const node& root) {
    std::string out;
    visit(root, [&](const node& at) {
        for (const node& sub : at.subs)
            out += fmt::format("            '{} {}') node='{}' ;;\n", at.path, sub.name, sub.path);
    });
    return out;
}

std::string bash_script(const node& root) {
    std::string values, words;
    visit(root, [&](const node& at) {
        std::vector<std::string> offered, subs;
        for (const option_shape& option : at.options) {
            offered.insert(offered.end(), option.names.begin(), option.names.end());
            if (option.type.empty()) continue;
            const std::string patterns = patterns_of(at, option);
            const std::string what =
                is_file(option.type)
                    ? "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$word\"))"
                : is_folder(option.type)
                    ? "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$word\"))"
                : is_choice(option.type)
                    ? fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$word\"))",
                                  choices_of(option.type))
                    : ":";
            values += fmt::format("        {}) {}; return ;;\n", patterns, what);
        }
        for (const node& sub : at.subs) subs.push_back(sub.name);
        if (is_choice(at.positional)) subs.push_back(choices_of(at.positional));
        words += fmt::format("        '{}') options='{}' subs='{}' files={} ;;\n", at.path,
                             fmt::join(offered, " "), fmt::join(subs, " "),
                             is_file(at.positional) ? "yes" : "no");
    });
    return fmt::format(R"(# bash completion for flexcore. Try it: source <(flexcore completion bash)
# Keep it:  flexcore completion bash > ~/.local/share/bash-completion/completions/flexcore
_flexcore() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} node={0} i
    local options='' subs='' files=no
    COMPREPLY=()
    # A value after '=' is a word of its own to bash.
    if [[ $word == = ]]; then word=''; elif [[ $before == = ]]; then before=${{COMP_WORDS[COMP_CWORD-2]}}; fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$node ${{COMP_WORDS[i]}}" in
{1}        esac
    done
    case "$node $before" in
{2}    esac
    case "$node" in
{3}    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$word"))
    elif [[ -n $subs ]]; then
        COMPREPLY=($(compgen -W "$subs" -- "$word"))
    elif [[ $files == yes ]]; then
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}}
complete -F _flexcore flexcore
)",
                       root.path, walk_cases(root), values, words);
}

std::string zsh_script(const node& root) {
    std::string values, words;
    const auto described = [](const std::string& name, const std::string& about) {
        std::string key = name;
        for (std::size_t at = 0; (at = key.find(':', at)) != std::string::npos; at += 2)
            key.insert(at, 1, '\\');
        return fmt::format(" '{}:{}'", key, about);
    };
    visit(root, [&](const node& at) {
        std::string offered, subs;
        for (const option_shape& option : at.options) {
            for (const std::string& name : option.names) offered += described(name, option.about);
            if (option.type.empty()) continue;
            const std::string patterns = patterns_of(at, option);
            const std::string what = is_file(option.type)     ? "_files"
                                     : is_folder(option.type) ? "_files -/"
                                     : is_choice(option.type)
                                         ? "compadd -- " + choices_of(option.type)
                                         : fmt::format("_message '{}'", option.about);
            values += fmt::format("        {}) {}; return ;;\n", patterns, what);
        }
        for (const node& sub : at.subs) subs += described(sub.name, sub.about);
        if (is_choice(at.positional)) subs += " " + choices_of(at.positional);
        words += fmt::format("        '{}') opts=({} ) subs=({} ) files={} ;;\n", at.path, offered,
                             subs, is_file(at.positional) ? "yes" : "no");
    });
    return fmt::format(R"(#compdef flexcore
# zsh completion for flexcore. Try it: source <(flexcore completion zsh)
# Keep it:  flexcore completion zsh > "${{fpath[1]}}/_flexcore"
_flexcore() {{
    local word=$words[CURRENT] before=$words[CURRENT-1] node={0} files=no i
    local -a opts subs
    for ((i = 2; i < CURRENT; i++)); do
        case "$node $words[i]" in
{1}        esac
    done
    case "$node $before" in
{2}    esac
    case "$node" in
{3}    esac
    if [[ $word == -* ]]; then
        _describe -o option opts
    elif (( $#subs )); then
        _describe command subs
    elif [[ $files == yes ]]; then
        _files
    fi
}}
if [[ ${{funcstack[1]}} == _flexcore ]]; then _flexcore "$@"; else compdef _flexcore flexcore; fi
)",
                       root.path, walk_cases(root), values, words);
}

std::string fish_script(const node& root) {
    std::string cases, lines;
    visit(root, [&](const node& at) {
        for (const node& sub : at.subs) {
            cases += fmt::format("            case '{} {}'\n                set path '{}'\n",
                                 at.path, sub.name, sub.path);
            lines += fmt::format("complete -c flexcore -n \"__flexcore_at '{}'\" -a {} -d '{}'\n",
                                 at.path, sub.name, sub.about);
        }
        for (const option_shape& option : at.options) {
            std::string names;
            for (const std::string& name : option.names)
                names += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
            std::string takes;
            if (is_file(option.type))
                takes = " -r -F";
            else if (is_folder(option.type))
                takes = " -x -a '(__fish_complete_directories)'";
            else if (is_choice(option.type))
                takes = fmt::format(" -x -a '{}'", choices_of(option.type));
            else if (!option.type.empty())
                takes = " -x";
            lines += fmt::format("complete -c flexcore -n \"__flexcore_at '{}'\"{}{} -d '{}'\n",
                                 at.path, names, takes, option.about);
        }
        if (is_choice(at.positional))
            lines += fmt::format("complete -c flexcore -n \"__flexcore_at '{}'\" -a '{}'\n",
                                 at.path, choices_of(at.positional));
        if (is_file(at.positional))
            lines += fmt::format("complete -c flexcore -n \"__flexcore_at '{}'\" -F\n", at.path);
    });
    return fmt::format(R"(# fish completion for flexcore. Try it: flexcore completion fish | source
# Keep it:  flexcore completion fish > ~/.config/fish/completions/flexcore.fish
function __flexcore_at
    set -l path {0}
    for word in (commandline -opc)[2..-1]
        switch "$path $word"
{1}        end
    end
    test "$path" = "$argv[1]"
end
complete -c flexcore -f
{2})",
                       root.path, cases, lines);
}

}  // namespace

void add_completion(subcommand app, context& c) {
    const subcommand one =
        app.add_subcommand("completion", "Print a script that completes words in a shell");
    auto shell = std::make_shared<std::string>();
    one.add_option("SHELL", *shell, "For which shell")
        .required()
        .type_name("bash|zsh|fish")
        .check([](const std::string& text) {
            const bool known = text == "bash" || text == "zsh" || text == "fish";
            return known ? std::string{}
                         : fmt::format("SHELL must be bash, zsh or fish, not \"{}\"", text);
        });
    one.footer(
        "Examples:\n"
        "  source <(flexcore completion bash)\n"
        "  flexcore completion bash > ~/.local/share/bash-completion/completions/flexcore\n"
        "  flexcore completion zsh > \"${fpath[1]}/_flexcore\"\n"
        "  flexcore completion fish > ~/.config/fish/completions/flexcore.fish");
    one.callback([shell, app, &c] {
        c.action = [shell, app, &c] {
            const node root = node_of(shape_of(app), {});
            c.io.out << (*shell == "bash"  ? bash_script(root)
                         : *shell == "zsh" ? zsh_script(root)
                                           : fish_script(root));
            return exit_done;
        };
    });
}

}  // namespace flexcore::cli
