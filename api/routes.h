#pragma once

#include "api/http.h"
#include "api/router.h"
#include "api/services.h"

namespace kedge::api {

/// The whole API of the agent's socket: Docker's with and without `/v1.xx`, kedge's under /kedge/v1, /metrics.
Handler make_api(const Services& services);

// One topic each, in a file of that name. `services` outlives the router.
void add_absent_routes(Router& router, const Services& services);  ///< what a Docker without a swarm answers
void add_system_routes(Router& router, const Services& services);
void add_event_routes(Router& router, const Services& services);
void add_container_routes(Router& router, const Services& services);
void add_container_list_routes(Router& router, const Services& services);
void add_container_file_routes(Router& router, const Services& services);
void add_usage_routes(Router& router, const Services& services);
void add_log_routes(Router& router, const Services& services);
void add_attach_routes(Router& router, const Services& services);
void add_exec_routes(Router& router, const Services& services);
void add_image_routes(Router& router, const Services& services);
void add_image_transfer_routes(Router& router, const Services& services);
void add_volume_routes(Router& router, const Services& services);
void add_network_routes(Router& router, const Services& services);
void add_kedge_routes(Router& router, const Services& services);
void add_metrics_routes(Router& router, const Services& services);

}  // namespace kedge::api
