#pragma once

#include "runtime/containers.h"

#include <string>
#include <utility>
#include <vector>

namespace kedge::test {

/// What tests ask an engine for, in few words.
struct Specs {
    /// A spec of busybox that runs this in `sh -c`.
    static runtime::ContainerSpec shell(const std::string& script, const std::string& name = {}) {
        runtime::ContainerSpec spec;
        spec.name = name;
        spec.image = "busybox";
        spec.command = std::vector<std::string>{"sh", "-c", script};
        return spec;
    }

    static runtime::ExecSpec command(std::vector<std::string> arguments) {
        runtime::ExecSpec spec;
        spec.arguments = std::move(arguments);
        return spec;
    }

    static runtime::Mount bind(const std::string& source, const std::string& target, bool read_only = false) {
        runtime::Mount mount;
        mount.type = runtime::Mount::Type::bind;
        mount.source = source;
        mount.target = target;
        mount.read_only = read_only;
        return mount;
    }

    static runtime::Mount volume(const std::string& name, const std::string& target) {
        runtime::Mount mount;
        mount.source = name;
        mount.target = target;
        return mount;
    }

    static runtime::NetworkAttachment on(const std::string& network, std::vector<std::string> aliases = {}) {
        runtime::NetworkAttachment attachment;
        attachment.network = network;
        attachment.aliases = std::move(aliases);
        return attachment;
    }
};

}  // namespace kedge::test
