#pragma once

#include "reconciler/plan.h"

#include <string>
#include <vector>

namespace kedge::reconciler {

// The parts of render() that read Compose's short notations. Throw Error (invalid_argument) that names the service and
// the key.

/// Volumes, binds, tmpfs, and the read-only binds of secrets and configs.
std::vector<runtime::Mount> render_mounts(const Target& target, const sources::Service& service);

/// `host[:container[:permissions]]`
runtime::Device render_device(const sources::Service& service, const std::string& text);

/// Of a range of published ports, container n takes the n-th.
runtime::PortBinding render_port(const sources::Service& service, const sources::Port& port, int number);

/// `no`, `always`, `unless-stopped`, `on-failure[:n]`
runtime::Resources render_limits(const sources::Service& service);
runtime::RestartPolicy render_restart(const sources::Service& service);

std::optional<runtime::Healthcheck> render_healthcheck(const sources::Service& service);

}  // namespace kedge::reconciler
