#pragma once

#include "base/fd.h"
#include "runtime/container_spec.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace kedge::runtime {

/// What a name server said: `NOERROR`, `NXDOMAIN`, `REFUSED`, `SERVFAIL` or `timeout`, and the data of its answer's
/// records.
struct DnsAnswer {
    std::string code;
    std::vector<std::string> data;
    bool truncated = false;
    bool operator==(const DnsAnswer&) const = default;
};

/// One query, sent from inside `netns`. `type` as `A`, `AAAA`, `PTR`, `MX`.
DnsAnswer query(int netns, const std::string& server, const std::string& name, const std::string& type = "A",
                Protocol protocol = Protocol::udp);

/// Sends any bytes; what came back within the time, or empty.
std::string send_raw(int netns, const std::string& server, const std::string& bytes, int timeout_ms);

/// Knows `example.test` as 203.0.113.7 and nothing else (NXDOMAIN), over UDP and TCP. `mute`: takes questions and never
/// answers.
class Upstreams {
public:
    Upstreams(int netns, const std::string& address, bool mute = false);
    ~Upstreams();
    size_t questions() const { return questions_; }

private:
    void serve();
    std::string answer(const std::string& wire);
    bool mute_;
    Fd udp_, tcp_, stop_;
    std::atomic<size_t> questions_{0};
    std::thread thread_;
};

}  // namespace kedge::runtime
