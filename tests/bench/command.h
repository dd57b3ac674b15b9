#pragma once

#include "base/fd.h"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace kedge::bench {

/// Ends the program with this message.
[[noreturn]] void fail(const std::string& what);

/// Milliseconds that this takes.
double timed(const std::function<void()>& work);

/// Looks every few milliseconds until it holds; after the patience the program ends with `what`. For what surrounds a
/// measured part only.
void wait_for(const std::string& what, std::chrono::seconds patience, const std::function<bool()>& holds);

/// A program with its arguments, in a network namespace of its own if one is named.
struct Command {
    std::vector<std::string> words;
    std::string network_namespace;  ///< path; empty: this one

    /// From `words` with spaces between them.
    static Command from(const std::string& text, std::string network_namespace = {});
    /// Runs it with its output thrown away and waits. A failure ends this program.
    void run() const;
};

/// kedge-floor, which makes one round for each line that it is sent.
class Floor {
public:
    explicit Floor(const Command& command);
    ~Floor();
    double once();

private:
    int pid_ = -1;
    Fd to_, from_;
};

}  // namespace kedge::bench
