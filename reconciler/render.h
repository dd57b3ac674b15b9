#pragma once

#include "reconciler/plan.h"

#include <map>
#include <string>
#include <vector>

namespace kedge::reconciler {

/// The name of container `number` of a service: `<project>-<service>-<number>`, or its container_name.
std::string container_name(const sources::Project& project, const sources::Service& service, int number);

/// What the engine is asked for: container `number` of a service of the target, with Compose's labels and kedge's.
/// `hash` is the service's configuration hash. Pure. Throws Error (invalid_argument) that names the service and the
/// key.
runtime::ContainerSpec render(const Target& target, const sources::Service& service, int number,
                              const std::string& hash);

runtime::NetworkSpec render_network(const Target& target, const sources::Network& network);
runtime::VolumeSpec render_volume(const Target& target, const sources::Volume& volume);

/// Keys of the networks that a service of the target joins, external ones included.
std::vector<std::string> used_networks(const sources::Project& project);

/// The name that a secret's or config's bytes have in Target::files for this use: owner and mode are part of it.
std::string file_name(const sources::FileSource& source, const sources::FileUse& use);

/// By service: a digest of all that makes its containers what they are, but the image and the place of the repository's
/// tree. The same for two commits that differ elsewhere, and for two versions of kedge unless one makes its hashes in
/// another way.
std::map<std::string, std::string> config_hashes(const Target& target);
/// Whether the two were made in the same way; if not, it means nothing that they differ.
bool same_hash_version(const std::string& one, const std::string& other);

}  // namespace kedge::reconciler
