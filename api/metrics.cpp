#include "api/metrics.h"

#include "api/metric_families.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/routes.h"

#include <prometheus/text_serializer.h>

#include <sstream>

namespace kedge::api {

namespace {

Response metrics_reply(const Services& services) {
    Response response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = metrics_text(services);
    return response;
}

}  // namespace

std::string metrics_text(const Services& services) {
    std::vector<prometheus::MetricFamily> families = agent_families(services);
    for (auto* part : {&controller_families, &container_families}) {
        for (prometheus::MetricFamily& family : (*part)(services)) {
            if (!family.metric.empty()) families.push_back(std::move(family));
        }
    }
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families);
    return out.str();
}

Handler make_metrics_only(const Services& services) {
    return [services](const Request& request) {
        if (request.path != "/metrics" || (request.method != "GET" && request.method != "HEAD")) {
            return error_reply(404, "page not found");
        }
        return metrics_reply(services);
    };
}

void add_metrics_routes(Router& router, const Services& services) {
    router.add("GET", "/metrics", [&services](const Request&) { return metrics_reply(services); });
}

}  // namespace kedge::api
