// Times an engine through the Docker Engine API, the same for every engine that speaks it.
//   kedge-bench-client <socket> start <image> <rounds> [network]   create, then time start until the program has ended
// prints the milliseconds of each round.
#include <httplib.h>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <string>

namespace {

using nlohmann::json;

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::exit(1);
}

json call(httplib::Client& client, const std::string& method, const std::string& path, const json& body = nullptr) {
    httplib::Request request;
    request.method = method;
    request.path = "/v1.40" + path;
    request.set_header("Host", "localhost");
    if (!body.is_null()) {
        request.body = body.dump();
        request.set_header("Content-Type", "application/json");
    } else if (method == "POST") {
        request.set_header("Content-Length", "0");
    }
    auto result = client.send(request);
    if (!result) fail(method + " " + path + ": " + httplib::to_string(result.error()));
    if (result->status >= 300) fail(method + " " + path + ": " + std::to_string(result->status) + " " + result->body);
    return json::parse(result->body, nullptr, false);
}

void time_start(httplib::Client& client, const std::string& image, int rounds, bool network) {
    if (network) call(client, "POST", "/networks/create", {{"Name", "kedge-bench"}, {"CheckDuplicate", true}});
    for (int i = 0; i < rounds; ++i) {
        json host{{"NetworkMode", network ? "kedge-bench" : "none"}};
        json spec{{"Image", image}, {"Cmd", {"true"}}};
        if (network) {
            host["PortBindings"]["80/tcp"] = {{{"HostIp", ""}, {"HostPort", "18080"}}};
            spec["ExposedPorts"]["80/tcp"] = json::object();
        }
        spec["HostConfig"] = host;
        std::string id = call(client, "POST", "/containers/create", spec).at("Id");
        auto begin = std::chrono::steady_clock::now();
        call(client, "POST", "/containers/" + id + "/start");
        json ended = call(client, "POST", "/containers/" + id + "/wait");
        auto end = std::chrono::steady_clock::now();
        if (ended.at("StatusCode") != 0) fail("the container's program failed: " + ended.dump());
        std::printf("%.3f\n", std::chrono::duration<double, std::milli>(end - begin).count());
        call(client, "DELETE", "/containers/" + id + "?v=1");
    }
    if (network) call(client, "DELETE", "/networks/kedge-bench");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5 || std::string(argv[2]) != "start") fail("usage: kedge-bench-client SOCKET start IMAGE ROUNDS [network]");
    httplib::Client client(argv[1]);
    client.set_address_family(AF_UNIX);
    client.set_keep_alive(true);
    client.set_read_timeout(60);
    time_start(client, argv[3], std::stoi(argv[4]), argc > 5 && std::string(argv[5]) == "network");
    return 0;
}
