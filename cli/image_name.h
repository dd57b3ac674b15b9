#pragma once

#include <string>

namespace kedge::cli {

/// An image's name, taken apart as Docker does.
struct ImageName {
    std::string repository;  ///< with its registry, as it was given
    std::string tag;         ///< empty if none was given
    std::string digest;      ///< `sha256:...`, empty if none was given

    /// Anything is taken; whether it is a name is the agent's to say.
    static ImageName parse(const std::string& text);
    bool has_tag() const { return !tag.empty() || !digest.empty(); }
    /// With the tag `latest` if it has neither tag nor digest: `busybox:latest`.
    std::string with_tag() const;
    /// The same with the registry and path that are left out: `docker.io/library/busybox:latest`.
    std::string full() const;
};

}  // namespace kedge::cli
