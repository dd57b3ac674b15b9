#pragma once

#include <httplib.h>

#include <nlohmann/json.hpp>

#include <sys/socket.h>

#include <map>
#include <string>

namespace kedge::test {

using nlohmann::json;

/// What tests ask an agent through its socket.
class AgentApi {
public:
    struct Answer {
        int status = 0;  ///< 0: nobody answered
        std::string body;
    };
    Answer call(const std::string& method, const std::string& path, const std::string& body = {},
                const std::string& type = "application/json") const {
        httplib::Client client(socket);
        client.set_address_family(AF_UNIX);
        client.set_read_timeout(60);
        httplib::Request request;
        request.method = method;
        request.path = path;
        request.body = body;
        request.set_header("Host", "kedge");
        request.set_header("Content-Type", type);
        auto result = client.send(request);
        return result ? Answer{result->status, result->body} : Answer{};
    }
    Answer post(const std::string& path, const json& body = json::object()) const {
        return call("POST", path, body.dump());
    }
    json get(const std::string& path) const { return json::parse(call("GET", path).body, nullptr, false); }
    void wake() const { (void)post("/kedge/v1/wake"); }

    json containers() const {
        json list = get("/containers/json?all=1");
        return list.is_array() ? list : json::array();
    }
    /// The running containers' ids by service.
    std::map<std::string, std::string> services() const { return of_running("Id"); }
    /// The image names by service of what runs.
    std::map<std::string, std::string> images() const { return of_running("Image"); }
    json project(const std::string& name = "demo") const { return get("/kedge/v1/projects/" + name); }
    /// The state of the newest release of this commit; empty if there is none.
    std::string state_of(const std::string& commit) const {
        json releases = get("/kedge/v1/projects/demo/releases");
        if (!releases.is_array()) return {};
        for (const json& release : releases) {
            if (release.value("commit", "") == commit) return release.at("state");
        }
        return {};
    }

    std::string socket;  ///< its path

private:
    std::map<std::string, std::string> of_running(const char* member) const {
        std::map<std::string, std::string> result;
        for (const json& c : containers()) {
            if (c.value("State", "") == "running")
                result[c["Labels"].value("com.docker.compose.service", "")] = c.at(member);
        }
        return result;
    }
};

}  // namespace kedge::test
