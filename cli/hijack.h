#pragma once

#include "base/fd.h"
#include "cli/http_reply.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace kedge::cli {

/// A request whose connection becomes a pipe in both directions, as Docker's attach and exec have it. Not for several
/// threads.
class Hijacked {
public:
    /// POSTs `body` (null: none) and returns once the head of the answer is there. Error replies are thrown as Error.
    Hijacked(const std::string& socket, const std::string& path, const nlohmann::json& body);

    /// A field of the answer's head, by its name in lower case; empty if it isn't there.
    std::string header(const std::string& name) const;
    /// For poll: readable when something came, or at the end.
    int fd() const { return socket_.get(); }
    /// What came, valid until the next call; empty at the end. Blocks.
    std::string_view read();
    /// How many bytes there was room for; nothing once the other side reads no more. Doesn't block.
    std::optional<size_t> write_some(std::string_view data);
    /// Tells the other side that no more will come.
    void end_writing();

private:
    Fd socket_;
    ReplyHead answer_;
    char buffer_[65536];  // not cleared: what is not used costs nothing
};

}  // namespace kedge::cli
