#pragma once

#include "runtime/containers/container_record.h"
#include "runtime/images.h"

#include <string>
#include <vector>

namespace kedge::runtime {

/// What a spec and its image come to, as Docker merges them: an entrypoint that was asked for drops the image's
/// command, variables and labels that were asked for win over the image's, volumes of the image become anonymous ones
/// unless something is mounted there; what is `inherited` of other containers gives way to the spec's own mounts. Pure
/// but for the names of anonymous volumes. Fills everything of the record that create() fixes but id and name. Throws
/// Error (invalid_argument) if nothing is left to execute.
ContainerRecord resolve(const ContainerSpec& spec, const ImageInfo& image, const std::vector<Mount>& inherited = {});

/// The whole environment of the first process: PATH, HOSTNAME and TERM, then the container's. Entries without `=` take
/// a variable away.
std::vector<std::string> process_environment(const ContainerInfo& info, const std::string& hostname, bool tty);

/// `base` with `over` on top: same names are replaced in place, new ones follow.
std::vector<std::string> overlay_environment(std::vector<std::string> base, const std::vector<std::string>& over);

/// An absolute path without `.`, `..`, double and trailing slashes.
std::string clean_path(const std::string& path);

}  // namespace kedge::runtime
