#pragma once

#include "base/fd.h"

#include <exception>
#include <functional>
#include <string_view>
#include <thread>

namespace kedge {

/// Bytes that come piece by piece, for somebody who reads them from a descriptor: a pipe, and a thread that fills it.
class Piped {
public:
    using Write = std::function<void(std::string_view)>;
    /// `make` is called on the thread; `write` throws once nobody reads any more.
    explicit Piped(std::function<void(const Write& write)> make);
    ~Piped();  ///< what was not read is dropped
    Piped(const Piped&) = delete;
    Piped& operator=(const Piped&) = delete;

    int read_end() const { return read_.get(); }

    /// Reads no more; throws what `make` threw, if it was not told to end by that. After the end of the pipe was read:
    /// whether that was all.
    void finish();

private:
    void write(std::string_view piece);

    Fd read_, write_;
    bool given_up_ = false;
    std::exception_ptr failure_;
    std::thread thread_;
};

}  // namespace kedge
