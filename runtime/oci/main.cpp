// kedge-oci: an OCI runtime. `kedge oci` becomes it, and engines such as Podman and containerd start it by its path.
#include "runtime/oci/command_line.h"

#include <csignal>

int main(int argc, char** argv) {
    (void)std::signal(SIGPIPE, SIG_IGN);  // a reader that is gone is seen where it is written to
    return kedge::oci::run(std::vector<std::string>(argv + 1, argv + argc));
}
