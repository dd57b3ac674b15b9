#pragma once

#include "tests/bench/command.h"
#include "tests/bench/figure.h"

#include <map>
#include <string>
#include <vector>

namespace kedge::bench {

struct NamedSocket {
    std::string name, socket;
};
struct NamedCommand {
    std::string name;
    Command command;
};

/// Create (untimed), POST start until the program has ended, for every engine and for the floor.
Figure start_figure(const std::vector<NamedSocket>& engines, const Command& floor, const std::string& image,
                    bool network, int rounds);

struct CommandSetting {
    std::string name, what;  ///< of the figure
    std::vector<NamedCommand> commands;
    std::vector<NamedCommand> before, after;  ///< done around each round of the side of that name, not measured
    bool cpu = false;                         ///< processor time of the whole machine instead of the time that passes
    std::vector<std::string> limits;          ///< `docker=0.1`: what kedge means to reach
};
/// Whole commands, from their spawning until they are gone.
Figure command_figure(const CommandSetting& setting, int rounds);

/// Pull and unpack from a registry; the image is removed before every round. `pipe`: the same bytes with curl, gzip and
/// tar. `durable`: until everything is on the disk, whether or not the engine cares.
Figure pull_figure(const std::vector<NamedSocket>& engines, const std::vector<NamedCommand>& commands,
                   const std::string& image, bool durable, int rounds);

struct WebhookSetting {
    std::string socket;   ///< the agent's
    std::string address;  ///< host:port of its webhooks
    std::string secret, repository_url;
    std::string work;  ///< a clone of the repository with a remote `origin`
    std::string seen;  ///< the folder that is mounted at /seen in the container
    std::string image;
};
/// A signed webhook until the new container's first instruction.
Figure webhook_figure(const WebhookSetting& setting, int rounds);

/// Waits until this many projects are good.
void await_projects(const std::string& socket, size_t projects);

/// Processor time of the agent and its children for a sync that finds nothing to do.
Figure sync_figure(const std::string& socket, int agent, const std::string& what, int rounds);

/// What an idle agent and idle containers cost. `limit`: of the agent's resident memory, in MB.
std::vector<Figure> idle_figures(int agent, const std::string& what, int seconds, double limit);

/// Holds every project, removes every container and network.
void clear(const std::string& socket);

}  // namespace kedge::bench
