// Runs a fuzz target over files, without libFuzzer: each file of the folders named, and the empty
// input. So a crash that was found once stays mended in every build.
#include "fuzz/target.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_below(const std::vector<std::string>& folders) {
    std::vector<fs::path> files;
    for (const auto& folder : folders)
        for (const auto& entry : fs::directory_iterator{folder})
            if (entry.is_regular_file()) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
}

void run(const std::string& input) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

}  // namespace

int main(int count, char** words) {
    const std::vector<std::string> folders(words + 1, words + count);
    const auto files = files_below(folders);
    run({});
    for (const auto& path : files) {
        // Told before: when it ends the process, the last name is the input that did.
        std::printf("%s\n", path.filename().c_str());
        std::fflush(stdout);
        std::ifstream file{path, std::ios::binary};
        run(std::string{std::istreambuf_iterator<char>{file}, {}});
    }
    std::printf("%zu inputs replayed\n", files.size() + 1);
    return files.empty() ? 1 : 0;
}
