#pragma once

#include "base/error.h"
#include "runtime/images.h"

#include <string>

namespace kedge::runtime {

class RegistryAuth;
struct HttpResponse;
struct Url;

/// What a registry was asked for, in the words of messages.
struct Asked {
    std::string repository;  ///< familiar name without tag
    std::string what;        ///< `manifest for busybox:1.36`, `blob sha256:...`
};

/// `busybox`, `localhost:5000/app`: a reference's familiar name without tag and digest.
std::string repository_name(const Reference& reference);

/// The Error for an answer that is none of success and redirect. `answered`: who sent it, which may be where the
/// registry redirected to.
Error error_of(const HttpResponse& response, const Asked& asked, const Url& registry, const Url& answered,
               const RegistryAuth& auth);

}  // namespace kedge::runtime
