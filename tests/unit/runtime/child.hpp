// A second run of this test program, for what ends a process: defects and signals.
#pragma once

#include <sys/types.h>

#include <string>

class child {
public:
    /// Runs one test case of this program, by its exact name; standard error is read as output.
    explicit child(const std::string& test_case);
    ~child();  ///< kills it when it still runs
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    /// Reads on until `text` has come; false when the output ends before.
    [[nodiscard]] bool says(const std::string& text);
    void signal(int number) const;
    /// Waits for the end. The exit status, or 128 + the signal's number.
    [[nodiscard]] int status();
    /// Everything read so far.
    [[nodiscard]] const std::string& output() const { return output_; }

private:
    pid_t pid_ = -1;
    int pipe_ = -1;
    std::string output_;
};

/// Says a line to the parent, at once.
void say(const std::string& text);
