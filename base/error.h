#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace kedge {

/// What kind of failure this is. The list is closed: the API maps it to HTTP statuses,
/// the command line to exit codes, the loop to a release's state.
enum class Code {
    invalid_argument,
    not_found,
    conflict,
    not_modified,
    unauthenticated,
    permission_denied,
    resource_exhausted,
    unavailable,
    cancelled,
    internal,
};

/// The code's name as it appears in JSON: `not_found`.
std::string_view to_string(Code code);

/// The one exception type of kedge. The message names the thing and what is wrong with it
/// (`services.web.ports[0]: "80:x" is not a port`), lower case, without a full stop.
class Error : public std::runtime_error {
public:
    Error(Code code, const std::string& message, std::string hint = {});

    Code code() const { return code_; }

    /// Whether trying the same again later may succeed (network, rate limit, disk full). By default
    /// `unavailable` and `resource_exhausted` are; everything else is not.
    bool transient() const { return transient_; }
    Error& set_transient(bool transient);

    /// What the reader could do about it; empty where nothing helps.
    const std::string& hint() const { return hint_; }

    /// The same error with `context: ` in front of its message.
    Error with_context(std::string_view context) const;

private:
    Code code_;
    bool transient_;
    std::string hint_;
};

/// An Error from an errno value: `what: No space left on device`, with the code that fits
/// (ENOENT not_found, EEXIST conflict, EACCES and EPERM permission_denied,
/// ENOSPC, EDQUOT, EMFILE, ENFILE and ENOMEM resource_exhausted, ETIMEDOUT and ECONNREFUSED unavailable, the rest
/// internal).
Error errno_error(std::string_view what, int error_number);

/// Throws errno_error with the current errno.
[[noreturn]] void throw_errno(std::string_view what);

}  // namespace kedge
