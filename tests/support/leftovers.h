#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "base/folder.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace kedge::test {

/// What containers may leave behind outside of their folders, for fixtures to look at.
struct Leftovers {
    /// Names in a folder, sorted; none if it isn't there.
    static std::vector<std::string> entries(const std::string& path) {
        if (::access(path.c_str(), F_OK) != 0) return {};
        return names_in(open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY).get());
    }

    /// This process' children that have not ended (what has is its next start's to reap).
    static std::vector<std::string> children() {
        std::vector<std::string> found;
        for (const auto& pid : entries("/proc")) {
            if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
            try {
                std::string stat = read_file_at(AT_FDCWD, "/proc/" + pid + "/stat");
                std::string rest = stat.substr(stat.rfind(')') + 2);
                if (rest[0] != 'Z' && std::stoi(rest.substr(2)) == ::getpid()) found.push_back(stat);
            } catch (const Error&) {
                // it has ended meanwhile
            }
        }
        return found;
    }

    /// Links but lo in this network namespace.
    static std::vector<std::string> links() {
        std::vector<std::string> found;
        struct if_nameindex* names = ::if_nameindex();
        for (auto* name = names; name && name->if_index != 0; ++name) {
            if (std::string(name->if_name) != "lo") found.push_back(name->if_name);
        }
        if (names) ::if_freenameindex(names);
        return found;
    }

    /// Links die some time after their container's namespace does, so this waits (for the kernel to say so) up to five
    /// seconds for the last to go.
    static std::vector<std::string> wait_for_no_links() {
        Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
        sockaddr_nl address{};
        address.nl_family = AF_NETLINK;
        address.nl_groups = RTMGRP_LINK;
        (void)::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
        auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (true) {
            std::vector<std::string> left = links();
            auto rest =
                std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
            if (left.empty() || rest.count() <= 0) return left;
            pollfd poll{socket.get(), POLLIN, 0};
            char message[8192];
            if (::poll(&poll, 1, static_cast<int>(rest.count())) > 0)
                (void)::recv(socket.get(), message, sizeof message, 0);
        }
    }

    /// The folders of the instance's control groups, in every hierarchy.
    static std::vector<std::string> group_roots(const std::string& instance) {
        std::vector<std::string> roots;
        std::vector<std::string> hierarchies = entries("/sys/fs/cgroup");
        hierarchies.push_back(".");  // version 2 alone
        for (const std::string& hierarchy : hierarchies) {
            std::string root = "/sys/fs/cgroup/" + hierarchy + "/" + instance;
            if (std::filesystem::is_directory(root) && !std::filesystem::is_symlink("/sys/fs/cgroup/" + hierarchy))
                roots.push_back(root);
        }
        return roots;
    }

    /// The control groups of the instance's containers.
    static std::vector<std::string> groups(const std::string& instance) {
        std::vector<std::string> found;
        for (const std::string& root : group_roots(instance)) {
            for (const auto& entry : std::filesystem::directory_iterator(root)) {
                if (entry.is_directory()) found.push_back(entry.path());
            }
        }
        return found;
    }

    /// The instance's own groups may stay, and are removed; those of containers may not, and are returned.
    static std::vector<std::string> remove_groups(const std::string& instance) {
        std::vector<std::string> left = groups(instance);
        for (const std::string& root : group_roots(instance)) {
            if (::rmdir(root.c_str()) != 0) left.push_back(root);
        }
        return left;
    }
};

}  // namespace kedge::test
