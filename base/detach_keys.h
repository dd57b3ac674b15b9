#pragma once

#include <string>
#include <string_view>

namespace kedge {

/// The keys that leave a terminal without ending what runs in it.
class DetachKeys {
public:
    /// `ctrl-p,ctrl-q` (also what empty stands for), `ctrl-\\`, `a,b`: single characters or ctrl- and one of
    /// a-z @ [ \ ] ^ _. Error invalid_argument.
    explicit DetachKeys(const std::string& keys);

    /// What of the input goes on; keys that may be the beginning of the sequence are kept back. After the whole
    /// sequence detached() holds, and what follows is dropped.
    std::string pass(std::string_view input);
    bool detached() const { return matched_ == sequence_.size(); }

private:
    std::string sequence_;
    size_t matched_ = 0;
};

}  // namespace kedge
