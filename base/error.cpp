#include "base/error.h"

#include "base/errno_text.h"

#include <cctype>
#include <cerrno>
#include <system_error>

namespace kedge {

namespace {

Code code_of_errno(int error_number) {
    switch (error_number) {
        case ENOENT:
        case ESRCH: return Code::not_found;
        case EEXIST:
        case EBUSY:
        case EADDRINUSE: return Code::conflict;
        case EACCES:
        case EPERM: return Code::permission_denied;
        case ENOSPC:
        case EDQUOT:
        case EMFILE:
        case ENFILE:
        case ENOMEM: return Code::resource_exhausted;
        case ETIMEDOUT:
        case ECONNREFUSED:
        case ECONNRESET:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EAGAIN: return Code::unavailable;
        case EINVAL:
        case ENAMETOOLONG: return Code::invalid_argument;
        default: return Code::internal;
    }
}

}  // namespace

std::string_view to_string(Code code) {
    switch (code) {
        case Code::invalid_argument: return "invalid_argument";
        case Code::not_found: return "not_found";
        case Code::conflict: return "conflict";
        case Code::not_modified: return "not_modified";
        case Code::unauthenticated: return "unauthenticated";
        case Code::permission_denied: return "permission_denied";
        case Code::resource_exhausted: return "resource_exhausted";
        case Code::unavailable: return "unavailable";
        case Code::cancelled: return "cancelled";
        case Code::internal: return "internal";
    }
    return "internal";
}

Error::Error(Code code, const std::string& message, std::string hint)
    : std::runtime_error(message),
      code_(code),
      transient_(code == Code::unavailable || code == Code::resource_exhausted),
      hint_(std::move(hint)) {}

Error& Error::set_transient(bool transient) {
    transient_ = transient;
    return *this;
}

Error Error::with_context(std::string_view context) const {
    Error result(code_, std::string(context) + ": " + what(), hint_);
    result.transient_ = transient_;
    return result;
}

Error errno_error(std::string_view what, int error_number) {
    return Error(code_of_errno(error_number), std::string(what) + ": " + errno_text(error_number));
}

std::string errno_text(int error_number) {
    std::string text = std::generic_category().message(error_number);
    // Behind a colon, as all other reasons are written; a name such as RFS stays.
    if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])))
        text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return text;
}

void throw_errno(std::string_view what) {
    throw errno_error(what, errno);
}

}  // namespace kedge
