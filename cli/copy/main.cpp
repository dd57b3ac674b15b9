// kedge-cp SOCKET OPTIONS SOURCE TARGET: what `kedge cp` becomes. OPTIONS are the letters of a, L and q, or `-`.
#include "base/error.h"
#include "cli/copy/copy.h"
#include "cli/session.h"

#include <csignal>

namespace kedge::cli {

namespace {

int run(const std::vector<std::string>& arguments) {
    try {
        if (arguments.size() != 4) throw Error(Code::invalid_argument, "kedge-cp is called by kedge cp");
        auto given = [&](char letter) { return arguments[1].find(letter) != std::string::npos; };
        CopyOptions options{given('a'), given('L'), given('q')};
        Client client(arguments[0]);
        CopyArgument source = CopyArgument::parse(arguments[2]), target = CopyArgument::parse(arguments[3]);
        if (source.container.empty())
            copy_to_container(client, source.path, target, options);
        else
            copy_from_container(client, source, target.path, options);
        return 0;
    } catch (const std::exception& error) {
        print_error(error);
        return 1;
    }
}

}  // namespace

}  // namespace kedge::cli

int main(int argc, char** argv) {
    (void)std::signal(SIGPIPE, SIG_IGN);  // a connection or reader that is gone is seen where it is written to
    return kedge::cli::run(std::vector<std::string>(argv + 1, argv + argc));
}
