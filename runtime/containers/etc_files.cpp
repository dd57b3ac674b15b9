#include "runtime/containers/etc_files.h"

#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

namespace kedge::runtime {

namespace {

constexpr const char* kLocalHosts = "127.0.0.1\tlocalhost\n";
constexpr const char* kLocalHosts6 =
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\n"
    "ff00::\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n";

/// Whether its loopback has IPv6.
bool has_ipv6(const ContainerSpec& spec) {
    static const bool kernel_has = ::access("/proc/sys/net/ipv6", F_OK) == 0;
    for (const char* key : {"net.ipv6.conf.all.disable_ipv6", "net/ipv6/conf/all/disable_ipv6"}) {
        auto found = spec.sysctls.find(key);
        if (found != spec.sysctls.end() && found->second != "0") return false;
    }
    return kernel_has;
}

std::string file_or_nothing(const std::string& path) {
    try {
        return read_file_at(AT_FDCWD, path, 1 << 20);
    } catch (const Error&) {
        return {};  // a host without it
    }
}

/// The lines of a resolv.conf that begin with this word, and those that don't.
std::string lines(const std::string& text, const std::string& word, bool with) {
    std::istringstream in(text);
    std::string line, found;
    while (std::getline(in, line)) {
        bool matches = line.starts_with(word + " ") || line.starts_with(word + "\t");
        if (matches == with) found += line + "\n";
    }
    return found;
}

std::string resolv_conf(const ContainerSpec& spec, const std::string& name_server) {
    std::string host = host_resolv_conf();
    std::string text;
    if (!name_server.empty()) {
        text += "nameserver " + name_server + "\n";
    } else if (!spec.dns.empty()) {
        for (const std::string& address : spec.dns) text += "nameserver " + address + "\n";
    } else {
        text += lines(host, "nameserver", true);
    }
    if (!spec.dns_search.empty()) {
        if (spec.dns_search.size() != 1 || spec.dns_search[0] != ".") {
            text += "search";
            for (const std::string& domain : spec.dns_search) text += " " + domain;
            text += "\n";
        }
    } else {
        text += lines(host, "search", true);
    }
    std::vector<std::string> options = spec.dns_options;
    const bool dots =
        std::any_of(options.begin(), options.end(), [](const std::string& o) { return o.starts_with("ndots:"); });
    if (!name_server.empty() && !dots) options.emplace_back("ndots:0");
    if (options.empty()) return text + lines(host, "options", true);
    text += "options";
    for (const std::string& option : options) text += " " + option;
    return text + "\n";
}

}  // namespace

std::string host_resolv_conf() {
    std::string text = file_or_nothing("/etc/resolv.conf");
    // A stub resolver on the host's loopback is out of reach; systemd keeps the real servers here.
    if (text.find("nameserver 127.0.0.53") != std::string::npos) {
        std::string real = file_or_nothing("/run/systemd/resolve/resolv.conf");
        if (!real.empty()) return real;
    }
    return text;
}

std::string host_name() {
    utsname names{};
    if (::uname(&names) != 0) throw_errno("uname");
    return names.nodename;
}

EtcFiles etc_files(const ContainerInfo& info, const std::string& hostname,
                   const std::vector<NetworkEndpoint>& endpoints, const std::string& name_server,
                   const std::string& host_gateway) {
    const ContainerSpec& spec = info.spec;
    EtcFiles files;
    files.hostname = hostname + "\n";
    files.hosts = spec.network_mode == "host" ? file_or_nothing("/etc/hosts") : kLocalHosts;
    if (spec.network_mode != "host" && has_ipv6(spec)) files.hosts += kLocalHosts6;
    if (!files.hosts.empty() && files.hosts.back() != '\n') files.hosts += '\n';
    for (const std::string& host : spec.extra_hosts) {
        size_t colon = host.find(':');
        std::string address = host.substr(colon + 1);
        if (address == "host-gateway") {
            if (host_gateway.empty()) {
                throw Error(Code::invalid_argument,
                            "extra host " + host + ": a container without a network has no host-gateway");
            }
            address = host_gateway;
        }
        files.hosts += address + "\t" + host.substr(0, colon) + "\n";
    }
    std::string names = spec.domainname.empty() ? hostname : hostname + "." + spec.domainname + " " + hostname;
    for (const NetworkEndpoint& endpoint : endpoints) {
        if (!endpoint.ip.empty()) files.hosts += endpoint.ip + "\t" + names + "\n";
        if (!endpoint.ip6.empty()) files.hosts += endpoint.ip6 + "\t" + names + "\n";
    }
    files.resolv_conf = resolv_conf(spec, name_server);
    return files;
}

namespace {

void write_file(int folder, const char* name, const std::string& text) {
    Fd file = open_at(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
    if (::fchmod(file.get(), 0644) != 0) throw_errno(std::string("chmod ") + name);  // whatever the umask is
    write_all(file.get(), text);
}

}  // namespace

void write_etc_files(int container_folder, const EtcFiles& files) {
    write_file(container_folder, "hosts", files.hosts);
    write_file(container_folder, "hostname", files.hostname);
    write_file(container_folder, "resolv.conf", files.resolv_conf);
}

void write_changed_etc_files(int container_folder, const EtcFiles& before, const EtcFiles& after) {
    auto update = [&](const char* name, const std::string& old, const std::string& next) {
        if (old != next && read_file_at(container_folder, name, 1 << 20) == old)
            write_file(container_folder, name, next);
    };
    update("hosts", before.hosts, after.hosts);
    update("resolv.conf", before.resolv_conf, after.resolv_conf);
}

}  // namespace kedge::runtime
